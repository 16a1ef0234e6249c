-- Note that a pattern was put before the assistant; false where it is not the caller's.
select behavior.count_workflow_use(%(id)s) as is_counted
