-- The patterns with these keys, each as JSON with every column of behavior_patterns.
select behavior.pattern_row(m)::text as line
  from unnest(%(user_ids)s::uuid[], %(ids)s::uuid[]) as wanted (user_id, id)
       join public.memories m using (user_id, id)
 where m.type = 'workflow'
   and behavior.workflow_problem(m.content, m.metadata) is null
