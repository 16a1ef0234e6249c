-- What the later files expect of Supabase, for servers that have none of it: schema auth with users, uid() and role(),
-- and the roles anon, authenticated and service_role. What exists is never touched.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

do $$
begin
    if current_setting('server_version_num')::integer < 160000 then
        raise exception 'PostgreSQL 16 or newer is needed, and this is %', current_setting('server_version');
    end if;
    -- Not "create schema if not exists": it demands the right to create before it looks, so that a less privileged
    -- owner could not run this again.
    if to_regnamespace('behavior') is null then
        create schema behavior;
    end if;
end
$$;
revoke all on schema behavior from public;
create table if not exists behavior.migrations (
    version    integer     primary key,
    name       text        not null,
    applied_at timestamptz not null default now()
);
comment on table behavior.migrations is 'Which of the plugin''s migrations this database has';

-- Roles belong to the whole server: another database's migration may be creating them at this very moment.
do $$
declare
    wanted text[];
begin
    foreach wanted slice 1 in array array[['anon', ''], ['authenticated', ''], ['service_role', 'bypassrls']] loop
        if to_regrole(wanted[1]) is null then
            begin
                execute format('create role %I nologin %s', wanted[1], wanted[2]);
            exception
                when duplicate_object or unique_violation then
                    null;
                when insufficient_privilege then
                    raise exception 'the role % is missing and this login may not create it: %', wanted[1],
                          'that takes a superuser, or a login with CREATEROLE and BYPASSRLS';
            end;
        end if;
    end loop;
end
$$;

do $$
begin
    if to_regnamespace('auth') is not null then
        return;
    end if;
    create schema auth;
    grant usage on schema auth to anon, authenticated, service_role;
    create table auth.users (
        id         uuid        primary key,
        created_at timestamptz not null default now()
    );
    revoke all on table auth.users from public, anon, authenticated, service_role;
    -- By this comment the plugin tells these users, to which it may add, from an application's.
    comment on table auth.users is 'Made by behavior-plugin';
    -- After the first transaction an unset custom setting reads as '', not as null: nullif keeps that from failing.
    create function auth.uid() returns uuid
        language sql stable set search_path = ''
        return (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
    create function auth.role() returns text
        language sql stable set search_path = ''
        return nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role';
end
$$;

grant usage on schema behavior to authenticated, service_role;
-- Revoke whatever the database's defaults grant to everyone, then grant the little that is needed.
revoke all on table behavior.migrations from public, anon, authenticated, service_role;
grant select on table behavior.migrations to authenticated, service_role;

insert into behavior.migrations (version, name) values (1, 'auth_shim') on conflict do nothing;
commit;
