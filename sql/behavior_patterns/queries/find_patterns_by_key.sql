-- The caller's own patterns with these keys.
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance - 'memory' as provenance, workflow
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and source_key = any (%(source_keys)s::text[])
