-- Delete all marks of the caller's forgotten work.
delete from behavior.remarks
 where user_id = (select behavior.caller())
   and kind = 'forgotten'
returning pattern_key
