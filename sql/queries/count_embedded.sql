-- The number of the caller's triggers that each model has embedded, for each project. They are those of an index.
select project, embedding_model as model, count(*) as triggers
  from behavior.episodes
 where user_id = (select behavior.caller())
   and embedding_model is not null
   and pattern_key <> ''
   and schema_version > 0
 group by project, embedding_model
 order by project, embedding_model
