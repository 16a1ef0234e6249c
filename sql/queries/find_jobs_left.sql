-- The jobs and patterns that the caller still has evidence of in some projects.
select distinct project, digest ->> 'job' as job, pattern_key
  from behavior.episodes
 where user_id = (select behavior.caller())
   and project = any (%(projects)s::text[])
