-- Delete the patterns that the caller wrote itself and that are to be forgotten; each null fits all. With is_everything
-- the computed ones go too. Other memories are never touched. Returns their keys.
delete from public.memories m
 using (select id, behavior.pattern_row(memory) as pattern
          from public.memories memory
         where user_id = (select behavior.caller())
           and type = 'workflow'
           and behavior.workflow_problem(content, metadata) is null) as written
 where m.user_id = (select behavior.caller())
   and m.id = written.id
   and (m.metadata #>> '{workflow,job}' is null or %(is_everything)s)
   and (%(pattern_key)s::text is null or pattern ->> 'source_key' = %(pattern_key)s)
   and (%(session_id)s::text is null or pattern ->> 'session_id' = %(session_id)s)
   and (%(project)s::text is null or pattern ->> 'project' = %(project)s)
   and (%(since)s::timestamptz is null or (pattern ->> 'started_at')::timestamptz >= %(since)s)
   and (%(until)s::timestamptz is null or (pattern ->> 'started_at')::timestamptz < %(until)s)
   and (%(text)s::text is null
        or exists (select
                     from jsonb_path_query(pattern - 'trigger_embedding', '$.** ? (@.type() == "string")')
                          as found (string)
                    where position(lower(%(text)s) in lower(string #>> '{}')) > 0))
returning pattern ->> 'source_key' as source_key
