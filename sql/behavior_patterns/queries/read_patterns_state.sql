-- Whatever changes when the caller's rows that other programs wrote do: cheap to compare. Without a model any change of
-- a pattern has to do. The count of patterns changes when two are merged.
select count(*) as patterns,
       count(*) filter (where workflow is null) as written,
       max(updated_at) filter (where workflow is null or cardinality(%(models)s::text[]) = 0) as changed_at
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and (%(project)s::text is null or project = %(project)s)
