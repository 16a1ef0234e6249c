-- Those of these marks that the caller's forgotten work has.
select pattern_key as mark
  from behavior.remarks
 where user_id = (select behavior.caller())
   and kind = 'forgotten'
   and pattern_key = any (%(marks)s::text[])
