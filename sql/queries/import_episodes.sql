-- Store exported episodes unchanged, as those of one user if one is named. Episodes that are stored already stay as they
-- are. The patterns of their projects are computed again. Returns for each whether it was added; `is_there` is always
-- true, since each is stored now.
with given as (
    select place, kept.*
      from unnest(%(lines)s::jsonb[]) with ordinality as lines (line, place)
           cross join lateral jsonb_populate_record(
               null::behavior.episodes,
               line || jsonb_strip_nulls(jsonb_build_object('user_id', %(user_id)s::uuid))) as kept
), added as (
    insert into behavior.episodes
           (user_id, source_key, part_of, session_id, project, trigger, trigger_embedding, embedding_model, turns,
            outcome, because, digest, pattern_key, is_folded, turn_starts, use_count, last_used_at, schema_version,
            redaction_version, started_at, created_at, updated_at)
    select user_id, source_key, part_of, session_id, project, trigger, trigger_embedding, embedding_model, turns,
           outcome, because, digest, pattern_key, false, turn_starts, use_count, last_used_at, schema_version,
           coalesce(redaction_version, 1), started_at, created_at, updated_at
      from given
        on conflict do nothing
    returning user_id, source_key
)
select given.user_id, given.source_key, added.source_key is not null as is_added, true as is_there
  from given left join added using (user_id, source_key)
 order by place
