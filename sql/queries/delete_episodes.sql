-- Delete the caller's episodes with these keys; returns their projects and the keys of their patterns, which have to be
-- computed again.
delete from behavior.episodes
 where user_id = (select behavior.caller())
   and source_key = any (%(source_keys)s::text[])
returning project, pattern_key
