-- The number of the caller's patterns.
select count(*) as patterns
  from public.memories
 where user_id = (select behavior.caller())
   and type = 'workflow'
   and behavior.workflow_problem(content, metadata) is null
