-- Forget what was learned from one session of the caller's.
delete from public.behavior_patterns
 where user_id = (select behavior.caller())
   and session_id = %(session_id)s
