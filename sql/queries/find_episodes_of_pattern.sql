-- The caller's episodes that a pattern stands on, newest first.
select source_key, part_of, session_id, turns, outcome, because, digest, pattern_key
  from behavior.episodes
 where user_id = (select behavior.caller())
   and pattern_key = %(pattern_key)s
   and pattern_key <> ''
 order by started_at desc, source_key
 limit %(limit)s
