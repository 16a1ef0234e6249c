-- Who is asking. A member's login is that member's user, whatever its session claims: claims are a setting that any
-- client can write. They are believed only of a session that is behind an API, or could bypass every policy anyway.
begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock(7236430166542121);

create table if not exists behavior.members (
    login     name        primary key,
    user_id   uuid        not null references auth.users (id) on delete cascade,
    joined_at timestamptz not null default now()
);
comment on table behavior.members is 'Which user a login is; one user may have several logins';
create index if not exists members_user_id_idx on behavior.members (user_id);

alter table behavior.members enable row level security;
revoke all on table behavior.members from public, anon, authenticated, service_role;
grant select on table behavior.members to authenticated, service_role;
drop policy if exists own_login_select on behavior.members;
create policy own_login_select on behavior.members for select to authenticated using (login = (select session_user));

create or replace function behavior.caller() returns uuid
    language sql stable security invoker set search_path = ''
begin atomic
    select coalesce(
        (select user_id from behavior.members where login = session_user),
        (select auth.uid() from pg_catalog.pg_roles
          where rolname = session_user and (rolsuper or rolbypassrls or rolname = 'authenticator')));
end;
comment on function behavior.caller() is 'The user who is asking; null if nobody is';
revoke all on function behavior.caller() from public, anon;
grant execute on function behavior.caller() to authenticated, service_role;

insert into behavior.migrations (version, name) values (3, 'members') on conflict do nothing;
commit;
