-- The caller's own patterns, those whose work was done last first. Ids are picked by date first; only the picked rows are
-- parsed. Dates in JSON are compared as texts: a cast can fail.
select id, trigger, context, actions, final_outcome, confidence, use_count, last_used_at, created_at, started_at,
       session_id, source_key, provenance, workflow
  from behavior.workflows
 where user_id = (select behavior.caller())
   and id = any (array(select id
                         from public.memories
                        where user_id = (select behavior.caller())
                          and type = 'workflow'
                          and behavior.workflow_problem(content, metadata) is null
                          and (%(project)s::text is null or metadata ->> 'project' = %(project)s)
                        order by coalesce(metadata #>> '{workflow,last_at}', metadata ->> 'started_at',
                                          to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) desc, id
                        limit %(limit)s))
 order by coalesce(workflow ->> 'last_at', to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')) desc, id
