-- Whatever changes when the caller's triggers, vectors or patterns do, from this worker or another: cheap to compare. The
-- first count is that of an index.
select (select count(*)
          from behavior.episodes
         where user_id = (select behavior.caller())
           and embedding_model = %(model)s
           and (%(project)s::text is null or project = %(project)s)
           and pattern_key <> ''
           and schema_version > 0) as triggers,
       count(*) as patterns,
       max(coalesce(metadata ->> 'updated_at', created_at::text)) as changed_at
  from public.memories
 where user_id = (select behavior.caller())
   and type = 'workflow'
   and (%(project)s::text is null or metadata ->> 'project' = %(project)s)
