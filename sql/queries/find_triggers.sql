-- The caller's triggers that have a pattern, with what recall compares, and the vectors of one model without their
-- padding. All of them, or the newest, and those whose vectors have the most of the signs `near`.
select source_key, pattern_key, session_id, project, trigger, outcome, started_at, digest -> 'steps' as steps,
       digest -> 'names' as names,
       case when embedding_model = %(model)s then array_send((trigger_embedding::real[])[1:%(numbers)s]) end as embedding
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
               and embedding_model = %(model)s
               and trigger_bits is not null  -- a model may have failed to embed it
               and %(near)s::bit(1536) is not null
             order by bit_count(trigger_bits # %(near)s::bit(1536))
             limit 200)))
 order by started_at, source_key
