-- Delete what is known of the suggestions that one session of the caller's got; returns the keys of their patterns, which
-- have to be computed again.
delete from behavior.remarks
 where user_id = (select behavior.caller())
   and session_id = %(session_id)s
   and session_id <> ''  -- what users say belongs to no session
returning pattern_key
