-- Store one pattern; the same work updates the same row, but not its counters, and never a row that a caller wrote.
-- Returns whether it was added or updated; no row if nothing changed.
with own as (
    select from public.behavior_patterns
     where user_id = (select behavior.caller()) and source_key = %(source_key)s
)
insert into public.behavior_patterns as kept
       (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
        final_outcome, confidence, provenance, workflow, use_count, last_used_at, started_at)
values ((select behavior.caller()), %(source_key)s, %(session_id)s, %(project)s, %(trigger)s, %(embedding)s,
        %(embedding_model)s, %(context)s, %(actions)s, %(final_outcome)s, %(confidence)s, %(provenance)s, %(workflow)s,
        %(use_count)s, %(last_used_at)s, %(started_at)s)
    on conflict (user_id, source_key) do update
   set session_id = excluded.session_id,
       project = excluded.project,
       trigger = excluded.trigger,
       trigger_embedding = excluded.trigger_embedding,
       embedding_model = excluded.embedding_model,
       context = excluded.context,
       actions = excluded.actions,
       final_outcome = excluded.final_outcome,
       confidence = excluded.confidence,
       provenance = kept.provenance || excluded.provenance,  -- what another program added to a moved memory stays
       workflow = excluded.workflow,
       started_at = excluded.started_at
 where (kept.workflow is null) = (excluded.workflow is null)
   and (kept.session_id, kept.project, kept.trigger, kept.embedding_model, kept.context, kept.actions,
        kept.final_outcome, kept.confidence, kept.provenance, kept.workflow, kept.started_at)
       is distinct from
       (excluded.session_id, excluded.project, excluded.trigger, excluded.embedding_model, excluded.context,
        excluded.actions, excluded.final_outcome, excluded.confidence, kept.provenance || excluded.provenance,
        excluded.workflow, excluded.started_at)
returning not exists (select from own) as is_new
