"""The checks of Supabase's database linter ("splinter"), rewritten.

The numbers are the linter's. Checks that do not apply to a schema are left out: 0005 and 0020 read statistics, 0012,
0019, 0022, 0025 and 0031 are about services and settings of a project, 0023 guesses by the names of columns, and 0026
and 0027 are about an extension that exposes every readable table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest

from behavior_plugin.config import Storage
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import STORAGES
from tests.database import made_database, rows

# All our objects are in these two; an API exposes the first. Objects of an extension are not ours.
PREPARED = """
create function pg_temp.is_ours(schema oid, object oid) returns boolean language sql as $$
    select schema in ('public'::regnamespace, 'behavior'::regnamespace)
           and not exists (select from pg_depend where objid = object and deptype = 'e')
$$;
create function pg_temp.is_shown(relation oid) returns boolean language sql as $$
    select relnamespace = 'public'::regnamespace
           and (has_any_column_privilege('anon', relation, 'select')
                or has_any_column_privilege('authenticated', relation, 'select'))
      from pg_class where oid = relation
$$;
create function pg_temp.is_invoker_s(options text[]) returns boolean language sql as $$
    select coalesce(bool_or(option_value::boolean), false)
      from pg_options_to_table(options) where option_name = 'security_invoker'
$$;
create temp view policies as
select polname::text as policy, polrelid::regclass::text as tablename, polrelid, polpermissive, polroles, polcmd,
       coalesce(pg_get_expr(polqual, polrelid), '') as using_text,
       coalesce(pg_get_expr(polwithcheck, polrelid), '') as check_text
  from pg_policy join pg_class on pg_class.oid = polrelid
 where pg_temp.is_ours(relnamespace, pg_class.oid);
create temp view tables as
select oid, oid::regclass::text as name, relnamespace, relrowsecurity
  from pg_class
 where relkind in ('r', 'p') and not relispartition and pg_temp.is_ours(relnamespace, oid);
create temp view functions as
select oid, proname::text as name, prosecdef, proconfig from pg_proc where pg_temp.is_ours(pronamespace, oid);
"""

# Each returns the names of faulty objects.
LINTS = {
    "0001 foreign key without an index": """
        select conname::text from pg_constraint join tables on conrelid = tables.oid
         where contype = 'f'
           and not exists (select from pg_index
                            where indrelid = conrelid and indisvalid and indpred is null
                              and (indkey::int2[])[0:cardinality(conkey) - 1] @> conkey)""",
    "0002 auth.users is shown": """
        select distinct ev_class::regclass::text
          from pg_rewrite join pg_depend on classid = 'pg_rewrite'::regclass and objid = pg_rewrite.oid
         where refobjid = 'auth.users'::regclass and pg_temp.is_shown(ev_class)""",
    "0003 policy that asks who it is for each row": r"""
        select policy from policies
         where regexp_replace(using_text || check_text, '\( SELECT [^()]+\([^()]*\)[^()]*\)', '', 'g')
               ~ '\m(auth|behavior)\.\w+\(|current_setting\('""",
    "0004 table without a primary key": """
        select name from tables
         where not exists (select from pg_constraint where conrelid = tables.oid and contype = 'p')""",
    "0006 several permissive policies for one verb": """
        select distinct tablename
          from policies,
               unnest(case polcmd when '*' then '{r,a,w,d}' else array[polcmd] end) verb,
               unnest(case when 0 = any (polroles) then array(select oid from pg_roles) else polroles end) role
         where polpermissive
         group by tablename, verb, role
        having count(*) > 1""",
    "0007 policy on a table whose fence is down": """
        select distinct name from tables join policies on polrelid = tables.oid where not relrowsecurity""",
    "0008 fence without a policy": """
        select name from tables
         where relrowsecurity and not exists (select from policies where polrelid = tables.oid)""",
    "0009 the same index twice": r"""
        select indrelid::regclass::text
          from pg_index join tables on indrelid = tables.oid
         group by indrelid, regexp_replace(pg_get_indexdef(indexrelid), ' INDEX \S+ ON ', ' INDEX ON ')
        having count(*) > 1""",
    "0010 view with the rights of its owner": """
        select oid::regclass::text from pg_class
         where relkind = 'v' and pg_temp.is_shown(oid) and not pg_temp.is_invoker_s(reloptions)""",
    "0011 function with the search_path of its caller": """
        select name from functions
         where not exists (select from unnest(proconfig) setting where setting like 'search_path=%')""",
    "0013 table without a fence": """
        select name from tables where relnamespace = 'public'::regnamespace and not relrowsecurity""",
    "0014 extension among the tables": """
        select extname::text from pg_extension where extnamespace = 'public'::regnamespace""",
    "0015 policy that believes what users say of themselves": """
        select policy from policies where using_text || check_text like '%user_metadata%'""",
    "0016 materialized view is shown": """
        select oid::regclass::text from pg_class where relkind = 'm' and pg_temp.is_shown(oid)""",
    "0017 foreign table is shown": """
        select oid::regclass::text from pg_class where relkind = 'f' and pg_temp.is_shown(oid)""",
    "0018 type that no upgrade takes along": """
        select name from tables join pg_attribute on attrelid = tables.oid
         where atttypid in ('regcollation'::regtype, 'regconfig'::regtype, 'regdictionary'::regtype,
                            'regnamespace'::regtype, 'regoper'::regtype, 'regoperator'::regtype, 'regproc'::regtype,
                            'regprocedure'::regtype)""",
    "0021 foreign key to what is no primary key of auth's": """
        select conname::text
          from pg_constraint join tables on conrelid = tables.oid join pg_class target on target.oid = confrelid
         where contype = 'f' and target.relnamespace = 'auth'::regnamespace
           and not (select indisprimary from pg_index where indexrelid = conindid)""",
    "0024 policy that is always true": r"""
        select policy from policies
         where polpermissive
           and (using_text ~ '^(true|\((\S+) = \2\))$' or check_text ~ '^(true|\((\S+) = \2\))$'
                or using_text || check_text = '')""",
    "0028 definer's function that anon may call": """
        select name from functions where prosecdef and has_function_privilege('anon', oid, 'execute')""",
    "0029 definer's function that users may call": """
        select name from functions where prosecdef and has_function_privilege('authenticated', oid, 'execute')""",
    "0030 policy that is true for nobody": r"""
        select policy from policies where using_text ~ '(auth\.\w+\(\)|behavior\.caller\(\)).{0,30} IS NULL\) OR'""",
    "0030 index that is not valid": """
        select indexrelid::regclass::text from pg_index join tables on indrelid = tables.oid where not indisvalid""",
}

NOTES = "create table public.notes (id int primary key, user_id uuid, kind text);"
FENCED = f"{NOTES} alter table public.notes enable row level security;"
POLICY = "create policy mine on public.notes"
# For each lint a planted fault, and its name in the result.
DEFECTS = {
    "0001": (f"{NOTES} alter table public.notes add foreign key (user_id) references auth.users", "notes_user_id_fkey"),
    "0002": ("create view public.people with (security_invoker) as select id from auth.users", "people"),
    "0003": (f"{FENCED} {POLICY} using (auth.uid() = user_id)", "mine"),
    "0004": ("create table public.notes (id int)", "notes"),
    "0006": (
        f"{FENCED} {POLICY} using (id > 1); create policy b on public.notes for select to anon using (id < 0)",
        "notes",
    ),
    "0007": (f"{NOTES} {POLICY} using (id > 1)", "notes"),
    "0008": (FENCED, "notes"),
    "0009": (f"{NOTES} create index a on public.notes (kind); create index b on public.notes (kind)", "notes"),
    "0010": (f"{NOTES} create view public.all_notes as select * from public.notes", "all_notes"),
    "0011": ("create function public.f() returns int language sql as 'select 1'", "f"),
    "0013": (NOTES, "notes"),
    "0014": ("alter extension vector set schema public", "vector"),
    "0015": (f"{FENCED} {POLICY} using (current_setting('x')::jsonb -> 'user_metadata' ? 'admin')", "mine"),
    "0016": (f"{NOTES} create materialized view public.all_notes as select * from public.notes", "all_notes"),
    "0017": (
        "create foreign data wrapper w; create server s foreign data wrapper w;"
        "create foreign table public.far (id int) server s",
        "far",
    ),
    "0018": ("create table public.notes (id int primary key, function regprocedure)", "notes"),
    "0021": (
        "alter table auth.users add email text unique;"
        "create table public.notes (id int primary key, email text references auth.users (email))",
        "notes_email_fkey",
    ),
    "0024": (f"{FENCED} {POLICY} using (1 = 1)", "mine"),
    "0028": ("create function public.f() returns int language sql security definer return 1", "f"),
    "0029": ("create function public.f() returns int language sql security definer return 1", "f"),
    "0030 policy": (f"{FENCED} {POLICY} using ((select auth.uid()) is null or (select auth.uid()) = user_id)", "mine"),
    "0030 index": (
        f"{NOTES} create index a on public.notes (kind);"
        "update pg_index set indisvalid = false where indexrelid = 'public.a'::regclass",
        "a",
    ),
}


@pytest.fixture(scope="module")
def projects(server: Server, templates: Callable[[Storage], str]) -> Iterator[dict[Storage, psycopg.Connection]]:
    """A database for each storage that, like Supabase's, grants all new objects to all roles."""
    with ExitStack() as stack:
        found = {}
        for storage in STORAGES:
            assert templates(storage), "it brings the roles, which all databases of a server share"
            name = stack.enter_context(made_database(server, f"linted_{storage}"))
            conninfo = server.conninfo(dbname=name)
            owner = found[storage] = stack.enter_context(psycopg.connect(conninfo, autocommit=True))
            for kind in ("tables", "functions"):
                everyone = "anon, authenticated, service_role"
                owner.execute(f"alter default privileges grant all on {kind} to {everyone}".encode())
            migrate(owner, storage)
            owner.execute(PREPARED)
        yield found


@pytest.mark.parametrize("lint", LINTS)
@pytest.mark.parametrize("storage", STORAGES)
def test_supabase_linter_finds_nothing(
    projects: dict[Storage, psycopg.Connection], storage: Storage, lint: str
) -> None:
    """Users of the linter should see none of our objects in its report."""
    assert rows(projects[storage], LINTS[lint]) == []


@pytest.mark.parametrize("lint", LINTS)
def test_lints_find_planted_faults(projects: dict[Storage, psycopg.Connection], lint: str) -> None:
    """A wrong query finds nothing either."""
    owner = projects["behavior_patterns"]
    [(defect, name)] = [defect for number, defect in DEFECTS.items() if lint.startswith(number)]

    with owner.transaction(force_rollback=True):
        owner.execute(defect.encode())
        found = rows(owner, LINTS[lint])

    assert found == [(name,)]
