-- The tools to check the fence around each user's rows. <storage>/verify.sql says what to expect and runs the checks;
-- the two are one transaction, which the second file rolls back. By hand, as the database's owner:
-- psql "$DATABASE_URL" -q -v ON_ERROR_STOP=1 -f sql/verify.sql -f sql/behavior_patterns/verify.sql
--
-- Each check reports `ok`, `failed` or `skipped` and the next one runs; the error at the end names those that failed.
begin;
set local search_path = pg_catalog;
set local client_min_messages = notice;
set local row_security = on;
set local lock_timeout = '5s';
set local behavior.failed = '';

create procedure pg_temp.report(name text, problems text[])
    language plpgsql
as $$
begin
    if problems = '{}' then
        raise notice 'ok: %', name;
    else
        raise notice 'failed: %: %', name, array_to_string(problems, '; ');
        perform set_config('behavior.failed', concat_ws(', ', nullif(current_setting('behavior.failed'), ''), name),
                           true);
    end if;
end
$$;

create function pg_temp.missing(wanted text[], found text[]) returns text[]
    language sql
    return array(select 'missing ' || each
                   from (select unnest(wanted) except select unnest(found)) as lacking(each) order by each);

create function pg_temp.differences(wanted text[], found text[]) returns text[]
    language sql
    return pg_temp.missing(wanted, found)
           || array(select 'unexpected ' || each
                      from (select unnest(found) except select unnest(wanted)) as surplus(each) order by each);

create function pg_temp.verified() returns regclass
    language sql
    return to_regclass(current_setting('behavior.verified'));

-- A table and its partitions.
create function pg_temp.parts(relation regclass) returns oid[]
    language sql
    return array(select relation union all select inhrelid from pg_inherits where inhparent = relation);

create function pg_temp.columns(relation regclass) returns text[]
    language sql
    return array(
        -- Without the schema of the type: pgvector may live in any.
        select concat_ws(' ', attname, regexp_replace(format_type(atttypid, atttypmod), '^\w+\.', ''),
                         case when attnotnull then 'not null' end)
          from pg_attribute
         where attrelid = relation and attnum > 0 and not attisdropped);

create function pg_temp.indexes(relation regclass) returns text[]
    language sql
    return array(
        select case when indisunique then 'unique ' else '' end
               || substring(pg_get_indexdef(indexrelid) from ' USING (.*)$')
          from pg_index
         where indrelid = relation and indisvalid);

create function pg_temp.invalid_indexes(relation regclass) returns text[]
    language sql
    return array(
        select 'invalid ' || indexrelid::regclass
          from pg_index
         where indrelid = any (pg_temp.parts(relation)) and not (indisvalid and indisready and indislive));

create function pg_temp.fences(relation regclass) returns text[]
    language sql
    return array(
        select unnest(case when relrowsecurity then '{enabled}' else '{}' end::text[]
                      || case when relforcerowsecurity then '{forced}' else '{}' end::text[])
          from pg_class
         where oid = relation);

-- The columns that statistics are kept of: by the planner's estimates, which EXPLAIN shows to anybody, they tell of
-- everybody's values.
create function pg_temp.statistics(relation regclass) returns text[]
    language sql
    return array(
        select attrelid::regclass || '.' || attname || ' has statistics'
          from pg_attribute
         where attrelid = any (pg_temp.parts(relation)) and attnum > 0 and not attisdropped
           and coalesce(attstattarget, -1) <> 0);

create function pg_temp.role_name(role oid) returns text
    language sql
    return case role when 0 then 'public' else pg_get_userbyid(role) end;

create function pg_temp.policies(relation regclass) returns text[]
    language sql
    return array(
        select concat(polname, case when not polpermissive then ' restrictive' end,
                      ' for ', case polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update'
                                           when 'd' then 'delete' else 'all' end,
                      ' to ', array_to_string(array(select pg_temp.role_name(role) from unnest(polroles) role), ', '),
                      ' using ' || pg_get_expr(polqual, polrelid),
                      ' with check ' || pg_get_expr(polwithcheck, polrelid))
          from pg_policy
         where polrelid = relation);

-- The rights of others than the owner: all those of the callers, and, of anybody, those that no policy applies to.
create function pg_temp.rights(relation regclass) returns text[]
    language sql
    return array(
        with granted as (
            select oid as part, relowner as owner, null as column_name, (aclexplode(relacl)).*
              from pg_class where oid = any (pg_temp.parts(relation))
            union all
            select attrelid, relowner, attname, (aclexplode(attacl)).*
              from pg_attribute join pg_class on pg_class.oid = attrelid where attrelid = any (pg_temp.parts(relation))
        )
        select concat(case when part <> relation then part::regclass || ': ' end,
                      pg_temp.role_name(grantee), ' ', lower(privilege_type),
                      ' (' || string_agg(column_name, ', ' order by column_name) || ')',
                      case when is_grantable then ' with grant option' end)
          from granted
         where grantee <> owner
           and (pg_temp.role_name(grantee) in ('public', 'anon', 'authenticated', 'service_role')
                or privilege_type in ('TRUNCATE', 'TRIGGER', 'REFERENCES'))
         group by part, grantee, privilege_type, is_grantable);

-- All functions of these names: their arguments, how they run, and who besides the owner may call them.
create function pg_temp.functions(variadic names text[]) returns text[]
    language sql
    return array(
        select unnest(array[
            -- Without the schemas of types, as above.
            regexp_replace(format('%s(%s)', proname, pg_get_function_identity_arguments(oid)), '\w+\.', '', 'g'),
            format('%s: %s, %s, %s', proname, case when prosecdef then 'definer' else 'invoker' end,
                   case provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
                   coalesce((select setting from unnest(proconfig) setting where setting like 'search\_path=%'),
                            'search_path of the caller')),
            format('%s for %s', proname,
                   case when callers && '{public}' then 'everybody' else callers::text end)])
          from pg_proc
               cross join lateral (
                   select array(select pg_temp.role_name(grantee)
                                  from aclexplode(coalesce(proacl, acldefault('f', proowner)))
                                 where grantee <> proowner order by 1) as callers) as granted
         where format('%s.%s', pronamespace::regnamespace, proname) = any (names));

-- A view reads with its owner's rights, unless it says otherwise; so does whatever reads that view.
create function pg_temp.open_views(relation regclass) returns text[]
    language sql
    return array(
        with recursive reads as (
            select ev_class as reader, refobjid as source
              from pg_rewrite join pg_depend on classid = 'pg_rewrite'::regclass and objid = pg_rewrite.oid
             where refclassid = 'pg_class'::regclass and refobjid <> ev_class
        ), readers as (
            select reader from reads where source = any (pg_temp.parts(relation))
            union
            select reads.reader from reads join readers on source = readers.reader
        )
        select oid::regclass || ' shows rows to whoever may read it'
          from pg_class
         where oid in (select reader from readers)
           and not coalesce((select option_value::boolean from pg_options_to_table(reloptions)
                              where option_name = 'security_invoker'), false)
           and (relnamespace = to_regnamespace('public')
                or exists (select from aclexplode(relacl) where grantee <> relowner)));

create function pg_temp.pgvector() returns text[]
    language sql
    return array(
        select case when string_to_array(substring(extversion from '^[\d.]+'), '.')::int[] >= array[0, 8]
                    then '0.8 or newer' else extversion end
          from pg_extension
         where extname = 'vector');

create function pg_temp.roles() returns text[]
    language sql
    return array(
        select concat_ws(' ', rolname, case when rolsuper then 'superuser' end,
                         case when rolcreaterole then 'createrole' end,
                         case when rolbypassrls and rolname <> 'service_role' then 'bypassrls' end)
          from pg_roles
         where rolname in ('anon', 'authenticated', 'service_role'));

-- The roles that a caller could switch to and no policy applies to.
create function pg_temp.ways_up(relation regclass) returns text[]
    language sql
    return array(
        select format('%s may become %s', caller.rolname, other.rolname)
          from pg_roles caller join pg_roles other on pg_has_role(caller.oid, other.oid, 'member')
         where caller.rolname in ('anon', 'authenticated')
           and caller.oid <> other.oid
           and (other.rolsuper or other.rolbypassrls
                or other.oid in (select relowner from pg_class where oid = relation)));

create function pg_temp.triggers(relation regclass) returns text[]
    language sql
    return array(
        select pg_get_triggerdef(oid) from pg_trigger
         where tgrelid = relation and not tgisinternal and tgenabled in ('O', 'A'));

-- Members without a login: whoever is given one of that name later would be the member. And members that no policy
-- applies to; a superuser is the owner, who is a member by working here.
create function pg_temp.wrong_members() returns text[]
    language plpgsql
as $$
begin
    if to_regclass('behavior.members') is null then
        return '{}';
    end if;
    return array(select 'no login ' || login from behavior.members where to_regrole(quote_ident(login)) is null)
           || array(select format('%s may become %s', login, other.rolname)
                      from behavior.members
                           join pg_roles myself on myself.rolname = login and not myself.rolsuper
                           join pg_roles other on pg_has_role(myself.oid, other.oid, 'member')
                     where (other.rolsuper or other.rolbypassrls) and login <> session_user);
end
$$;

-- Two users: throw-away ones if the table of users is the plugin's, else two that exist, since we cannot know what an
-- application's users need, nor what a new one would set off.
create procedure pg_temp.choose_users()
    language plpgsql
as $$
declare
    users uuid[] := array[gen_random_uuid(), gen_random_uuid()];
begin
    if obj_description(to_regclass('auth.users'), 'pg_class') = 'Made by behavior-plugin' then
        insert into auth.users (id) select unnest(users);
    else
        users := array(select id from auth.users limit 2);
    end if;
    perform set_config('behavior.users', users::text, true);
end
$$;

-- Be a user to the end of the transaction: `member` is the one that this login belongs to, `claimed` the one that the
-- session claims to be. A stranger is a login with the users' rights that belongs to nobody.
create procedure pg_temp.become(role text, member uuid, claimed uuid, is_stranger boolean)
    language plpgsql
as $$
declare
    stranger text := 'behavior_' || gen_random_uuid();
begin
    delete from behavior.members where login = session_user;
    insert into behavior.members (login, user_id) select session_user, member where member is not null;
    perform set_config('request.jwt.claims', case when claimed is null then ''
                                                  else json_build_object('role', role, 'sub', claimed)::text end, true);
    if is_stranger then
        execute format('create role %I in role authenticated', stranger);
        perform set_config('session_authorization', stranger, true);
    end if;
    begin
        perform set_config('role', role, true);
    exception when insufficient_privilege then
        -- From PostgreSQL 16 on, creating a role does not include the right to switch to it.
        execute format('grant %I to %I', role, session_user);
        perform set_config('role', role, true);
    end;
end
$$;

-- What a statement gives when somebody runs it on a row of the first user's: a number of rows, or an error's code.
create function pg_temp.attempt(statement text, role text, member uuid, claimed uuid, is_stranger boolean) returns text
    language plpgsql
as $$
declare
    users  uuid[] := current_setting('behavior.users');
    myself text   := current_setting('role');
    kept   uuid;
    count  bigint;
    answer text;
begin
    call pg_temp.become('authenticated', users[1], users[1], false);
    begin
        execute format(current_setting('behavior.keeping'), users[1]) into kept;
    exception when others then
        raise exception 'a user cannot store anything: %', sqlerrm;
    end;
    perform set_config('role', myself, true);
    call pg_temp.become(role, member, claimed, is_stranger);
    begin
        execute format(statement, kept, users[1], users[2]);
        get diagnostics count = row_count;
        answer := count;
    exception when others then
        answer := sqlstate;
    end;
    -- This undoes the row, the roles, and whatever the statement did.
    raise exception using errcode = 'BV000', message = answer;
exception when sqlstate 'BV000' then
    return sqlerrm;
end
$$;

-- Attempt every statement as somebody. `wanted` names the column of the attempts that says what each must give; those
-- that have a null there are left out.
create procedure pg_temp.cross(name text, wanted text, role text, member uuid, claimed uuid, is_stranger boolean)
    language plpgsql
as $$
declare
    problems text[] := '{}';
    tried    jsonb;
    answer   text;
begin
    for tried in select to_jsonb(attempts) from pg_temp.attempts() loop
        continue when tried ->> wanted is null;
        answer := pg_temp.attempt(tried ->> 'statement', role, member, claimed, is_stranger);
        if answer <> all (string_to_array(tried ->> wanted, ' or ')) then
            problems := problems || format('%s gives %s instead of %s', tried ->> 'name', answer, tried ->> wanted);
        end if;
    end loop;
    call pg_temp.report(name, problems);
exception when others then
    -- An owner that is not a superuser may be unable to become anon; the catalogue shows that anon has no rights.
    if role = 'anon' and sqlstate = '42501' then
        raise notice 'skipped: %: %', name, sqlerrm;
    else
        call pg_temp.report(name, array[sqlerrm]);
    end if;
end
$$;

create procedure pg_temp.cross_all()
    language plpgsql
as $$
declare
    myself pg_roles := (select pg_roles from pg_roles where rolname = session_user);
    a      uuid;
    b      uuid;
begin
    if not has_table_privilege('auth.users', 'select') then
        call pg_temp.report('crossing', array['only the database''s owner can try it: this login may not read auth.users']);
        return;
    end if;
    call pg_temp.choose_users();
    a := (current_setting('behavior.users')::uuid[])[1];
    b := (current_setting('behavior.users')::uuid[])[2];
    if b is null then
        raise notice 'skipped: crossing: auth.users has fewer than two users';
        return;
    end if;
    call pg_temp.cross('own rows', 'own', 'authenticated', a, a, false);
    call pg_temp.cross('others'' rows', 'others', 'authenticated', b, b, false);
    call pg_temp.cross('forged claims', 'others', 'authenticated', b, a, false);
    call pg_temp.cross('no claims', 'others', 'authenticated', null, null, false);
    call pg_temp.cross('anon', 'anon', 'anon', a, a, false);
    if myself.rolbypassrls and not myself.rolsuper then
        raise notice 'skipped: stranger: this login''s own claims are believed, and it may not create another login';
    else
        call pg_temp.cross('stranger', 'others', 'authenticated', null, a, myself.rolsuper);
    end if;
exception when others then
    call pg_temp.report('crossing', array[sqlerrm]);
end
$$;

-- What is the same, whichever way patterns are stored.
create procedure pg_temp.check_surroundings()
    language plpgsql
as $$
begin
    call pg_temp.report('pgvector', pg_temp.differences('{0.8 or newer}', pg_temp.pgvector()));
    call pg_temp.report('roles', pg_temp.differences('{anon,authenticated,service_role}', pg_temp.roles())
                                 || pg_temp.ways_up(pg_temp.verified()));
    call pg_temp.report('members', pg_temp.differences(
        array['enabled',
              'own_login_select for select to authenticated using (login = ( SELECT SESSION_USER AS "session_user"))',
              'authenticated select', 'service_role select',
              'caller()', 'caller: invoker, stable, search_path=""', 'caller for {authenticated,service_role}'],
        pg_temp.fences(to_regclass('behavior.members')) || pg_temp.policies(to_regclass('behavior.members'))
        || pg_temp.rights(to_regclass('behavior.members')) || pg_temp.functions('behavior.caller'))
        || pg_temp.wrong_members());
    call pg_temp.report('migrations', pg_temp.differences(
        '{authenticated select,service_role select}', pg_temp.rights(to_regclass('behavior.migrations'))));
    call pg_temp.report('indexes valid', pg_temp.invalid_indexes(pg_temp.verified()));
    call pg_temp.report('views', pg_temp.open_views(pg_temp.verified()));
end
$$;

create procedure pg_temp.conclude()
    language plpgsql
as $$
begin
    if current_setting('behavior.failed') <> '' then
        raise exception using errcode = 'BV001', message = 'failed: ' || current_setting('behavior.failed');
    end if;
end
$$;
