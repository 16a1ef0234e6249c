-- Patterns as memories: how they are written and read, and what finds them fast. Other workflows are passed over.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);
set local search_path = pg_catalog, public, extensions;

-- The guide's two indexes, corrected. Other programs' writes must not fail for them: confidence is compared as JSON,
-- since a cast can fail, and what is too long for an index is left out of it.
create index if not exists memories_type_workflow_idx
    on public.memories (user_id, created_at desc) where type = 'workflow';
create index if not exists memories_workflow_confidence_idx
    on public.memories (user_id, (metadata -> 'confidence') desc)
 where type = 'workflow' and octet_length(metadata ->> 'confidence') <= 200;
-- The same work is stored once, however often it is delivered.
create unique index if not exists memories_workflow_source_key_idx
    on public.memories (user_id, (metadata ->> 'source_key'))
 where type = 'workflow' and octet_length(metadata ->> 'source_key') <= 200;
-- What a search uses. Its condition was evaluated when the row was written, and is not evaluated again.
create index if not exists memories_workflow_model_idx
    on public.memories (user_id, (metadata ->> 'embedding_model'), (metadata ->> 'project'))
 where type = 'workflow' and behavior.workflow_problem(content, metadata) is null;

drop view if exists behavior.workflows;
drop function if exists behavior.find_similar_workflows(vector, text, float8, integer, text);
drop function if exists behavior.count_workflow_use(uuid);
drop function if exists behavior.pattern_row(public.memories);
drop function if exists behavior.must_be_workflow(text, jsonb, vector);
drop function if exists behavior.from_memory(text, jsonb);
drop function if exists behavior.to_memory(jsonb);
drop function if exists behavior.python_date(timestamptz);

-- A date, or null if Python cannot represent it; those in metadata are checked by workflow_problem().
create function behavior.python_date(date timestamptz) returns timestamptz
    language sql immutable set search_path = ''
    return case when date between '0001-01-02 00:00+00' and '9999-12-30 00:00+00' then date end;

-- Reading: one row, or none if it is not a pattern of ours.
create function behavior.from_memory(content text, metadata jsonb) returns table (
    trigger         text,
    actions         jsonb,
    final_outcome   text,
    context         jsonb,
    confidence      float8,
    use_count       integer,
    source_key      text,
    session_id      text,
    project         text,
    embedding_model text,
    provenance      jsonb,
    schema_version  smallint,
    last_used_at    timestamptz,
    started_at      timestamptz,
    updated_at      timestamptz
)
    language sql stable rows 1 security invoker set search_path = '' set timezone = 'UTC' set datestyle = 'ISO'
begin atomic
    select work ->> 'trigger', work -> 'actions', work ->> 'outcome', coalesce(metadata -> 'context', '{}'),
           coalesce((metadata ->> 'confidence')::float8, 0.7), coalesce((metadata ->> 'use_count')::integer, 0),
           metadata ->> 'source_key', coalesce(metadata ->> 'session_id', ''), coalesce(metadata ->> 'project', ''),
           metadata ->> 'embedding_model', coalesce(metadata -> 'provenance', '{}'),
           coalesce((metadata ->> 'schema_version')::smallint, 1::smallint), (metadata ->> 'last_used_at')::timestamptz,
           (metadata ->> 'started_at')::timestamptz, (metadata ->> 'updated_at')::timestamptz
      -- "offset 0" has the content parsed once, and "case" only if it can be.
      from (select case when behavior.workflow_problem(content, metadata) is null then content::jsonb end as work
             offset 0) as read
     where work is not null;
end;

-- Writing: the content and metadata of a pattern, whose keys are the columns of behavior_patterns. Whatever else
-- pattern_row found in a memory is under provenance.memory, and returns to its old place.
create function behavior.to_memory(pattern jsonb) returns table (content text, metadata jsonb)
    language sql stable rows 1 security invoker set search_path = '' set timezone = 'UTC'
begin atomic
    select (coalesce(kept -> 'content', '{}')
            || jsonb_build_object('trigger', pattern -> 'trigger', 'actions', pattern -> 'actions',
                                  'outcome', pattern -> 'final_outcome'))::text,
           coalesce(kept -> 'metadata', '{}')
           || jsonb_build_object(
                  'confidence', pattern -> 'confidence',
                  'use_count', coalesce(pattern -> 'use_count', '0'),
                  'context', pattern -> 'context',
                  'source_key', pattern -> 'source_key',
                  'session_id', pattern -> 'session_id',
                  'project', pattern -> 'project',
                  'embedding_model', pattern -> 'embedding_model',
                  'last_used_at', (pattern ->> 'last_used_at')::timestamptz,
                  'started_at', (pattern ->> 'started_at')::timestamptz,
                  'updated_at', coalesce((pattern ->> 'updated_at')::timestamptz, now()),
                  'provenance', (pattern -> 'provenance') - 'memory',
                  'schema_version', coalesce(pattern -> 'schema_version', '1'))
           || case when kept ? 'columns' then jsonb_build_object('columns', kept -> 'columns') else '{}' end
      from (select coalesce(pattern #> '{provenance,memory}', '{}') as kept) as given;
end;

-- A memory as a row of behavior_patterns, with nothing left out; null if it is not a pattern of ours. A vector whose
-- model nobody named is stored under the model "unknown", which no search asks for.
create function behavior.pattern_row(memory public.memories) returns jsonb
    language sql stable security invoker set search_path = '' set timezone = 'UTC'
begin atomic
    select jsonb_build_object(
               'id', memory.id,
               'user_id', memory.user_id,
               'source_key', coalesce(read.source_key, memory.id::text),
               'session_id', read.session_id,
               'project', read.project,
               'trigger', read.trigger,
               'trigger_embedding', columns ->> 'embedding',
               'embedding_model', case when memory.embedding is not null
                                       then coalesce(read.embedding_model, 'unknown') end,
               'context', read.context,
               'actions', read.actions,
               'final_outcome', read.final_outcome,
               'confidence', read.confidence,
               'use_count', read.use_count,
               'last_used_at', read.last_used_at,
               'provenance', read.provenance || case when beside.memory is null then '{}'
                                                     else jsonb_build_object('memory', beside.memory) end,
               'schema_version', read.schema_version,
               'started_at', coalesce(read.started_at, behavior.python_date(memory.created_at)),
               'created_at', behavior.python_date(memory.created_at),
               'updated_at', coalesce(read.updated_at, behavior.python_date((columns ->> 'updated_at')::timestamptz),
                                      behavior.python_date(memory.created_at)))
      from behavior.from_memory(memory.content, memory.metadata) as read,
           to_jsonb(memory) as columns,
           lateral (select jsonb_object_agg(part, kept) as memory
                      from (values
                               ('content', memory.content::jsonb - array['trigger', 'actions', 'outcome']),
                               ('metadata', memory.metadata - array[
                                   'confidence', 'use_count', 'context', 'source_key', 'session_id', 'project',
                                   'embedding_model', 'last_used_at', 'started_at', 'updated_at', 'provenance',
                                   'schema_version', 'columns']),
                               ('columns', coalesce(memory.metadata -> 'columns', '{}')
                                           || (select coalesce(jsonb_object_agg(key, value), '{}')
                                                 from jsonb_each(columns - array[
                                                          'id', 'user_id', 'type', 'content', 'metadata', 'embedding',
                                                          'created_at', 'updated_at'])
                                                where value <> 'null'))
                           ) as parts (part, kept)
                     where kept <> '{}') as beside;
end;

-- What behavior_patterns refuses by its checks is refused here when it is saved, even if the table is not ours.
create or replace function behavior.refuse(problem text) returns boolean
    language plpgsql immutable set search_path = ''
as $$
begin
    raise check_violation using message = 'not a pattern: ' || problem, constraint = 'memories_workflow_check';
end
$$;

create function behavior.must_be_workflow(content text, metadata jsonb, embedding vector) returns boolean
    language sql stable security invoker set search_path = ''
begin atomic
    select case when problem is null then true else behavior.refuse(problem) end
      from (select case
                       when vector_norm(embedding) = 0 then 'its vector is zero'
                       when (embedding is null) <> (metadata ->> 'embedding_model' is null)
                       then 'it has a vector without a model, or a model without a vector'
                       else behavior.workflow_problem(content, metadata)
                   end as problem) as found;
end;

-- The counterpart of public.find_similar_patterns, and as careful.
create function behavior.find_similar_workflows(
    query_embedding vector,
    query_model     text,
    match_threshold float8  default 0.7,
    match_count     integer default 5,
    in_project      text    default null
) returns table (
    id            uuid,
    trigger       text,
    context       jsonb,
    actions       jsonb,
    final_outcome text,
    confidence    float8,
    use_count     integer,
    similarity    float8,
    last_used_at  timestamptz,
    created_at    timestamptz,
    started_at    timestamptz,
    session_id    text,
    source_key    text,
    provenance    jsonb
)
    language sql stable security invoker set search_path = ''
begin atomic
    -- Ties are broken out here, over the few rows found: a second sort key inside would switch a vector index off.
    -- "distance <= ..." is false if the distance is NaN, unless the threshold is NaN too.
    select found.id, read.trigger, read.context, read.actions, read.final_outcome, read.confidence, read.use_count,
           1 - found.distance, read.last_used_at, found.created_at, coalesce(read.started_at, found.created_at),
           read.session_id, coalesce(read.source_key, found.id::text), read.provenance
      from ((select m.id, m.content, m.metadata, behavior.python_date(m.created_at) as created_at,
                    m.embedding <=> query_embedding as distance
               from public.memories m
              where in_project is null
                and m.user_id = (select behavior.caller())
                and m.type = 'workflow'
                and behavior.workflow_problem(m.content, m.metadata) is null
                and m.metadata ->> 'embedding_model' = query_model
              order by m.embedding <=> query_embedding
              limit least(greatest(coalesce(match_count, 5), 0), 50))
            union all
            -- A branch of its own, since no index can be searched by "in_project is null or ...".
            (select m.id, m.content, m.metadata, behavior.python_date(m.created_at),
                    m.embedding <=> query_embedding
               from public.memories m
              where m.user_id = (select behavior.caller())
                and m.type = 'workflow'
                and behavior.workflow_problem(m.content, m.metadata) is null
                and m.metadata ->> 'embedding_model' = query_model
                and m.metadata ->> 'project' = in_project
              order by m.embedding <=> query_embedding
              limit least(greatest(coalesce(match_count, 5), 0), 50))) found
           cross join lateral behavior.from_memory(found.content, found.metadata) as read
     where found.distance <= 1 - match_threshold and match_threshold <> 'NaN'
     order by found.distance, coalesce(read.started_at, found.created_at) desc, found.id;
end;

create function behavior.count_workflow_use(memory_id uuid) returns boolean
    language sql volatile security invoker set search_path = '' set timezone = 'UTC'
begin atomic
    with counted as (
        update public.memories
           set metadata = metadata || jsonb_build_object(
                   'use_count', least(coalesce((metadata ->> 'use_count')::bigint, 0) + 1, 2147483647),
                   'last_used_at', now())
         where id = memory_id
           and user_id = (select behavior.caller())
           and type = 'workflow'
           and behavior.workflow_problem(content, metadata) is null
        returning id
    )
    select exists (select from counted);
end;

create view behavior.workflows with (security_invoker = true) as
select m.id, m.user_id, coalesce(read.source_key, m.id::text) as source_key, read.session_id, read.project,
       read.trigger, read.context, read.actions, read.final_outcome, read.confidence, read.use_count,
       read.last_used_at, read.provenance, coalesce(read.started_at, behavior.python_date(m.created_at)) as started_at,
       behavior.python_date(m.created_at) as created_at
  from public.memories m
       cross join lateral behavior.from_memory(m.content, m.metadata) as read
 where m.type = 'workflow';
comment on view behavior.workflows is 'The memories that are patterns of ours';

revoke all on table behavior.workflows from public, anon, authenticated, service_role;
grant select on table behavior.workflows to authenticated, service_role;
do $$
declare
    made regprocedure;
begin
    foreach made in array array[
        'behavior.python_date(timestamptz)', 'behavior.from_memory(text, jsonb)', 'behavior.to_memory(jsonb)',
        'behavior.pattern_row(public.memories)', 'behavior.refuse(text)',
        'behavior.must_be_workflow(text, jsonb, vector)',
        'behavior.find_similar_workflows(vector, text, float8, integer, text)', 'behavior.count_workflow_use(uuid)'
    ]::regprocedure[] loop
        execute format('revoke all on function %s from public, anon', made);
        execute format('grant execute on function %s to authenticated, service_role', made);
    end loop;
end
$$;

insert into behavior.migrations (version, name) values (203, 'workflows') on conflict do nothing;
commit;
