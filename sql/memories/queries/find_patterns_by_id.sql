-- The caller's own patterns whose id starts with a text: at most two, enough to see whether it is ambiguous.
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance, workflow
  from behavior.workflows
 where user_id = (select behavior.caller())
   and starts_with(id::text, lower(%(id)s))
 limit 2
