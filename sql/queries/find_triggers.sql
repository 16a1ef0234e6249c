-- The caller's triggers that have a pattern, with what recall compares, and the vectors of one model without their padding.
select source_key, pattern_key, session_id, project, trigger, outcome, started_at, digest -> 'steps' as steps,
       digest -> 'names' as names,
       case when embedding_model = %(model)s then array_send((trigger_embedding::real[])[1:%(numbers)s]) end as embedding
  from behavior.episodes
 where user_id = (select behavior.caller())
   and pattern_key <> ''
   and (%(project)s::text is null or project = %(project)s)
 order by started_at, source_key
