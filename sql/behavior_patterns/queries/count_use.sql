-- Count that work followed a pattern; no row if the caller has no such pattern.
select public.increment_pattern_use_count(id) as is_counted
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and source_key = %(source_key)s
