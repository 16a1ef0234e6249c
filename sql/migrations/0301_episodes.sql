-- The table of evidence: one row for each piece of work in a session, whichever storage has the patterns. Patterns are
-- computed from these rows, and can be computed again.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

-- pgvector's names are resolved once, here, in whichever of the usual schemas it is installed.
set local search_path = pg_catalog, public, extensions;

create table if not exists behavior.episodes (
    user_id           uuid        not null references auth.users (id) on delete cascade,
    source_key        text        not null check (octet_length(source_key) between 1 and 200),
    part_of           text        not null default '' check (octet_length(part_of) <= 200),
    session_id        text        not null default '' check (octet_length(session_id) <= 200),
    project           text        not null default '' check (octet_length(project) <= 2000),
    trigger           text        not null check (octet_length(trigger) <= 32768),
    trigger_embedding vector(1536),
    embedding_model   text        check (octet_length(embedding_model) between 1 and 200),
    -- The sign of each number: 200 bytes that say which of a user's vectors are worth comparing.
    trigger_bits      bit(1536)   generated always as (binary_quantize(trigger_embedding)::bit(1536)) stored,
    turns             jsonb       not null check (jsonb_typeof(turns) = 'array' and pg_column_size(turns) <= 33554432),
    outcome           text        not null check (outcome in ('success', 'partial', 'failed')),
    because           text        not null default '' check (octet_length(because) <= 8192),
    digest            jsonb       not null default '{}'::jsonb
                                  check (jsonb_typeof(digest) = 'object' and pg_column_size(digest) <= 4194304),
    -- The source_key of its pattern, and whether that pattern was computed since this row has changed.
    pattern_key       text        not null default '' check (octet_length(pattern_key) <= 200),
    is_folded         boolean     not null default false,
    -- When each turn began: the same moment in two sessions shows that one is a copy of the other.
    turn_starts       timestamptz[] not null default '{}',
    -- How often it was suggested, from the time when each prompt was a pattern of its own.
    use_count         integer     not null default 0 check (use_count >= 0),
    last_used_at      timestamptz,
    schema_version    smallint    not null default 1 check (schema_version > 0),
    started_at        timestamptz not null,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    -- The user comes first in every key, so that the table can be partitioned by user, or spread over machines.
    primary key (user_id, source_key),
    -- A model without a vector has failed to embed the trigger, and need not try again.
    check (trigger_embedding is null or embedding_model is not null),
    -- The distance to a zero vector is not a number.
    check (trigger_embedding is null or vector_norm(trigger_embedding) > 0),
    -- Python can read no others, and one such row would abort a query over all of a user's rows.
    check ('[0001-01-02 00:00+00, 9999-12-30 00:00+00]'::tstzrange
           @> all (array[started_at, created_at, updated_at, coalesce(last_used_at, 'epoch')] || turn_starts)),
    -- A turn has its context and actions two levels deeper than the patterns that earlier versions stored.
    check (not (turns @? '$.**{66}' or digest @? '$.**{64}'))
);

-- As for behavior_patterns: vectors out of line and as they are, bits inline and uncompressed.
alter table behavior.episodes alter column trigger_embedding set storage external;
alter table behavior.episodes alter column trigger_bits set storage plain;

-- No statistics: the planner's estimates draw on everybody's values, and EXPLAIN shows them to anybody.
do $$
begin
    execute (select 'alter table behavior.episodes ' || string_agg(format('alter column %I set statistics 0', attname), ', ')
               from pg_attribute
              where attrelid = 'behavior.episodes'::regclass and attnum > 0 and not attisdropped);
end
$$;

comment on table behavior.episodes is 'Evidence: pieces of work as sessions recorded them. Patterns are computed from it';
comment on column behavior.episodes.source_key is 'The same for the same work, however often it is delivered';
comment on column behavior.episodes.part_of is 'The episode that this one is a part of, or empty';
comment on column behavior.episodes.turns is 'The prompts, each with its calls';
comment on column behavior.episodes.because is 'The evidence for the outcome';
comment on column behavior.episodes.digest is 'Steps, lessons and job, computed from the turns';

-- What a search reads: each user's bits side by side, as for behavior_patterns.
create index if not exists episodes_user_bits_idx
    on behavior.episodes (user_id, embedding_model, project) include (source_key, trigger_bits)
    where pattern_key <> '';
-- The same without the bits, for counting.
create index if not exists episodes_user_model_idx
    on behavior.episodes (user_id, embedding_model, project)
    where pattern_key <> '' and schema_version > 0;
create index if not exists episodes_user_session_idx
    on behavior.episodes (user_id, session_id);
create index if not exists episodes_user_started_idx
    on behavior.episodes (user_id, started_at desc);
create index if not exists episodes_user_project_idx
    on behavior.episodes (user_id, project, started_at desc);
-- The last change: each prompt asks for it.
create index if not exists episodes_user_changed_idx
    on behavior.episodes (user_id, project, updated_at desc);
create index if not exists episodes_user_pattern_idx
    on behavior.episodes (user_id, pattern_key);
create index if not exists episodes_user_unfolded_idx
    on behavior.episodes (user_id, project)
    where not is_folded;
create index if not exists episodes_user_unembedded_idx
    on behavior.episodes (user_id, started_at desc)
    where embedding_model is null and digest ->> 'job' <> '';

-- The only turn of a pattern that an earlier version stored for one prompt. It finished, unless it was left open.
create or replace function behavior.turn_of(
    source_key text, session_id text, trigger text, started_at timestamptz, context jsonb, actions jsonb,
    final_outcome text, provenance jsonb
) returns jsonb
    language sql stable security invoker set search_path = '' set timezone = 'UTC'
begin atomic
    select jsonb_build_array(jsonb_build_object(
        'source_key', source_key, 'session_id', session_id, 'prompt', trigger, 'started_at', started_at,
        'context', context, 'actions', actions, 'is_ended', final_outcome <> 'partial', 'has_follow_ups', true,
        'provenance', provenance));
end;
revoke all on function behavior.turn_of(text, text, text, timestamptz, jsonb, jsonb, text, jsonb) from public, anon;
grant execute on function behavior.turn_of(text, text, text, timestamptz, jsonb, jsonb, text, jsonb)
   to authenticated, service_role;

create or replace function behavior.update_episode_timestamp() returns trigger
    language plpgsql set search_path = ''
as $$
begin
    new.updated_at = pg_catalog.now();
    return new;
end
$$;
revoke all on function behavior.update_episode_timestamp() from public, anon, authenticated, service_role;

-- Not on what is computed from other rows.
create or replace trigger episodes_updated_at
    before update of trigger, turns, outcome, digest, schema_version
    on behavior.episodes
    for each row execute function behavior.update_episode_timestamp();

alter table behavior.episodes enable row level security;
alter table behavior.episodes force row level security;

-- TRUNCATE bypasses row level security, so everything is revoked before the little that is needed is granted.
revoke all on table behavior.episodes from public, anon, authenticated, service_role;
grant usage on schema behavior to authenticated, service_role;
grant select, insert, update, delete on table behavior.episodes to service_role;
grant select, delete on table behavior.episodes to authenticated;
grant insert (user_id, source_key, part_of, session_id, project, trigger, trigger_embedding, embedding_model, turns,
              outcome, because, digest, pattern_key, is_folded, turn_starts, use_count, last_used_at, schema_version,
              started_at, created_at)
   on table behavior.episodes to authenticated;
grant update (part_of, project, trigger, trigger_embedding, embedding_model, turns, outcome, because, digest,
              pattern_key, is_folded, turn_starts, use_count, last_used_at, schema_version, started_at)
   on table behavior.episodes to authenticated;

-- (select behavior.caller()) is evaluated once per query; without the select, once per row.
drop policy if exists own_episodes_select on behavior.episodes;
create policy own_episodes_select on behavior.episodes
    for select to authenticated using ((select behavior.caller()) = user_id);

drop policy if exists own_episodes_insert on behavior.episodes;
create policy own_episodes_insert on behavior.episodes
    for insert to authenticated with check ((select behavior.caller()) = user_id);

drop policy if exists own_episodes_update on behavior.episodes;
create policy own_episodes_update on behavior.episodes
    for update to authenticated
    using ((select behavior.caller()) = user_id) with check ((select behavior.caller()) = user_id);

drop policy if exists own_episodes_delete on behavior.episodes;
create policy own_episodes_delete on behavior.episodes
    for delete to authenticated using ((select behavior.caller()) = user_id);

insert into behavior.migrations (version, name) values (301, 'episodes') on conflict do nothing;
commit;
