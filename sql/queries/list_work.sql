-- The caller's episodes after one, in the order of their keys, with what recall compares, and the vectors of one model
-- without their padding. Parts too: each prompt is one that a suggestion may be for.
select source_key, part_of, session_id, turns, outcome, because, digest, pattern_key, project, trigger, started_at,
       digest -> 'steps' as steps, digest -> 'names' as names,
       case when embedding_model = %(model)s then array_send((trigger_embedding::real[])[1:%(numbers)s]) end as embedding
  from behavior.episodes
 where user_id = (select behavior.caller())
   and source_key > %(after)s
   and (%(project)s::text is null or project = %(project)s)
 order by source_key
 limit %(limit)s
