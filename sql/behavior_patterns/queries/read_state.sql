-- Whatever changes when the caller's triggers or vectors do, from this worker or another: cheap to compare. The first
-- counts, for each of the models, are those of an index; without a model any change of a pattern has to do. The count of
-- patterns changes when two are merged.
select (select array_agg(triggers order by place)
          from unnest(%(models)s::text[]) with ordinality as models (model, place),
               lateral (select count(*) as triggers
                          from behavior.episodes
                         where user_id = (select behavior.caller())
                           and embedding_model = model
                           and (%(project)s::text is null or project = %(project)s)
                           and pattern_key <> ''
                           and schema_version > 0) as counted) as triggers,
       (select updated_at
          from behavior.episodes
         where user_id = (select behavior.caller())
           and (%(project)s::text is null or project = %(project)s)
         order by updated_at desc
         limit 1) as told_at,
       count(*) as patterns,
       count(*) filter (where workflow is null) as written,
       max(updated_at) filter (where workflow is null or cardinality(%(models)s::text[]) = 0) as changed_at
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and (%(project)s::text is null or project = %(project)s)
