-- The caller's episodes, those with the newest turns first, without parts.
select source_key, part_of, session_id, turns, outcome, because, digest, pattern_key, created_at
  from behavior.episodes
 where user_id = (select behavior.caller())
   and part_of = ''
   and (%(project)s::text is null or project = %(project)s)
 order by (select max(turn_start) from unnest(turn_starts) turn_start) desc, source_key
 limit %(limit)s
