-- The two functions of the seed. Both run with the caller's rights and take no user: who asks is who is meant.
-- Their bodies are parsed here, once, so that no search_path of a caller can put another operator in.
begin;
select pg_advisory_xact_lock(7236430166542121);
set local search_path = pg_catalog, public, extensions;

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
begin atomic
    -- Ties are broken out here, over the few rows found: a second sort key inside would switch a vector index off.
    -- "distance <= ..." is false where the distance is not a number.
    select found.id, found.trigger, found.context, found.actions, found.final_outcome, found.confidence,
           found.use_count, 1 - found.distance, found.last_used_at, found.created_at, found.started_at,
           found.session_id, found.source_key, found.provenance
      from (select bp.*, bp.trigger_embedding <=> query_embedding as distance
              from public.behavior_patterns bp
             where bp.user_id = (select behavior.caller())
               and bp.embedding_model = query_model
               and (in_project is null or bp.project = in_project)
             order by bp.trigger_embedding <=> query_embedding
             limit least(greatest(coalesce(match_count, 5), 0), 50)) found
     where found.distance <= 1 - match_threshold
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
