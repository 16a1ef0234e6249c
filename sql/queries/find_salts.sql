-- The salts of the marks of the caller's forgotten work.
select distinct details ->> 'salt' as salt
  from behavior.remarks
 where user_id = (select behavior.caller())
   and kind = 'forgotten'
