-- The keys of the patterns that are in memories but not yet in behavior_patterns.
select m.user_id, m.id
  from public.memories m
 where m.type = 'workflow'
   and behavior.workflow_problem(m.content, m.metadata) is null
   and not exists (select from public.behavior_patterns bp where bp.user_id = m.user_id and bp.id = m.id)
 order by m.user_id, m.id
