-- Count that a pattern was suggested to the agent; false if it is not the caller's.
select public.increment_pattern_use_count(%(id)s) as is_counted
