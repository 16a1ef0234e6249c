-- Delete the caller's patterns of one session.
delete from public.behavior_patterns
 where user_id = (select behavior.caller())
   and session_id = %(session_id)s
