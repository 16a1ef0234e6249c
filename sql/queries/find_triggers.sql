-- The caller's triggers that have a pattern, with what recall compares, and the vectors of some models without their
-- padding.
select source_key, pattern_key, session_id, project, trigger, outcome, started_at, digest -> 'steps' as steps,
       digest -> 'names' as names,
       embedding_model as model,
       array_send((trigger_embedding::real[])
                  [1:(%(numbers)s::int[])[array_position(%(models)s::text[], embedding_model)]]) as embedding
  from behavior.episodes
 where user_id = (select behavior.caller())
   and pattern_key <> ''
   and (%(project)s::text is null or project = %(project)s)
 order by started_at, source_key
