-- Keep one pattern; delivered again it changes nothing, unless more has become known of the same work.
insert into public.behavior_patterns as kept
       (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
        final_outcome, confidence, started_at)
values ((select auth.uid()), %(source_key)s, %(session_id)s, %(project)s, %(trigger)s, %(embedding)s,
        %(embedding_model)s, %(context)s, %(actions)s, %(final_outcome)s, %(confidence)s, %(started_at)s)
    on conflict (user_id, source_key) do update
   set project = excluded.project,
       trigger = excluded.trigger,
       trigger_embedding = excluded.trigger_embedding,
       embedding_model = excluded.embedding_model,
       context = excluded.context,
       actions = excluded.actions,
       final_outcome = excluded.final_outcome,
       confidence = excluded.confidence
 where jsonb_array_length(excluded.actions) > jsonb_array_length(kept.actions)
