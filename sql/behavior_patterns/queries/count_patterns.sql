-- The number of the caller's patterns.
select count(*) as patterns
  from public.behavior_patterns
 where user_id = (select behavior.caller())
