-- Whatever changes when the lessons of a project's patterns do: cheap to compare.
select count(*) as patterns, max(coalesce(metadata ->> 'updated_at', created_at::text)) as changed_at
  from public.memories
 where user_id = (select behavior.caller())
   and type = 'workflow'
   and metadata ->> 'project' = %(project)s
