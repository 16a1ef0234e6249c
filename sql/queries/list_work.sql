-- The caller's episodes after one, in the order of their keys, with what recall compares, and the vectors of some
-- models without their padding. Parts too: each prompt is one that a suggestion may be for.
select source_key, part_of, session_id, turns, outcome, because, digest, pattern_key, project, trigger, started_at,
       digest -> 'steps' as steps, digest -> 'names' as names,
       embedding_model as model,
       array_send((trigger_embedding::real[])
                  [1:(%(numbers)s::int[])[array_position(%(models)s::text[], embedding_model)]]) as embedding
  from behavior.episodes
 where user_id = (select behavior.caller())
   and source_key > %(after)s
   and (%(project)s::text is null or project = %(project)s)
 order by source_key
 limit %(limit)s
