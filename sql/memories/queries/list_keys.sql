-- The keys of all patterns that are in memories.
select user_id, id
  from public.memories
 where type = 'workflow'
   and behavior.workflow_problem(content, metadata) is null
 order by user_id, id
