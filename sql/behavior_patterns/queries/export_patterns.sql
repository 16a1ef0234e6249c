-- Patterns in the order of their keys, each as JSON with every column that is not computed: the caller's, or everyone's.
select (to_jsonb(bp) - 'trigger_bits')::text as line
  from public.behavior_patterns bp
 where %(everyone)s or user_id = (select behavior.caller())
 order by user_id, id
