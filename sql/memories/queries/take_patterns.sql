-- Make evidence of some of the caller's patterns of an earlier version, which stored each prompt as a pattern of its own.
-- Returns their number; none are left if it is 0. Work that is stored as evidence already keeps its own account.
-- A memory to which somebody has added something stays as it is. Blank columns of another program's table, and those
-- that the server fills, are nothing added.
with old as materialized (
    select m.id, pattern
      from public.memories m
           cross join lateral (select behavior.pattern_row(m) as pattern offset 0) as here
     where m.user_id = (select behavior.caller())
       and m.type = 'workflow'
       and behavior.workflow_problem(m.content, m.metadata) is null
       and m.metadata #>> '{workflow,job}' is null
       and m.metadata ->> 'session_id' <> ''
       and m.metadata -> 'provenance' ? 'version'
       and m.metadata ->> 'source_key' <> ''
       and m.metadata ->> 'started_at' <> ''
       and not coalesce(pattern #> '{provenance,memory}', '{}') ?| '{content,metadata}'
       and not exists (select
                         from jsonb_each(coalesce(pattern #> '{provenance,memory,columns}', '{}')) as beside (name, kept)
                        where kept not in ('""', '0', 'false', '[]', '{}')
                          and name <> all (array(select attname::text
                                                   from pg_attribute
                                                  where attrelid = 'public.memories'::regclass
                                                    and (attgenerated <> '' or attidentity <> ''))))
     limit %(limit)s
), taken as (
    delete from public.memories m
     using old
     where m.user_id = (select behavior.caller())
       and m.id = old.id
    returning old.pattern, m.embedding
), added as (
    insert into behavior.episodes as kept
           (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, turns, outcome,
            turn_starts, use_count, last_used_at, started_at, created_at)
    select (pattern ->> 'user_id')::uuid, pattern ->> 'source_key', pattern ->> 'session_id', pattern ->> 'project',
           pattern ->> 'trigger', embedding, pattern ->> 'embedding_model',
           behavior.turn_of(pattern ->> 'source_key', pattern ->> 'session_id', pattern ->> 'trigger',
                            (pattern ->> 'started_at')::timestamptz, pattern -> 'context', pattern -> 'actions',
                            pattern ->> 'final_outcome', (pattern -> 'provenance') - 'memory'),
           pattern ->> 'final_outcome', array[(pattern ->> 'started_at')::timestamptz],
           (pattern ->> 'use_count')::integer, (pattern ->> 'last_used_at')::timestamptz,
           (pattern ->> 'started_at')::timestamptz, coalesce((pattern ->> 'created_at')::timestamptz, now())
      from taken
        on conflict (user_id, source_key) do update
       set use_count = least(kept.use_count::bigint + excluded.use_count, 2147483647)::integer,
           last_used_at = greatest(kept.last_used_at, excluded.last_used_at),
           is_folded = false
)
select count(*) as taken from taken
