-- The guide's two functions. Both run with the caller's rights and take no user: they are about whoever calls them.
-- Their bodies are parsed here, once, so that no caller's search_path can slip another operator in.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);
set local search_path = pg_catalog, public, extensions;
-- Load pgvector: only a superuser may set parameters of a library that is not loaded.
do $$ begin perform '[1]'::vector; end $$;

drop function if exists public.find_similar_patterns;
create function public.find_similar_patterns(
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
    )
    -- Ties are broken out here, over the few rows found. "distance <= ..." is false if the distance is NaN, unless the
    -- threshold is NaN too: to Postgres, nothing is greater than NaN.
    select found.id, found.trigger, found.context, found.actions, found.final_outcome, found.confidence,
           found.use_count, 1 - found.distance, found.last_used_at, found.created_at, found.started_at,
           found.session_id, found.source_key, found.provenance
      from (select bp.*, bp.trigger_embedding <=> query_embedding as distance
              from public.behavior_patterns bp
             where bp.user_id = (select behavior.caller())
               and bp.id = any (array(select candidates.id from candidates))
             order by bp.trigger_embedding <=> query_embedding, bp.started_at desc, bp.id
             limit least(greatest(coalesce(match_count, 5), 0), 50)) found
     where found.distance <= 1 - match_threshold and match_threshold <> 'NaN'
     order by found.distance, found.started_at desc, found.id;
end;

drop function if exists public.increment_pattern_use_count(uuid);
create function public.increment_pattern_use_count(pattern_id uuid) returns boolean
    language sql volatile security invoker set search_path = ''
begin atomic
    with counted as (
        update public.behavior_patterns
           set use_count = least(use_count::bigint + 1, 2147483647)::integer,
               last_used_at = now()
         where id = pattern_id
           and user_id = (select behavior.caller())
        returning id
    )
    select exists (select from counted);
end;

revoke all on function public.find_similar_patterns(vector, text, float8, integer, text) from public, anon;
revoke all on function public.increment_pattern_use_count(uuid) from public, anon;
grant execute on function public.find_similar_patterns(vector, text, float8, integer, text)
   to authenticated, service_role;
grant execute on function public.increment_pattern_use_count(uuid) to authenticated, service_role;

insert into behavior.migrations (version, name) values (103, 'functions') on conflict do nothing;
commit;
