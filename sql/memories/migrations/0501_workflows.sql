-- Patterns become workflows: metadata.workflow has what the episodes of a job have in common. The search finds a pattern
-- by the nearest of its triggers, which are with the episodes. A key "workflow" without a job is another program's own.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);
set local search_path = pg_catalog, public, extensions;

-- Writing: the content and metadata of a pattern, whose keys are the columns of behavior_patterns. Whatever else
-- pattern_row found in a memory is under provenance.memory, and returns to its old place.
create or replace function behavior.to_memory(pattern jsonb) returns table (content text, metadata jsonb)
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
           || case when pattern -> 'workflow' <> 'null' then jsonb_build_object('workflow', pattern -> 'workflow')
                   else '{}' end
           || case when kept ? 'columns' then jsonb_build_object('columns', kept -> 'columns') else '{}' end
      from (select coalesce(pattern #> '{provenance,memory}', '{}') as kept) as given;
end;

-- A memory as a row of behavior_patterns, with nothing left out; null if it is not a pattern of ours. A vector whose
-- model nobody named is stored under the model "unknown", which no search asks for.
create or replace function behavior.pattern_row(memory public.memories) returns jsonb
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
               'workflow', case when memory.metadata #>> '{workflow,job}' is not null
                                then memory.metadata -> 'workflow' end,
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
                                   'schema_version', 'columns',
                                   case when memory.metadata #>> '{workflow,job}' is not null then 'workflow' end]),
                               ('columns', coalesce(memory.metadata -> 'columns', '{}')
                                           || (select coalesce(jsonb_object_agg(key, value), '{}')
                                                 from jsonb_each(columns - array[
                                                          'id', 'user_id', 'type', 'content', 'metadata', 'embedding',
                                                          'created_at', 'updated_at'])
                                                where value <> 'null'))
                           ) as parts (part, kept)
                     where kept <> '{}') as beside;
end;

-- The counterpart of public.find_similar_patterns, and as careful. A pattern has the vector of one of its triggers; the
-- vectors of all are with the episodes.
drop function if exists behavior.find_similar_workflows(vector, text, float8, integer, text);
create function behavior.find_similar_workflows(
    query_embedding vector,
    query_model     text,
    match_threshold float8  default 0.7,
    match_count     integer default 5,
    in_project      text    default null
) returns table (
    id              uuid,
    trigger         text,
    context         jsonb,
    actions         jsonb,
    final_outcome   text,
    confidence      float8,
    use_count       integer,
    similarity      float8,
    last_used_at    timestamptz,
    created_at      timestamptz,
    started_at      timestamptz,
    session_id      text,
    source_key      text,
    provenance      jsonb,
    workflow        jsonb,
    nearest_trigger text,
    -- Of its triggers among the 40 nearest of all: how much of the neighbourhood is this pattern's.
    trigger_similarities float8[]
)
    language sql stable security invoker set search_path = ''
begin atomic
    with nearest as (
        (select m.id, m.embedding <=> query_embedding as distance
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
        (select m.id, m.embedding <=> query_embedding
           from public.memories m
          where m.user_id = (select behavior.caller())
            and m.type = 'workflow'
            and behavior.workflow_problem(m.content, m.metadata) is null
            and m.metadata ->> 'embedding_model' = query_model
            and m.metadata ->> 'project' = in_project
          order by m.embedding <=> query_embedding
          limit least(greatest(coalesce(match_count, 5), 0), 50))
    ), triggers as materialized (
        select e.source_key
          from behavior.episodes e
         where e.user_id = (select behavior.caller())
           and e.embedding_model = query_model
           and (in_project is null or e.project = in_project)
           and e.pattern_key <> ''
           and e.trigger_bits is not null  -- a model may have failed to embed it
         order by (e.trigger_bits <~> binary_quantize(query_embedding)::bit(1536)) + 0
         limit 500
    ), near as materialized (
        -- One row at a time, by its key: as a join, the planner would read all episodes.
        select e.pattern_key, e.trigger, e.distance
          from triggers
               cross join lateral (
                   select episodes.pattern_key, episodes.trigger,
                          episodes.trigger_embedding <=> query_embedding as distance
                     from behavior.episodes
                    where episodes.user_id = (select behavior.caller())
                      and episodes.source_key = triggers.source_key
                    limit 1) e
    ), told as (
        select distinct on (near.pattern_key) near.pattern_key, near.trigger, near.distance
          from near
         order by near.pattern_key, near.distance, near.trigger
    ), shares as materialized (
        select neighbours.pattern_key, array_agg(1 - neighbours.distance order by neighbours.distance) as similarities
          from (select near.pattern_key, near.distance from near order by near.distance limit 40) neighbours
         group by neighbours.pattern_key
    ), compared as (
        select nearest.id, nearest.distance, null::text as trigger from nearest
        union all
        -- Under a policy no index over metadata can be used: the user's patterns are read once, for all triggers.
        select m.id, told.distance, told.trigger
          from public.memories m join told on told.pattern_key = m.metadata ->> 'source_key'
         where m.user_id = (select behavior.caller())
           and m.type = 'workflow'
    ), best as (
        select distinct on (compared.id) compared.id, compared.distance, compared.trigger
          from compared
         order by compared.id, compared.distance, compared.trigger nulls last
    )
    -- "distance <= ..." is false if the distance is NaN, unless the threshold is NaN too.
    select m.id, read.trigger, read.context, read.actions, read.final_outcome, read.confidence, read.use_count,
           1 - best.distance, read.last_used_at, behavior.python_date(m.created_at),
           coalesce(read.started_at, behavior.python_date(m.created_at)), read.session_id,
           coalesce(read.source_key, m.id::text), read.provenance,
           case when m.metadata #>> '{workflow,job}' is not null then m.metadata -> 'workflow' end,
           coalesce(best.trigger, read.trigger),
           (select shares.similarities from shares where shares.pattern_key = read.source_key)
      from best
           join public.memories m on m.user_id = (select behavior.caller()) and m.id = best.id
           cross join lateral behavior.from_memory(m.content, m.metadata) as read
     where best.distance <= 1 - match_threshold and match_threshold <> 'NaN'
     order by best.distance, coalesce(read.started_at, behavior.python_date(m.created_at)) desc, m.id
     limit least(greatest(coalesce(match_count, 5), 0), 50);
end;

create or replace view behavior.workflows with (security_invoker = true) as
select m.id, m.user_id, coalesce(read.source_key, m.id::text) as source_key, read.session_id, read.project,
       read.trigger, read.context, read.actions, read.final_outcome, read.confidence, read.use_count,
       read.last_used_at, read.provenance, coalesce(read.started_at, behavior.python_date(m.created_at)) as started_at,
       behavior.python_date(m.created_at) as created_at,
       case when m.metadata #>> '{workflow,job}' is not null then m.metadata -> 'workflow' end as workflow
  from public.memories m
       cross join lateral behavior.from_memory(m.content, m.metadata) as read
 where m.type = 'workflow';

revoke all on function behavior.find_similar_workflows(vector, text, float8, integer, text) from public, anon;
grant execute on function behavior.find_similar_workflows(vector, text, float8, integer, text)
   to authenticated, service_role;

insert into behavior.migrations (version, name) values (501, 'workflows') on conflict do nothing;
commit;
