-- Delete the caller's patterns of one session.
delete from public.memories
 where user_id = (select behavior.caller())
   and type = 'workflow'
   and metadata ->> 'session_id' = %(session_id)s
