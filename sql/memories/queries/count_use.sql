-- Note that a pattern was shown to the assistant; false if it is not the caller's.
select behavior.count_workflow_use(%(id)s) as is_counted
