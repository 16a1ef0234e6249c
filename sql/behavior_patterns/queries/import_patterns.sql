-- Store exported rows unchanged, as the rows of one user if one is named. Rows that are stored already stay as they
-- are. Returns for each row whether it was added, and whether its work was stored before.
with given as (
    select place, kept.*
      from unnest(%(lines)s::jsonb[]) with ordinality as lines (line, place)
           cross join lateral jsonb_populate_record(
               null::public.behavior_patterns,
               line || jsonb_strip_nulls(jsonb_build_object('user_id', %(user_id)s::uuid))) as kept
), added as (
    insert into public.behavior_patterns
           (user_id, id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
            final_outcome, confidence, use_count, last_used_at, provenance, workflow, schema_version, started_at,
            created_at, updated_at)
    select user_id, id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
           final_outcome, confidence, use_count, last_used_at, provenance, workflow, schema_version, started_at,
           created_at, updated_at
      from given
        on conflict do nothing
    returning user_id, id
)
select given.user_id, given.id, added.id is not null as is_added,
       exists (select from public.behavior_patterns there
                where there.user_id = given.user_id and there.source_key = given.source_key) as is_there
  from given left join added using (user_id, id)
 order by place
