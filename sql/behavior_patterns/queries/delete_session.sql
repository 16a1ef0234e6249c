-- Delete the rows that a caller wrote under one session, and what was computed from it alone.
delete from public.behavior_patterns
 where user_id = (select behavior.caller())
   and session_id = %(session_id)s
   and (workflow is null
        or not exists (select from behavior.episodes e
                        where e.user_id = (select behavior.caller())
                          and e.pattern_key = behavior_patterns.source_key))
