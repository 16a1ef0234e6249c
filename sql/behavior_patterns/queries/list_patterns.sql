-- The caller's own patterns, those whose work was done last first. Dates in JSON are compared as texts: a cast can fail.
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance - 'memory' as provenance, workflow
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and (%(project)s::text is null or project = %(project)s)
 order by coalesce(workflow ->> 'last_at', to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) desc, id
 limit %(limit)s
