-- The keys of the caller's computed patterns of one project.
select source_key
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and workflow is not null
   and project = %(project)s
