-- Whatever changes when the caller's triggers, vectors or patterns do, from this worker or another: cheap to compare. The
-- first counts, for each of the models, are those of an index.
select (select array_agg(triggers order by place)
          from unnest(%(models)s::text[]) with ordinality as models (model, place),
               lateral (select count(*) as triggers
                          from behavior.episodes
                         where user_id = (select behavior.caller())
                           and embedding_model = model
                           and (%(project)s::text is null or project = %(project)s)
                           and pattern_key <> ''
                           and schema_version > 0) as counted) as triggers,
       count(*) as patterns,
       max(updated_at) as changed_at
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and (%(project)s::text is null or project = %(project)s)
