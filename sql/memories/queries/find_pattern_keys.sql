-- The keys of the caller's computed patterns of one project.
select metadata ->> 'source_key' as source_key
  from public.memories
 where user_id = (select behavior.caller())
   and type = 'workflow'
   and metadata #>> '{workflow,job}' is not null
   and metadata ->> 'project' = %(project)s
