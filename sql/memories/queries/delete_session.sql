-- Forget what was learned from one session of the caller's.
delete from public.memories
 where user_id = (select behavior.caller())
   and type = 'workflow'
   and metadata ->> 'session_id' = %(session_id)s
