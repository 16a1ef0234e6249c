-- Who may see and change a memory: its user, and nobody else. Only for a table of ours: the fence around one that was
-- found is its owner's, and stays as it is.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

create or replace function behavior.update_memory_timestamp() returns trigger
    language plpgsql set search_path = '' set timezone = 'UTC'
as $$
begin
    -- A pattern's own date is in its metadata, which every table of memories has. This column repeats it.
    if new.type = 'workflow' then
        new.updated_at = coalesce((new.metadata ->> 'updated_at')::timestamptz, pg_catalog.now());
    elsif tg_op = 'UPDATE' then
        new.updated_at = pg_catalog.now();
    end if;
    return new;
end
$$;
revoke all on function behavior.update_memory_timestamp() from public, anon, authenticated, service_role;

do $$
begin
    if coalesce(obj_description('public.memories'::regclass), '') not like 'Made by behavior-plugin%' then
        return;
    end if;
    alter table public.memories enable row level security;
    alter table public.memories force row level security;

    -- TRUNCATE bypasses row level security, so everything is revoked before the little that is needed is granted.
    revoke all on table public.memories from public, anon, authenticated, service_role;
    grant usage on schema public to authenticated, service_role;
    grant select, delete on table public.memories to authenticated;
    grant insert (user_id, type, content, metadata, embedding) on table public.memories to authenticated;
    grant update (content, metadata, embedding) on table public.memories to authenticated;
    grant select, insert, update, delete on table public.memories to service_role;

    -- (select behavior.caller()) is evaluated once per query; without the select, once per row.
    drop policy if exists own_memories_select on public.memories;
    create policy own_memories_select on public.memories
        for select to authenticated using ((select behavior.caller()) = user_id);

    drop policy if exists own_memories_insert on public.memories;
    create policy own_memories_insert on public.memories
        for insert to authenticated with check ((select behavior.caller()) = user_id);

    drop policy if exists own_memories_update on public.memories;
    create policy own_memories_update on public.memories
        for update to authenticated
        using ((select behavior.caller()) = user_id) with check ((select behavior.caller()) = user_id);

    drop policy if exists own_memories_delete on public.memories;
    create policy own_memories_delete on public.memories
        for delete to authenticated using ((select behavior.caller()) = user_id);

    create or replace trigger memories_updated_at before insert or update on public.memories
        for each row execute function behavior.update_memory_timestamp();
end
$$;

insert into behavior.migrations (version, name) values (202, 'row_level_security') on conflict do nothing;
commit;
