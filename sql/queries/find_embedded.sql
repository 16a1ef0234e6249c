-- The caller's triggers of a project that a model has embedded, from a moment and key on backwards.
select source_key, trigger as text, project, started_at
  from behavior.episodes
 where user_id = (select behavior.caller())
   and embedding_model = %(model)s
   and project = %(project)s
   and pattern_key <> ''
   and schema_version > 0
   and (%(before)s::timestamptz is null
        or (started_at, source_key) < (%(before)s::timestamptz, %(key)s::text))
 order by started_at desc, source_key desc
 limit %(limit)s
