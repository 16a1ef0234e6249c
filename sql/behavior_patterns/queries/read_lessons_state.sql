-- Whatever changes when the lessons of a project's patterns do: cheap to compare.
select count(*) as patterns, max(updated_at) as changed_at
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and project = %(project)s
