-- The episodes of the caller, or of all users, in key order: each as JSON with every column that is not generated.
select (to_jsonb(e) - 'trigger_bits')::text as line
  from behavior.episodes e
 where %(everyone)s or user_id = (select behavior.caller())
 order by user_id, source_key
