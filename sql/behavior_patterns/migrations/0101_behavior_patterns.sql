-- The table of patterns: one row for each piece of work.
begin;
select pg_advisory_xact_lock(7236430166542121);

-- pgvector's names are looked up once, here, in whichever of the usual schemas it lives.
set local search_path = pg_catalog, public, extensions;

create table if not exists public.behavior_patterns (
    id                uuid        not null default gen_random_uuid(),
    user_id           uuid        not null references auth.users (id) on delete cascade,
    source_key        text        not null default gen_random_uuid()::text
                                  check (octet_length(source_key) between 1 and 200),
    session_id        text        not null default '' check (octet_length(session_id) <= 200),
    project           text        not null default '' check (octet_length(project) <= 8192),
    trigger           text        not null check (trigger ~ '\S' and octet_length(trigger) <= 32768),
    trigger_embedding vector(1536),
    embedding_model   text        check (octet_length(embedding_model) between 1 and 200),
    context           jsonb       not null default '{}'::jsonb
                                  check (jsonb_typeof(context) = 'object' and pg_column_size(context) <= 262144),
    actions           jsonb       not null default '[]'::jsonb
                                  check (jsonb_typeof(actions) = 'array' and pg_column_size(actions) <= 4194304),
    final_outcome     text        not null check (final_outcome in ('success', 'partial', 'failed')),
    confidence        float8      not null default 0.7 check (confidence >= 0 and confidence <= 1),
    use_count         integer     not null default 0 check (use_count >= 0),
    last_used_at      timestamptz,
    provenance        jsonb       not null default '{}'::jsonb
                                  check (jsonb_typeof(provenance) = 'object' and pg_column_size(provenance) <= 65536),
    schema_version    smallint    not null default 1 check (schema_version > 0),
    started_at        timestamptz not null default now(),
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    -- The user comes first in every key: so the table can be partitioned by user, or spread over machines.
    primary key (user_id, id),
    unique (user_id, source_key),
    -- Vectors of different models must never be compared, and the distance to a zero vector is not a number.
    check ((trigger_embedding is null) = (embedding_model is null)),
    check (trigger_embedding is null or vector_norm(trigger_embedding) > 0)
) with (fillfactor = 90);

-- Out-of-line vectors make an exact scan 3 to 12 times slower.
alter table public.behavior_patterns alter column trigger_embedding set storage plain;

comment on table public.behavior_patterns is 'Stores learned workflow patterns for behavior intelligence';
comment on column public.behavior_patterns.source_key is 'The same for the same work, however often it is delivered';
comment on column public.behavior_patterns.project is 'The repository the work belongs to; recall stays inside it';
comment on column public.behavior_patterns.trigger is 'The task/prompt that initiated this workflow';
comment on column public.behavior_patterns.trigger_embedding is 'Vector embedding for semantic search';
comment on column public.behavior_patterns.embedding_model is 'The model that made trigger_embedding';
comment on column public.behavior_patterns.provenance is 'Which agent, machine, source and version it comes from';
comment on column public.behavior_patterns.schema_version is 'The shape of context, actions and provenance';
comment on column public.behavior_patterns.confidence is 'Quality score (0.0-1.0) based on outcome and user feedback';
comment on column public.behavior_patterns.use_count is 'Number of times this pattern was recalled and used';

-- The most useful index there is: a small user is scanned exactly whatever the others have.
create index if not exists behavior_patterns_user_model_idx
    on public.behavior_patterns (user_id, embedding_model, project);
create index if not exists behavior_patterns_user_started_idx
    on public.behavior_patterns (user_id, started_at desc);

create or replace function public.update_behavior_pattern_timestamp() returns trigger
    language plpgsql set search_path = ''
as $$
begin
    new.updated_at = pg_catalog.now();
    return new;
end
$$;
revoke all on function public.update_behavior_pattern_timestamp() from public, anon, authenticated, service_role;

-- Not on the counters: being recalled is no change of the pattern.
create or replace trigger behavior_patterns_updated_at
    before update of trigger, trigger_embedding, embedding_model, context, actions, final_outcome, confidence,
                     provenance, schema_version
    on public.behavior_patterns
    for each row execute function public.update_behavior_pattern_timestamp();

insert into behavior.migrations (version, name) values (101, 'behavior_patterns') on conflict do nothing;
commit;
