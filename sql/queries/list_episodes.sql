-- The caller's episodes, newest first, without parts.
select source_key, part_of, session_id, turns, outcome, because, digest, pattern_key, created_at
  from behavior.episodes
 where user_id = (select behavior.caller())
   and part_of = ''
   and (%(project)s::text is null or project = %(project)s)
 order by started_at desc, source_key
 limit %(limit)s
