-- The triggers of the rows that callers wrote, all or the newest. They have no workflow: their actions are what they did.
select w.source_key, w.source_key as pattern_key, w.session_id, w.project, w.trigger, w.final_outcome as outcome,
       w.started_at, null::jsonb as steps, null::jsonb as names,
       m.metadata ->> 'embedding_model' as model,
       array_send((m.embedding::real[])
                  [1:(%(numbers)s::int[])[array_position(%(models)s::text[], m.metadata ->> 'embedding_model')]])
           as embedding
  from behavior.workflows w
       join public.memories m using (id)
 where w.user_id = (select behavior.caller())
   and m.user_id = (select behavior.caller())
   and w.workflow is null
   and w.started_at is not null  -- infinite dates are
   and behavior.workflow_problem(m.content, m.metadata) is null
   and (%(project)s::text is null or w.project = %(project)s)
 order by w.started_at desc
 limit %(newest)s
