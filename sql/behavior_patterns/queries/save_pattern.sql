-- Store one pattern; delivered again, it changes nothing unless more is known of the same work by then.
insert into public.behavior_patterns as kept
       (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
        final_outcome, confidence, provenance, started_at)
values ((select behavior.caller()), %(source_key)s, %(session_id)s, %(project)s, %(trigger)s, %(embedding)s,
        %(embedding_model)s, %(context)s, %(actions)s, %(final_outcome)s, %(confidence)s, %(provenance)s,
        %(started_at)s)
    on conflict (user_id, source_key) do update
   set project = excluded.project,
       trigger = excluded.trigger,
       trigger_embedding = excluded.trigger_embedding,
       embedding_model = excluded.embedding_model,
       context = excluded.context,
       actions = excluded.actions,
       final_outcome = excluded.final_outcome,
       confidence = excluded.confidence,
       provenance = kept.provenance || excluded.provenance
 where jsonb_array_length(excluded.actions) > jsonb_array_length(kept.actions)
    or (jsonb_array_length(excluded.actions) = jsonb_array_length(kept.actions)
        and ((kept.trigger_embedding is null and excluded.trigger_embedding is not null)
             or (kept.final_outcome = 'partial' and excluded.final_outcome <> 'partial')))
