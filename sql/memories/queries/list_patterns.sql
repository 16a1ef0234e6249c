-- The caller's own patterns, newest first. Ids are picked by date first; only the picked rows are parsed.
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance
  from behavior.workflows
 where user_id = (select behavior.caller())
   and id = any (array(select id
                         from public.memories
                        where user_id = (select behavior.caller())
                          and type = 'workflow'
                          and behavior.workflow_problem(content, metadata) is null
                          and (%(project)s::text is null or metadata ->> 'project' = %(project)s)
                        order by coalesce((metadata ->> 'started_at')::timestamptz, created_at) desc, id
                        limit %(limit)s))
 order by started_at desc, id
