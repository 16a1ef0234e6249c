-- What the later files expect of Supabase, for servers that are not: schema auth with users, uid() and role(), and
-- the roles anon, authenticated and service_role. What exists is never touched.
begin;
select pg_advisory_xact_lock(7236430166542121);

create schema if not exists behavior;
revoke all on schema behavior from public;
create table if not exists behavior.migrations (
    version    integer     primary key,
    name       text        not null,
    applied_at timestamptz not null default now()
);

do $$
begin
    if to_regrole('anon') is null then
        create role anon nologin;
    end if;
    if to_regrole('authenticated') is null then
        create role authenticated nologin;
    end if;
    if to_regrole('service_role') is null then
        create role service_role nologin bypassrls;
    end if;
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
    -- After the first transaction an unset custom setting reads as '', not as null: nullif keeps that from failing.
    create function auth.uid() returns uuid
        language sql stable set search_path = ''
        return (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
    create function auth.role() returns text
        language sql stable set search_path = ''
        return nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role';
end
$$;

insert into behavior.migrations (version, name) values (1, 'auth_shim') on conflict do nothing;
commit;
