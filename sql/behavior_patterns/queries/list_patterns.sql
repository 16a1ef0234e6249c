-- The caller's own patterns, newest first.
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance - 'memory' as provenance
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and (%(project)s::text is null or project = %(project)s)
 order by started_at desc, id
 limit %(limit)s
