-- Delete the caller's computed patterns with these keys that no episode belongs to.
delete from public.behavior_patterns
 where user_id = (select behavior.caller())
   and workflow is not null
   and source_key = any (%(source_keys)s::text[])
   and not exists (select from behavior.episodes e
                    where e.user_id = (select behavior.caller())
                      and e.pattern_key = behavior_patterns.source_key)
