-- Whatever changes when the caller's triggers or their vectors do, from this worker or another: cheap to compare. The
-- counts, one for each of the models, are those of an index.
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
         limit 1) as changed_at
