-- The caller's newest triggers of a project that a model has embedded, or that wait to be.
select trigger as text
  from behavior.episodes
 where user_id = (select behavior.caller())
   and project = %(project)s
   and digest ->> 'job' <> ''
 order by started_at desc
 limit %(limit)s
