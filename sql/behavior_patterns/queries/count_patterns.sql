-- How many patterns the caller has.
select count(*) as patterns
  from public.behavior_patterns
 where user_id = (select behavior.caller())
