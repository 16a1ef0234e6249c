-- The patterns of the caller, or of all users, in key order: each as JSON with the columns of behavior_patterns.
select behavior.pattern_row(m)::text as line
  from public.memories m
 where type = 'workflow'
   and behavior.workflow_problem(content, metadata) is null
   and (%(everyone)s or user_id = (select behavior.caller()))
 order by user_id, id
