-- The patterns of the caller, or of all users, in key order: each as JSON with every column that is not generated.
select (to_jsonb(bp) - 'trigger_bits')::text as line
  from public.behavior_patterns bp
 where %(everyone)s or user_id = (select behavior.caller())
 order by user_id, id
