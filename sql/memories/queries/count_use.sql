-- Count that work followed a pattern; no row if the caller has no such pattern.
select behavior.count_workflow_use(id) as is_counted
  from public.memories
 where user_id = (select behavior.caller())
   and type = 'workflow'
   and coalesce(metadata ->> 'source_key', id::text) = %(source_key)s
