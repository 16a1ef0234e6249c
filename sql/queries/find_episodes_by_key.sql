-- The caller's episodes with these keys, whole.
select source_key, part_of, session_id, turns, outcome, because, digest, pattern_key
  from behavior.episodes
 where user_id = (select behavior.caller())
   and source_key = any (%(source_keys)s::text[])
