-- Check the fence between users. <storage>/verify.sql names the table and the statements to attempt, and runs the
-- checks; the two files are one transaction, which the second rolls back. By hand, as the database's owner:
-- psql "$DATABASE_URL" -q -v ON_ERROR_STOP=1 -f sql/verify.sql -f sql/behavior_patterns/verify.sql
--
-- The checks are rules, not lists of what the migrations create: a new column or function needs no change here. Each
-- check reports `ok`, `failed` or `skipped` and the next one runs; the error at the end names the failed ones.
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

create function pg_temp.verified() returns regclass
    language sql
    return to_regclass(current_setting('behavior.verified'));

-- The fence around a table that another program made is its owner's: it has to hold, but it may differ from ours.
create function pg_temp.is_ours() returns boolean
    language sql
    return current_setting('behavior.verified') = 'public.behavior_patterns'
           or coalesce(obj_description(pg_temp.verified(), 'pg_class') like 'Made by behavior-plugin%', false);

-- Our tables that both kinds of storage share.
create function pg_temp.shared() returns regclass[]
    language sql
    return array_remove(array[to_regclass('behavior.episodes'), to_regclass('behavior.remarks')], null);

-- A table and its partitions.
create function pg_temp.parts(relation regclass) returns oid[]
    language sql
    return array(select relation union all select inhrelid from pg_inherits where inhparent = relation);

create function pg_temp.role_name(role oid) returns text
    language sql
    return case role when 0 then 'public' else pg_get_userbyid(role) end;

create function pg_temp.pgvector_problems() returns text[]
    language sql
    return array(
        select case when extversion is null then 'it is not installed' else extversion || ' is older than 0.8' end
          from (select 'vector'::name as extname) as wanted left join pg_extension using (extname)
         where coalesce(string_to_array(substring(extversion from '^[\d.]+'), '.')::int[] < array[0, 8], true));

-- Callers that no policy applies to, or that can switch to such a role.
create function pg_temp.role_problems(relations regclass[]) returns text[]
    language sql
    return array(
        select wanted || ' is missing'
          from unnest('{anon,authenticated,service_role}'::text[]) as wanted where to_regrole(wanted) is null
        union all
        select format('%s is %s', rolname, attribute)
          from pg_roles,
               lateral (values ('superuser', rolsuper), ('createrole', rolcreaterole),
                               ('bypassrls', rolbypassrls and rolname <> 'service_role')) as has (attribute, is_set)
         where rolname in ('anon', 'authenticated', 'service_role') and is_set
        union all
        select format('%s may become %s', caller.rolname, other.rolname)
          from pg_roles caller join pg_roles other on pg_has_role(caller.oid, other.oid, 'member')
         where caller.rolname in ('anon', 'authenticated')
           and caller.oid <> other.oid
           and (other.rolsuper or other.rolbypassrls
                or other.oid in (select relowner from pg_class where oid = any (relations))));

create function pg_temp.security_problems(relation regclass, must_be_forced boolean) returns text[]
    language sql
    return array(
        select problem
          from (select) as always left join pg_class on oid = relation,
               lateral (values ('the table is missing', oid is null), ('it is not enabled', not relrowsecurity),
                               ('it is not forced', must_be_forced and not relforcerowsecurity))
                   as found (problem, is_so)
         where is_so);

-- Every policy has to be for authenticated alone and to let a caller reach only what `own` says.
create function pg_temp.policy_problems(relation regclass, own text) returns text[]
    language sql
    return array(
        select format('%s applies to %s', polname,
                      array_to_string(array(select pg_temp.role_name(role) from unnest(polroles) role), ', '))
          from pg_policy
         where polrelid = relation and polroles <> array[coalesce(to_regrole('authenticated'), 0)::oid]
        union all
        select format('%s lets callers reach other rows than their own: %s', polname, condition)
          from pg_policy,
               unnest(array[pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)]) as condition
         where polrelid = relation and condition <> own);

-- Rights of others than the owner that policies do not limit: those that are not among `limited`, and, on partitions,
-- any. With `is_strict` also those that nobody needs: of everybody, of anon, and to grant.
create function pg_temp.right_problems(relation regclass, limited text[], is_strict boolean) returns text[]
    language sql
    return array(
        with granted as (
            select oid as part, relowner as owner, (aclexplode(relacl)).*
              from pg_class where oid = any (pg_temp.parts(relation))
            union
            select attrelid, relowner, (aclexplode(attacl)).*
              from pg_attribute join pg_class on pg_class.oid = attrelid where attrelid = any (pg_temp.parts(relation))
        )
        select format('%s may %s %s%s', pg_temp.role_name(grantee), lower(privilege_type), part::regclass,
                      case when is_grantable then ' with grant option' end)
          from granted
         where grantee <> owner
           and (privilege_type <> all (limited) or part <> relation
                or (is_strict and (is_grantable or pg_temp.role_name(grantee) in ('public', 'anon'))))
         order by 1);

-- Our functions: those of the schema behavior, those that call behavior.caller(), those of the triggers on a table of
-- ours, and all of a name that callers know. A body that is text depends on nothing, so its author chose the name.
-- Stable, or it would be computed again for each function of the server.
create function pg_temp.our_functions() returns oid[]
    language sql stable
    return array(
        select oid from pg_proc
         where pronamespace = to_regnamespace('behavior')
               or (pronamespace = to_regnamespace('public')
                   and proname in ('find_similar_patterns', 'increment_pattern_use_count')
                   and current_setting('behavior.verified') = 'public.behavior_patterns')
        union
        select objid from pg_depend
         where classid = 'pg_proc'::regclass and refclassid = 'pg_proc'::regclass
           and refobjid = to_regproc('behavior.caller')
        union
        select tgfoid from pg_trigger where tgrelid = pg_temp.verified() and not tgisinternal and pg_temp.is_ours());

-- Functions that give callers their owner's rights, or let them choose the operators.
create function pg_temp.function_problems() returns text[]
    language sql
    return array(
        select format('%s runs with its owner''s rights and reads %s', oid::regprocedure, relation::regclass)
          from pg_proc,
               lateral (select oid, relname from pg_class where oid = pg_temp.verified() and pg_temp.is_ours()
                        union all
                        -- With the schema: other programs have episodes too.
                        select shared, shared::text from unnest(pg_temp.shared()) as shared) as fenced (relation, name)
         where prosecdef and oid <> all (pg_temp.our_functions())
           and (prosrc ilike '%' || name || '%'
                or exists (select from pg_depend
                            where classid = 'pg_proc'::regclass and objid = pg_proc.oid
                              and refclassid = 'pg_class'::regclass and refobjid = relation))
        union all
        select format('%s %s', oid::regprocedure, problem)
          from pg_proc,
               lateral (values
                   ('runs with its owner''s rights', prosecdef),
                   ('has a search_path that is not empty', 'search_path=""' <> all (coalesce(proconfig, '{}'))),
                   -- What is immutable reads nothing.
                   ('can be called by everybody', provolatile <> 'i' and exists (
                        select from aclexplode(coalesce(proacl, acldefault('f', proowner)))
                         where pg_temp.role_name(grantee) in ('public', 'anon')))) as found (problem, is_so)
         where oid = any (pg_temp.our_functions()) and is_so);

-- Objects that a role of callers owns: an owner may change them, whatever its other rights are.
create function pg_temp.owner_problems(relation regclass) returns text[]
    language sql
    return array(
        with objects as (
            select oid::regclass::text as name, relowner as owner from pg_class
             where oid = any (pg_temp.parts(relation)) or relnamespace = to_regnamespace('behavior')
            union all
            select 'the schema ' || nspname, nspowner from pg_namespace where nspname = 'behavior'
            union all
            select oid::regprocedure::text, proowner from pg_proc where oid = any (pg_temp.our_functions())
        )
        select format('%s belongs to %s', name, pg_temp.role_name(owner))
          from objects where pg_temp.role_name(owner) in ('anon', 'authenticated', 'service_role'));

-- A table of ours that says when its rows were changed needs an enabled trigger that writes it.
create function pg_temp.trigger_problems(relation regclass) returns text[]
    language sql
    return array(
        select 'no trigger writes updated_at'
          from pg_attribute
         where attrelid = relation and attname = 'updated_at' and not attisdropped
           and not exists (select from pg_trigger
                            where tgrelid = relation and not tgisinternal and tgenabled in ('O', 'A')
                              and tgtype & 2 = 2 and tgtype & 16 = 16));

-- A view reads with its owner's rights, unless it says otherwise; so does whatever reads that view.
create function pg_temp.view_problems(relation regclass) returns text[]
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

-- The columns that have statistics. EXPLAIN shows the planner's estimates to everybody, and they reveal the values of
-- all users.
create function pg_temp.statistics_problems(relation regclass) returns text[]
    language sql
    return array(
        select attrelid::regclass || '.' || attname || ' has statistics'
          from pg_attribute
         where attrelid = any (pg_temp.parts(relation)) and attnum > 0 and not attisdropped
           and coalesce(attstattarget, -1) <> 0);

-- An index that is being built, or whose building was broken off, answers nothing.
create function pg_temp.index_problems(relation regclass) returns text[]
    language sql
    return array(
        select indexrelid::regclass || ' is invalid'
          from pg_index
         where indrelid = any (pg_temp.parts(relation)) and not (indisvalid and indisready and indislive));

-- Members without a login: a new login of that name would be the member. And members that no policy applies to; a
-- superuser is the owner, who is a member by working here.
create function pg_temp.member_problems() returns text[]
    language plpgsql
as $$
begin
    if to_regclass('behavior.members') is null then
        return '{"the table behavior.members is missing"}';
    end if;
    return pg_temp.security_problems('behavior.members', false)
           || pg_temp.policy_problems('behavior.members', '(login = ( SELECT SESSION_USER AS "session_user"))')
           || pg_temp.right_problems('behavior.members', '{SELECT}', true)
           || array(select 'no login ' || login from behavior.members where to_regrole(quote_ident(login)) is null)
           || array(select format('%s may become %s', login, other.rolname)
                      from behavior.members
                           join pg_roles myself on myself.rolname = login and not myself.rolsuper
                           join pg_roles other on pg_has_role(myself.oid, other.oid, 'member')
                     where (other.rolsuper or other.rolbypassrls) and login <> session_user);
end
$$;

-- Two users: throw-away ones if the table of users is the plugin's, else two existing ones, since we cannot know which
-- columns an application's users need, nor which triggers a new one fires.
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

-- Act as a user to the end of the transaction: `member` is the user of this login, `claimed` the user that the session
-- claims to be. A stranger is a login with the rights of users that is not a member.
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

-- Run a statement as somebody on a row of the first user: returns the number of rows, or the error's code.
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
        insert into behavior.episodes (user_id, source_key, trigger, turns, outcome, started_at)
        values (users[1], 'behavior db verify', 'x', '[]', 'success', now());
        insert into behavior.remarks (user_id, pattern_key, kind) values (users[1], 'behavior db verify', 'good');
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
    -- This undoes the row, the roles and all effects of the statement.
    raise exception using errcode = 'BV000', message = answer;
exception when sqlstate 'BV000' then
    return sqlerrm;
end
$$;

-- The attempts at evidence and remarks; <storage>/verify.sql has those at the patterns, and says what the columns mean.
create function pg_temp.shared_attempts() returns table (name text, statement text, own text, others text, anon text)
    language sql
begin atomic
    values
    -- Names the columns that no function and no index depends on.
    ('select evidence', $$select part_of, because, digest, turn_starts, use_count, last_used_at, created_at
                            from behavior.episodes where source_key = 'behavior db verify'$$, '1', '0', '42501'),
    ('insert evidence', $$insert into behavior.episodes (user_id, source_key, trigger, turns, outcome, started_at)
                          values (%2$L, 'x', 'x', '[]', 'success', now())$$, '1', '42501', '42501'),
    ('insert evidence once for each key',
     $$insert into behavior.episodes (user_id, source_key, trigger, turns, outcome, started_at)
       values (%2$L, 'x', 'x', '[]', 'success', now()) on conflict (user_id, source_key) do nothing$$, '1', null, null),
    ('update evidence', $$update behavior.episodes set outcome = 'failed' where source_key = 'behavior db verify'$$,
                        '1', '0', '42501'),
    ('delete evidence', $$delete from behavior.episodes where source_key = 'behavior db verify'$$, '1', '0', '42501'),
    ('truncate evidence', $$truncate behavior.episodes$$, '42501', '42501', '42501'),
    ('giving evidence away', $$update behavior.episodes set user_id = %3$L
                                where source_key = 'behavior db verify'$$, '42501', '42501', '42501'),
    ('evidence with a date of its own',
     $$insert into behavior.episodes (user_id, source_key, trigger, turns, outcome, started_at, updated_at)
       values (%2$L, 'x', 'x', '[]', 'success', now(), now())$$, '42501', '42501', '42501'),
    ('select remarks', $$select id, kind, session_id, is_followed, outcome, note, details, redaction_version, made_at
                           from behavior.remarks where pattern_key = 'behavior db verify'$$, '1', '0', '42501'),
    ('insert remarks', $$insert into behavior.remarks (user_id, pattern_key, kind) values (%2$L, 'x', 'good')$$,
                       '1', '42501', '42501'),
    ('update remarks', $$update behavior.remarks set is_followed = true where pattern_key = 'behavior db verify'$$,
                       '1', '0', '42501'),
    ('delete remarks', $$delete from behavior.remarks where pattern_key = 'behavior db verify'$$, '1', '0', '42501'),
    ('truncate remarks', $$truncate behavior.remarks$$, '42501', '42501', '42501'),
    ('giving remarks away', $$update behavior.remarks set user_id = %3$L
                               where pattern_key = 'behavior db verify'$$, '42501', '42501', '42501'),
    ('insert remarks once for each id',
     $$insert into behavior.remarks (user_id, pattern_key, kind)
       values (%2$L, 'x', 'good') on conflict (user_id, id) do nothing$$, '1', null, null),
    ('changing what remarks say', $$update behavior.remarks set note = 'x'
                                     where pattern_key = 'behavior db verify'$$, '42501', '42501', '42501'),
    ('remarks with an id of their own', $$insert into behavior.remarks (user_id, id, pattern_key, kind)
                                          values (%2$L, gen_random_uuid(), 'x', 'good')$$, '42501', '42501', '42501');
end;

-- Attempt every statement as somebody. `wanted` names the column of the attempts that has the expected result; those
-- with a null there are left out.
create procedure pg_temp.cross(name text, wanted text, role text, member uuid, claimed uuid, is_stranger boolean)
    language plpgsql
as $$
declare
    problems text[] := '{}';
    tried    jsonb;
    answer   text;
begin
    for tried in select to_jsonb(attempts) from pg_temp.attempts()
                 union all
                 select to_jsonb(attempts) from pg_temp.shared_attempts() as attempts loop
        continue when tried ->> wanted is null;
        answer := pg_temp.attempt(tried ->> 'statement', role, member, claimed, is_stranger);
        if answer <> all (string_to_array(tried ->> wanted, ' or ')) then
            problems := problems || format('%s gives %s instead of %s', tried ->> 'name', answer, tried ->> wanted);
        end if;
    end loop;
    call pg_temp.report(name, problems);
exception when others then
    -- An owner that is not a superuser may be unable to become anon; the check of rights covers anon.
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
        call pg_temp.report('crossing', '{"only the database''s owner can try: this login may not read auth.users"}');
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

create procedure pg_temp.check_fence()
    language plpgsql
as $$
declare
    is_ours constant boolean  := pg_temp.is_ours();
    ours    constant regclass := pg_temp.verified();
    own     constant text     := '(( SELECT behavior.caller() AS caller) = user_id)';
begin
    call pg_temp.report('pgvector', pg_temp.pgvector_problems());
    call pg_temp.report('roles', pg_temp.role_problems(array[ours] || pg_temp.shared()));
    call pg_temp.report('members', pg_temp.member_problems());
    call pg_temp.report('migrations', pg_temp.right_problems(to_regclass('behavior.migrations'), '{SELECT}', true));
    call pg_temp.report('functions', pg_temp.function_problems());
    call pg_temp.report('owners', pg_temp.owner_problems(ours));
    call pg_temp.report('views', pg_temp.view_problems(ours));
    call pg_temp.report('indexes valid', pg_temp.index_problems(ours));
    call pg_temp.report('row level security', pg_temp.security_problems(ours, must_be_forced => is_ours));
    call pg_temp.report('rights', pg_temp.right_problems(ours, '{SELECT,INSERT,UPDATE,DELETE}', is_strict => is_ours));
    if is_ours then
        call pg_temp.report('policies', pg_temp.policy_problems(ours, own));
        call pg_temp.report('triggers', pg_temp.trigger_problems(ours));
        call pg_temp.report('statistics', pg_temp.statistics_problems(ours));
    else
        -- Its policies are attempted below.
        raise notice 'skipped: statistics: another program''s table; its statistics reveal its values to every login';
    end if;
end
$$;

-- Evidence and remarks have the same fence, whichever table has the patterns.
create procedure pg_temp.check_shared(name text, relation regclass)
    language plpgsql
as $$
declare
    own constant text := '(( SELECT behavior.caller() AS caller) = user_id)';
begin
    call pg_temp.report(name, pg_temp.security_problems(relation, true)
                              || pg_temp.right_problems(relation, '{SELECT,INSERT,UPDATE,DELETE}', true)
                              || pg_temp.policy_problems(relation, own)
                              || pg_temp.trigger_problems(relation)
                              || pg_temp.statistics_problems(relation)
                              || pg_temp.index_problems(relation)
                              || pg_temp.view_problems(relation));
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
