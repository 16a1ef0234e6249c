-- The table of patterns: one row for each piece of work.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

-- pgvector's names are resolved once, here, in whichever of the usual schemas it is installed.
set local search_path = pg_catalog, public, extensions;

create table if not exists public.behavior_patterns (
    id                uuid        not null default gen_random_uuid(),
    user_id           uuid        not null references auth.users (id) on delete cascade,
    source_key        text        not null default gen_random_uuid()::text
                                  check (octet_length(source_key) between 1 and 200),
    session_id        text        not null default '' check (octet_length(session_id) <= 200),
    project           text        not null default '' check (octet_length(project) <= 2000),
    trigger           text        not null check (trigger ~ '\S' and octet_length(trigger) <= 32768),
    trigger_embedding vector(1536),
    embedding_model   text        check (octet_length(embedding_model) between 1 and 200),
    -- The sign of each number: 200 bytes that say which of a user's vectors are worth comparing (0103_functions.sql).
    trigger_bits      bit(1536)   generated always as (binary_quantize(trigger_embedding)::bit(1536)) stored,
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
    -- The user comes first in every key, so that the table can be partitioned by user, or spread over machines.
    primary key (user_id, id),
    unique (user_id, source_key),
    -- Vectors of different models must never be compared, and the distance to a zero vector is not a number.
    check ((trigger_embedding is null) = (embedding_model is null)),
    check (trigger_embedding is null or vector_norm(trigger_embedding) > 0),
    -- Python can read no others, and one such row would abort a query over all of a user's rows.
    check ('[0001-01-02 00:00+00, 9999-12-30 00:00+00]'::tstzrange
           @> all (array[started_at, created_at, updated_at, coalesce(last_used_at, 'epoch')])),
    check (not (context @? '$.**{64}' or actions @? '$.**{64}' or provenance @? '$.**{64}'))
)
-- Room on each page for one more version of a row, which is at most 2 kB without its vector, so that counting a use
-- touches no index.
with (fillfactor = 75);

-- Out of line: 6 kB in the row would leave no room for a second version, and counting a use would copy them. Floats
-- like these do not compress.
alter table public.behavior_patterns alter column trigger_embedding set storage external;
-- Inline and uncompressed: otherwise every search would decompress all of a user's bits.
alter table public.behavior_patterns alter column trigger_bits set storage plain;

-- No statistics: the planner's estimates draw on everybody's values, and EXPLAIN shows them to anybody, so that a text
-- of another user's could be guessed letter by letter.
do $$
begin
    execute (select 'alter table public.behavior_patterns ' || string_agg(format('alter column %I set statistics 0', attname), ', ')
               from pg_attribute
              where attrelid = 'public.behavior_patterns'::regclass and attnum > 0 and not attisdropped);
end
$$;

comment on table public.behavior_patterns is 'Stores learned workflow patterns for behavior intelligence';
comment on column public.behavior_patterns.source_key is 'The same for the same work, however often it is delivered';
comment on column public.behavior_patterns.project is 'The repository the work belongs to; recall stays inside it';
comment on column public.behavior_patterns.trigger is 'The task/prompt that initiated this workflow';
comment on column public.behavior_patterns.trigger_embedding is 'Vector embedding for semantic search';
comment on column public.behavior_patterns.trigger_bits is 'The signs of trigger_embedding, for a first, rough search';
comment on column public.behavior_patterns.embedding_model is 'The model that made trigger_embedding';
comment on column public.behavior_patterns.provenance is 'Which agent, machine, source and version it comes from';
comment on column public.behavior_patterns.schema_version is 'The shape of context, actions and provenance';
comment on column public.behavior_patterns.confidence is 'Quality score (0.0-1.0) based on outcome and user feedback';
comment on column public.behavior_patterns.use_count is 'Number of times this pattern was recalled and used';

-- The index that searches rely on: it holds each user's bits side by side, so that a search reads all of them and
-- nobody else's, 30 rows to a page instead of one. No vector index is created here: built on an empty table, it answers
-- wrongly (ivfflat then finds a third), and up to 20,000 patterns of one user none is needed. `behavior db tune` builds
-- it when it pays.
create index if not exists behavior_patterns_user_bits_idx
    on public.behavior_patterns (user_id, embedding_model, project) include (id, trigger_bits);
-- The same without the bits, 40 times smaller: for counting a user's patterns, and for nothing else. All rows are in it,
-- but only a query that says so may use it: else the planner takes it for the search too, where it has to fetch every row.
create index if not exists behavior_patterns_user_model_idx
    on public.behavior_patterns (user_id, embedding_model, project)
    where schema_version > 0;
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

-- Not on the counters: being recalled does not change a pattern.
create or replace trigger behavior_patterns_updated_at
    before update of trigger, trigger_embedding, embedding_model, context, actions, final_outcome, confidence,
                     provenance, schema_version
    on public.behavior_patterns
    for each row execute function public.update_behavior_pattern_timestamp();

insert into behavior.migrations (version, name) values (101, 'behavior_patterns') on conflict do nothing;
commit;
