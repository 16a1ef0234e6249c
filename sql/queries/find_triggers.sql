-- The caller's triggers that have a pattern, with what recall compares, and the vectors of some models without their
-- padding. All of them, or the newest, and those whose vectors by a model have the most of the signs `near`.
select source_key, pattern_key, session_id, project, trigger, outcome, started_at, digest -> 'steps' as steps,
       digest -> 'names' as names,
       embedding_model as model,
       array_send((trigger_embedding::real[])
                  [1:(%(numbers)s::int[])[array_position(%(models)s::text[], embedding_model)]]) as embedding
  from behavior.episodes
 where user_id = (select behavior.caller())
   and pattern_key <> ''
   and (%(project)s::text is null or project = %(project)s)
   and (%(newest)s::int is null
        or source_key in (
           (select source_key
              from behavior.episodes
             where user_id = (select behavior.caller())
               and pattern_key <> ''
               and (%(project)s::text is null or project = %(project)s)
             order by started_at desc
             limit %(newest)s)
           union all
           (select source_key
              from behavior.episodes
             where user_id = (select behavior.caller())
               and pattern_key <> ''
               and (%(project)s::text is null or project = %(project)s)
               and embedding_model = %(near_model)s
               and trigger_bits is not null  -- a model may have failed to embed it
             order by bit_count(trigger_bits # %(near)s::bit(1536))
             limit 200)))
 order by started_at, source_key
