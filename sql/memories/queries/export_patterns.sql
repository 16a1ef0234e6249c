-- Patterns in the order of their keys, each as JSON with the columns of behavior_patterns: the caller's, or everyone's.
select behavior.pattern_row(m)::text as line
  from public.memories m
 where type = 'workflow'
   and behavior.workflow_problem(content, metadata) is null
   and (%(everyone)s or user_id = (select behavior.caller()))
 order by user_id, id
