-- The triggers of the rows that callers wrote, all or the newest. They have no workflow: their actions are what they did.
select source_key, source_key as pattern_key, session_id, project, trigger, final_outcome as outcome, started_at,
       null::jsonb as steps, null::jsonb as names,
       embedding_model as model,
       array_send((trigger_embedding::real[])
                  [1:(%(numbers)s::int[])[array_position(%(models)s::text[], embedding_model)]]) as embedding
  from public.behavior_patterns
 where user_id = (select behavior.caller())
   and workflow is null
   and (%(project)s::text is null or project = %(project)s)
 order by started_at desc
 limit %(newest)s
