-- Delete the caller's computed patterns with these keys that no episode belongs to.
delete from public.memories m
 where m.user_id = (select behavior.caller())
   and m.type = 'workflow'
   and m.metadata #>> '{workflow,job}' is not null
   and m.metadata ->> 'source_key' = any (%(source_keys)s::text[])
   and not exists (select from behavior.episodes e
                    where e.user_id = (select behavior.caller())
                      and e.pattern_key = m.metadata ->> 'source_key')
