-- The table of memories, if there is none yet. An existing one is used as it was found, if it has what we need: its
-- columns, policies and rights are never changed; we only add indexes.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

-- pgvector's names are resolved once, here, in whichever of the usual schemas it is installed.
set local search_path = pg_catalog, public, extensions;

-- What keeps a memory from being a pattern of ours; null if nothing does. Any key of metadata may be missing, and keys
-- that we do not know are left alone. The sizes are those of behavior_patterns, to which a memory can be moved.
-- What cannot be parsed is a problem, not an error: another program's row must not abort a query over all rows.
-- The indexes of 0203 store its answers: whoever changes it must rebuild them.
create or replace function behavior.workflow_problem(content text, metadata jsonb) returns text
    language plpgsql immutable cost 1000 set search_path = '' set timezone = 'UTC' set datestyle = 'ISO'
as $$
declare
    work jsonb;
begin
    work := content::jsonb;
    return case
        when jsonb_typeof(work) is distinct from 'object' then 'its content is not a JSON object'
        when jsonb_typeof(metadata) is distinct from 'object' then 'its metadata is not a JSON object'
        when jsonb_typeof(work -> 'trigger') is distinct from 'string' then 'its trigger is not a string'
        when work ->> 'trigger' !~ '\S' then 'its trigger is blank'
        when octet_length(work ->> 'trigger') > 32768 then 'its trigger is too long'
        when jsonb_typeof(work -> 'actions') is distinct from 'array' then 'its actions are not a list'
        when pg_column_size(work -> 'actions') > 4194304 then 'its actions are too long'
        when coalesce(work ->> 'outcome', '') not in ('success', 'partial', 'failed') then 'its outcome is unknown'
        when jsonb_typeof(coalesce(metadata -> 'context', '{}')) <> 'object' then 'its context is not an object'
        when pg_column_size(metadata -> 'context') > 262144 then 'its context is too long'
        when jsonb_typeof(coalesce(metadata -> 'provenance', '{}')) <> 'object' then 'its provenance is not an object'
        when pg_column_size(metadata -> 'provenance') > 65536 then 'its provenance is too long'
        when work @? '$.**{64}' or metadata @? '$.**{64}' then 'it is nested too deeply'
        when (metadata ->> 'confidence')::float8 not between 0 and 1 then 'its confidence is not from 0 to 1'
        when (metadata ->> 'use_count')::integer < 0 then 'its use_count is below 0'
        when (metadata ->> 'schema_version')::smallint < 1 then 'its schema_version is below 1'
        -- Python can represent no others: a single date outside this range would abort a query over all rows.
        when not '[0001-01-02 00:00+00, 9999-12-30 00:00+00]'::tstzrange
                 @> all (array[coalesce((metadata ->> 'started_at')::timestamptz, 'epoch'),
                               coalesce((metadata ->> 'updated_at')::timestamptz, 'epoch'),
                               coalesce((metadata ->> 'last_used_at')::timestamptz, 'epoch')])
        then 'it has a date out of range'
        when octet_length(metadata ->> 'source_key') not between 1 and 200 then 'its source_key is empty or too long'
        when octet_length(metadata ->> 'session_id') > 200 then 'its session_id is too long'
        -- These two are keys of an index, whose entries hold at most 2,704 bytes.
        when octet_length(metadata ->> 'project') > 2000 then 'its project is too long'
        when octet_length(metadata ->> 'embedding_model') not between 1 and 200
        then 'its embedding_model is empty or too long'
    end;
exception when others then
    return case when work is null then 'its content is not JSON' else 'its metadata has a value of the wrong type' end;
end
$$;
-- Not revoked from public: whoever writes a memory runs it, since indexes and a check constraint call it.

do $$
declare
    wanted   constant text[] := array[
        ['id', 'uuid'], ['user_id', 'uuid'], ['type', 'text'], ['content', 'text'], ['metadata', 'jsonb'],
        ['embedding', 'vector(1536)'], ['created_at', 'timestamp with time zone']];
    problems text[];
begin
    if to_regclass('public.memories') is null then
        create table public.memories (
            id         uuid        not null default gen_random_uuid(),
            user_id    uuid        not null references auth.users (id) on delete cascade,
            type       text        not null,
            content    text        not null,
            metadata   jsonb       not null default '{}'::jsonb check (jsonb_typeof(metadata) = 'object'),
            embedding  vector(1536),
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now(),
            -- The user comes first in every key, so that the table can be partitioned by user, or spread over machines.
            primary key (user_id, id),
            constraint memories_workflow_check
                 check (type <> 'workflow' or behavior.workflow_problem(content, metadata) is null),
            -- The distance to a zero vector is not a number.
            check (embedding is null or vector_norm(embedding) > 0)
        ) with (fillfactor = 90);
        -- Out-of-line vectors make an exact scan 3 to 12 times slower.
        alter table public.memories alter column embedding set storage plain;
        -- Next to so long a vector it would move out of line, and a search by project would fetch it row by row.
        alter table public.memories alter column metadata set storage main;
        -- No statistics: the planner's estimates draw on everybody's values, and EXPLAIN shows them to anybody.
        execute (select 'alter table public.memories '
                        || string_agg(format('alter column %I set statistics 0', attname), ', ')
                   from pg_attribute
                  where attrelid = 'public.memories'::regclass and attnum > 0 and not attisdropped);
        comment on table public.memories is
            'Made by behavior-plugin: patterns have type workflow, other programs may use other types';
        comment on column public.memories.content is 'Of a workflow: JSON text with trigger, actions and outcome';
        comment on column public.memories.metadata is 'Of a workflow: confidence, use_count, context and more';
        comment on column public.memories.embedding is 'Of a workflow: of its trigger, by metadata.embedding_model';
    end if;
    if obj_description('public.memories'::regclass) like 'Made by behavior-plugin%' then
        return;
    end if;

    with found as (
        select attname::text as name, format_type(atttypid, atttypmod) as type, attgenerated <> '' as is_computed,
               not (attnotnull and not atthasdef and attidentity = '') as is_optional, atthasdef as has_default
          from pg_attribute
         where attrelid = 'public.memories'::regclass and attnum > 0 and not attisdropped
    ), needed as (
        select wanted[number][1] as name, wanted[number][2] as type from generate_subscripts(wanted, 1) number
    )
    select array_agg(problem) into problems from (
        select 'it is not a table'
          from pg_class where oid = 'public.memories'::regclass and relkind not in ('r', 'p')
        union all
        select format('column %s is %s, and must be %s', name,
                      case when is_computed then 'computed' else coalesce(found.type, 'missing') end, needed.type)
          from needed left join found using (name)
         where found.type is distinct from needed.type or is_computed
        union all
        select format('column %s has no default', name)
          from found where name in ('id', 'created_at') and not has_default
        union all
        select format('column %s must be given and has no default', name)
          from found where not is_optional and name not in (select name from needed)
        union all
        select 'row level security is not enabled'
          from pg_class where oid = 'public.memories'::regclass and not relrowsecurity
        union all
        select format('authenticated may not %s %s', lower(verb), name)
          from found join needed using (name),
               (values ('SELECT', wanted[1:7][1:1]), ('INSERT', '{user_id,type,content,metadata,embedding}'),
                       ('UPDATE', '{content,metadata,embedding}')) rights (verb, names)
         where name = any (names) and not has_column_privilege('authenticated', 'public.memories', name, verb)
        union all
        select 'authenticated may not delete'
         where not has_table_privilege('authenticated', 'public.memories', 'DELETE')
    ) as found_wrong (problem);
    if problems is not null then
        raise exception 'public.memories exists and cannot be used as it is: %', array_to_string(problems, '; ')
              using hint = 'Nothing was changed. Fix the table, or write storage = "behavior_patterns" into config.toml.';
    end if;
end
$$;

insert into behavior.migrations (version, name) values (201, 'memories') on conflict do nothing;
commit;
