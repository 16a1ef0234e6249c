-- Note that a pattern was put before the assistant; false where it is not the caller's.
select public.increment_pattern_use_count(%(id)s) as is_counted
