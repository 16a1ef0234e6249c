-- The remarks of the caller, or of all users, in key order: each as JSON with every column.
select to_jsonb(r)::text as line
  from behavior.remarks r
 where %(everyone)s or user_id = (select behavior.caller())
 order by user_id, id
