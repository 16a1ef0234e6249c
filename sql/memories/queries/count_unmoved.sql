-- The number of patterns in memories, and the number of those that are not yet in behavior_patterns.
select count(*) as patterns, count(*) filter (where bp.id is null) as unmoved
  from public.memories m left join public.behavior_patterns bp using (user_id, id)
 where m.type = 'workflow'
   and behavior.workflow_problem(m.content, m.metadata) is null
