-- Patterns become workflows: a column for what the episodes of a job have in common. The search finds a pattern by the
-- nearest of its triggers, which are with the episodes.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);
set local search_path = pg_catalog, public, extensions;
-- Load pgvector: only a superuser may set parameters of a library that is not loaded.
do $$ begin perform '[1]'::vector; end $$;

alter table public.behavior_patterns add column if not exists workflow jsonb;
alter table public.behavior_patterns alter column workflow set statistics 0;
alter table public.behavior_patterns drop constraint if exists behavior_patterns_workflow_check;
alter table public.behavior_patterns add constraint behavior_patterns_workflow_check
    check (jsonb_typeof(workflow) = 'object' and pg_column_size(workflow) <= 1048576 and not workflow @? '$.**{64}');
comment on column public.behavior_patterns.workflow is
    'Steps, lessons and odds, computed from the episodes; null in a row that a caller wrote';
grant insert (workflow, use_count, last_used_at), update (workflow, session_id, started_at)
   on table public.behavior_patterns to authenticated;

-- Not on the counters: being recalled does not change a pattern.
create or replace trigger behavior_patterns_updated_at
    before update of trigger, trigger_embedding, embedding_model, context, actions, final_outcome, confidence,
                     provenance, workflow, schema_version
    on public.behavior_patterns
    for each row execute function public.update_behavior_pattern_timestamp();

-- `behavior db tune` stores the probes of an index with the function's settings: a new function must keep them.
do $$
begin
    perform set_config('behavior.probes', coalesce(
        (select split_part(setting, '=', 2)
           from pg_proc p, unnest(p.proconfig) setting
          where p.oid = to_regproc('public.find_similar_patterns') and setting like 'ivfflat.probes=%'), ''), true);
end
$$;

drop function if exists public.find_similar_patterns;
create function public.find_similar_patterns(
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
    -- The planner does not know who is asking, and takes every user for an average one: it would read the whole table
    -- for a small user next to a large one (300 ms for 100,000 rows), or search the graph for one who is hardly in it.
    -- So the path is chosen below, by counting, and these settings keep the planner to it.
    set enable_seqscan = off
    set enable_bitmapscan = off
    set enable_sort = off
    -- Planned for the actual arguments, a search of all projects filters by none, and one of a project uses the index.
    set plan_cache_mode = force_custom_plan
    -- Before PostgreSQL 18, what is switched off counts as a huge cost, which would make compiling seem worthwhile.
    set jit = off
    -- As many as the candidates asked for; more are fetched if filtering leaves fewer. Unused without such an index.
    set hnsw.ef_search = 150
    set hnsw.iterative_scan = relaxed_order
    set ivfflat.iterative_scan = relaxed_order
begin atomic
    -- First the rows whose bits differ least, then, of these, those whose vectors are nearest; a user with fewer rows
    -- than that is compared exactly. A candidate costs 10 to 15 us, and how many are needed depends on how many are
    -- alike: of the five nearest among 1,000, mostly unlike each other, 500 candidates hold 0.996 and 200 hold 0.955;
    -- among more than 4,000, 200 hold 0.999. (Among 2,700 real prompts, 400 hold 1.000.)
    -- Reading all of one's own bits (0.25 us a row) costs the same as searching an index over everybody's (20 us a
    -- candidate, wasted on others' rows) at sqrt(15000 * all rows) own ones. Without that index nobody's rows are
    -- counted beyond 4,000.
    -- A pattern has the vector of one of its triggers, or of the only one if a caller wrote it; the vectors of all
    -- triggers are with the episodes, which have no index over everybody's bits.
    with asked as (
        -- Selected from here they are computed once per search; a generic plan would recompute them for each row.
        select binary_quantize(query_embedding)::bit(1536) as bits
    ), shared as (
        select greatest(20000, sqrt(15000 * greatest(reltuples, 0)::float8))::bigint as pays_beyond
          from pg_catalog.pg_class
         where oid = to_regclass('public.behavior_patterns_trigger_bits_idx')
    ), own as materialized (
        -- Materialized, or it would be counted again in each place that refers to it.
        select count(*) as patterns
          from (select
                  from public.behavior_patterns
                 where user_id = (select behavior.caller())
                   and embedding_model = query_model
                   and (in_project is null or project = in_project)
                   and schema_version > 0  -- always so: for the index that is made for counting
                 limit 1 + coalesce((select pays_beyond from shared), 4000)) counted
    ), counted_episodes as materialized (
        select count(*) as episodes
          from (select
                  from behavior.episodes
                 where user_id = (select behavior.caller())
                   and embedding_model = query_model
                   and (in_project is null or project = in_project)
                   and pattern_key <> ''
                   and schema_version > 0
                 limit 4001) counted
    ), way as (
        select coalesce(patterns > (select pays_beyond from shared), false) as is_shared,
               case when patterns > 4000 then 200 else 500 end as wanted
          from own
    ), candidates as (
        (select bp.id
           from public.behavior_patterns bp
          where not (select is_shared from way)
            and bp.user_id = (select behavior.caller())
            and bp.embedding_model = query_model
            and (in_project is null or bp.project = in_project)
          -- "+ 0" matches no index, so that the one over everybody's bits is never used for one's own rows.
          order by (bp.trigger_bits <~> (select bits from asked)) + 0
          limit (select wanted from way))
        union all
        (select bp.id
           from public.behavior_patterns bp
          where (select is_shared from way)
            and bp.user_id = (select behavior.caller())
            and bp.embedding_model = query_model
            and (in_project is null or bp.project = in_project)
          order by bp.trigger_bits <~> (select bits from asked)
          limit 150)
    ), triggers as materialized (
        select e.source_key
          from behavior.episodes e
         where e.user_id = (select behavior.caller())
           and e.embedding_model = query_model
           and (in_project is null or e.project = in_project)
           and e.pattern_key <> ''
           and e.trigger_bits is not null  -- a model may have failed to embed it
         order by (e.trigger_bits <~> (select bits from asked)) + 0
         limit (select case when episodes > 4000 then 200 else 500 end from counted_episodes)
    ), near as materialized (
        -- One row at a time, by its key: as a join, the planner would read all episodes of all patterns, 30 ms for 10,000.
        select e.pattern_key, e.trigger, e.distance
          from triggers
               cross join lateral (
                   select episodes.pattern_key, episodes.trigger,
                          episodes.trigger_embedding <=> query_embedding as distance
                     from behavior.episodes
                    where episodes.user_id = (select behavior.caller())
                      and episodes.source_key = triggers.source_key
                    limit 1) e
    ), nearest as (
        select distinct on (near.pattern_key) near.pattern_key, near.trigger, near.distance
          from near
         order by near.pattern_key, near.distance, near.trigger
    ), shares as materialized (
        select neighbours.pattern_key, array_agg(1 - neighbours.distance order by neighbours.distance) as similarities
          from (select near.pattern_key, near.distance from near order by near.distance limit 40) neighbours
         group by neighbours.pattern_key
    ), compared as (
        select bp.id, bp.trigger, bp.started_at, bp.trigger_embedding <=> query_embedding as distance
          from public.behavior_patterns bp
         where bp.user_id = (select behavior.caller())
           and bp.id = any (array(select candidates.id from candidates))
        union all
        select bp.id, nearest.trigger, bp.started_at, nearest.distance
          from nearest
               cross join lateral (
                   select kept.id, kept.started_at
                     from public.behavior_patterns kept
                    where kept.user_id = (select behavior.caller())
                      and kept.source_key = nearest.pattern_key
                    limit 1) bp
    ), best as (
        select distinct on (compared.id) compared.*
          from compared
         order by compared.id, compared.distance
    ), found as (
        select best.*
          from best
         order by best.distance, best.started_at desc, best.id
         limit least(greatest(coalesce(match_count, 5), 0), 50)
    )
    -- "distance <= ..." is false if the distance is NaN, unless the threshold is NaN too: to Postgres, nothing is greater
    -- than NaN.
    select bp.id, bp.trigger, bp.context, bp.actions, bp.final_outcome, bp.confidence, bp.use_count,
           1 - found.distance, bp.last_used_at, bp.created_at, bp.started_at, bp.session_id, bp.source_key,
           bp.provenance, bp.workflow, found.trigger,
           (select shares.similarities from shares where shares.pattern_key = bp.source_key)
      from found
           join public.behavior_patterns bp on bp.user_id = (select behavior.caller()) and bp.id = found.id
     where found.distance <= 1 - match_threshold and match_threshold <> 'NaN'
     order by found.distance, bp.started_at desc, bp.id;
end;

do $$
begin
    if current_setting('behavior.probes') <> '' then
        execute format('alter function public.find_similar_patterns set ivfflat.probes = %s',
                       current_setting('behavior.probes'));
    end if;
end
$$;

revoke all on function public.find_similar_patterns(vector, text, float8, integer, text) from public, anon;
grant execute on function public.find_similar_patterns(vector, text, float8, integer, text)
   to authenticated, service_role;

insert into behavior.migrations (version, name) values (401, 'workflows') on conflict do nothing;
commit;
