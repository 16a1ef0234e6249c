-- Delete the caller's episodes with these keys, and their parts. Returns their projects and the keys of their patterns,
-- which have to be computed again, and what identifies their turns.
delete from behavior.episodes
 where user_id = (select behavior.caller())
   and (source_key = any (%(source_keys)s::text[]) or part_of = any (%(source_keys)s::text[]))
returning source_key, part_of, session_id, project, pattern_key, digest ->> 'job' as job,
          turns #>> '{0,provenance,machine}' as machine,
          array(select jsonb_build_array(turn -> 'source_key', turn -> 'started_at', turn -> 'prompt')
                  from jsonb_array_elements(turns) as turn) as turns
