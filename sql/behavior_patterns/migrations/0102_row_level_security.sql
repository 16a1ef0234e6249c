-- Who may see and change a pattern: its user, and nobody else.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

alter table public.behavior_patterns enable row level security;
alter table public.behavior_patterns force row level security;

-- TRUNCATE bypasses row level security, so everything is revoked before the little that is needed is granted.
revoke all on table public.behavior_patterns from public, anon, authenticated, service_role;
grant usage on schema public to authenticated, service_role;
grant select, delete on table public.behavior_patterns to authenticated;
grant insert (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model, context, actions,
              final_outcome, confidence, provenance, schema_version, started_at)
   on table public.behavior_patterns to authenticated;
grant update (trigger, trigger_embedding, embedding_model, context, actions, final_outcome, confidence, project,
              provenance, schema_version, use_count, last_used_at)
   on table public.behavior_patterns to authenticated;
grant select, insert, update, delete on table public.behavior_patterns to service_role;

-- (select behavior.caller()) is evaluated once per query; without the select, once per row.
drop policy if exists own_patterns_select on public.behavior_patterns;
create policy own_patterns_select on public.behavior_patterns
    for select to authenticated using ((select behavior.caller()) = user_id);

drop policy if exists own_patterns_insert on public.behavior_patterns;
create policy own_patterns_insert on public.behavior_patterns
    for insert to authenticated with check ((select behavior.caller()) = user_id);

drop policy if exists own_patterns_update on public.behavior_patterns;
create policy own_patterns_update on public.behavior_patterns
    for update to authenticated
    using ((select behavior.caller()) = user_id) with check ((select behavior.caller()) = user_id);

drop policy if exists own_patterns_delete on public.behavior_patterns;
create policy own_patterns_delete on public.behavior_patterns
    for delete to authenticated using ((select behavior.caller()) = user_id);

insert into behavior.migrations (version, name) values (102, 'row_level_security') on conflict do nothing;
commit;
