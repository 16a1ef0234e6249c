-- The workflows in memories that are not our patterns, and the reason.
select user_id, id, behavior.workflow_problem(content, metadata) as reason
  from public.memories
 where type = 'workflow'
   and behavior.workflow_problem(content, metadata) is not null
 order by user_id, id
