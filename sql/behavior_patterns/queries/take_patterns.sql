-- Make evidence of some of the caller's patterns of an earlier version, which stored each prompt as a pattern of its own.
-- Returns their number; none are left if it is 0. Work that is stored as evidence already keeps its own account.
with taken as (
    delete from public.behavior_patterns
     where user_id = (select behavior.caller())
       and id in (select id
                    from public.behavior_patterns
                   where user_id = (select behavior.caller())
                     and workflow is null
                     and session_id <> ''
                     and provenance ? 'version'
                     and not provenance ? 'memory'
                   limit %(limit)s)
    returning *
), added as (
    insert into behavior.episodes as kept
           (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, turns, outcome,
            turn_starts, use_count, last_used_at, started_at, created_at)
    select user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model,
           behavior.turn_of(source_key, session_id, trigger, started_at, context, actions, final_outcome, provenance),
           final_outcome, array[started_at], use_count, last_used_at, started_at, created_at
      from taken
        on conflict (user_id, source_key) do update
       set use_count = least(kept.use_count::bigint + excluded.use_count, 2147483647)::integer,
           last_used_at = greatest(kept.last_used_at, excluded.last_used_at),
           is_folded = false
)
select count(*) as taken from taken
