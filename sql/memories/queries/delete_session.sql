-- Delete the rows that a caller wrote under one session, and what was computed from it alone.
delete from public.memories m
 where user_id = (select behavior.caller())
   and type = 'workflow'
   and metadata ->> 'session_id' = %(session_id)s
   and (metadata #>> '{workflow,job}' is null
        or not exists (select from behavior.episodes e
                        where e.user_id = (select behavior.caller())
                          and e.pattern_key = m.metadata ->> 'source_key'))
