-- Keep exported rows with all that is in them, as those of one user where one is named. What is there already stays as
-- it is there. Tells of each row whether it was added, or is the same work as one that was there.
with given as (
    select place, coalesce(%(user_id)s::uuid, kept.user_id) as user_id, id, source_key, session_id, project, trigger,
           trigger_embedding, embedding_model, context, actions, final_outcome, confidence, use_count, last_used_at,
           provenance, schema_version, started_at, created_at, updated_at
      from unnest(%(lines)s::jsonb[]) with ordinality as lines (line, place)
           cross join lateral jsonb_populate_record(null::public.behavior_patterns, line) as kept
), added as (
    insert into public.behavior_patterns
           (user_id, id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
            final_outcome, confidence, use_count, last_used_at, provenance, schema_version, started_at, created_at,
            updated_at)
    select user_id, id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
           final_outcome, confidence, use_count, last_used_at, provenance, schema_version, started_at, created_at,
           updated_at
      from given
        on conflict do nothing
    returning user_id, id
)
select given.user_id, given.id, added.id is not null as is_added,
       exists (select from public.behavior_patterns there
                where there.user_id = given.user_id and there.source_key = given.source_key) as is_there
  from given left join added using (user_id, id)
 order by place
