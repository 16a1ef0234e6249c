-- Count that a pattern was suggested to the agent; false if it is not the caller's.
select behavior.count_workflow_use(%(id)s) as is_counted
