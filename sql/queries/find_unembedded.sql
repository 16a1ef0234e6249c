-- The caller's episodes that no model has embedded yet.
select source_key, trigger as text, project, started_at
  from behavior.episodes
 where user_id = (select behavior.caller())
   and embedding_model is null
   and digest ->> 'job' <> ''
 order by started_at desc
 limit %(limit)s
