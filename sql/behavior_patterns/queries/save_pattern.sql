-- Store one pattern. Delivered again it changes nothing, unless more is known of the same work by then. It is not added
-- if all of its work is stored under another key: a fork's transcript repeats the work of another session.
-- Returns whether the pattern was added or updated; no row if nothing changed. Keep in sync with find_known.sql, which
-- predicts that.
with own as (
    select from public.behavior_patterns
     where user_id = (select behavior.caller()) and source_key = %(source_key)s
)
insert into public.behavior_patterns as kept
       (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
        final_outcome, confidence, provenance, started_at)
select (select behavior.caller()), %(source_key)s, %(session_id)s, %(project)s, %(trigger)s, %(embedding)s,
       %(embedding_model)s, %(context)s, %(actions)s, %(final_outcome)s, %(confidence)s, %(provenance)s, %(started_at)s
 where not exists (select from public.behavior_patterns other
                    where other.user_id = (select behavior.caller())
                      and other.started_at = %(started_at)s
                      and other.trigger = %(trigger)s
                      and other.actions @> %(calls)s
                      and (other.final_outcome <> 'partial' or %(final_outcome)s = 'partial'))
    or exists (select from own)
    on conflict (user_id, source_key) do update
       -- Once its folder is gone, a project is only known by its path; do not overwrite its remote with that.
   set project = case when left(excluded.project, 1) = '/' and left(kept.project, 1) <> '/'
                      then kept.project else excluded.project end,
       trigger = excluded.trigger,
       trigger_embedding = excluded.trigger_embedding,
       embedding_model = excluded.embedding_model,
       context = case when left(excluded.project, 1) = '/' and left(kept.project, 1) <> '/'
                      then kept.context || jsonb_build_object('files_touched', excluded.context -> 'files_touched')
                      else excluded.context end,
       actions = excluded.actions,
       final_outcome = excluded.final_outcome,
       confidence = excluded.confidence,
       provenance = kept.provenance || excluded.provenance
 where jsonb_array_length(excluded.actions) > jsonb_array_length(kept.actions)
    or (jsonb_array_length(excluded.actions) = jsonb_array_length(kept.actions)
        and ((kept.trigger_embedding is null and excluded.trigger_embedding is not null)
             or (kept.final_outcome = 'partial' and excluded.final_outcome <> 'partial')))
returning not exists (select from own) as is_new
