-- Whatever changes when the caller's rows that other programs wrote do: cheap to compare. Without a model any change of
-- a pattern has to do. The count of patterns changes when two are merged.
select count(*) as patterns,
       count(*) filter (where w.workflow is null) as written,
       max(coalesce(m.metadata ->> 'updated_at', m.created_at::text))
           filter (where w.workflow is null or cardinality(%(models)s::text[]) = 0) as changed_at
  from behavior.workflows w
       join public.memories m using (id)
 where w.user_id = (select behavior.caller())
   and m.user_id = (select behavior.caller())
   and (%(project)s::text is null or w.project = %(project)s)
