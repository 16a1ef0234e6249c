"""Our SQL for real: how it is run, what it leaves alone, and who may see and do what afterwards."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict

from behavior_plugin.errors import SchemaError
from behavior_plugin.store import binaries
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.query import SQL, STORAGES, migrations
from behavior_plugin.store.server import Server
from tests.conftest import LOGIN
from tests.factories import make_pattern

PACKAGE = SQL.parent / "behavior_plugin"
FILES = [migration.file for migration in migrations("behavior_patterns")]
QUERIES = sorted(SQL.glob("**/queries/*.sql"))
ROUNDS = 5
_numbers = itertools.count(1)

A = "aaaaaaaa-0000-4000-8000-00000000000a"
B = "bbbbbbbb-0000-4000-8000-00000000000b"
VECTOR = str([1] * 1536)
INSERT = """
insert into public.behavior_patterns
       (user_id, source_key, session_id, project, trigger, trigger_embedding, embedding_model,
        final_outcome, started_at)
values (%(user)s, %(key)s, 'session', 'project', 'Fix the test', %(vector)s, 'model',
        'success', now())
"""


@pytest.fixture
def empty(server: Server) -> str:
    """The name of a database without anything of ours."""
    name = f"empty_{next(_numbers)}"
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    return name


@pytest.fixture
def fresh(server: Server, empty: str) -> Iterator[psycopg.Connection]:
    """A connection that may do everything, to a database without anything of ours."""
    with psycopg.connect(server.conninfo(dbname=empty), autocommit=True) as connection:
        yield connection


@pytest.fixture
def filled(owner: psycopg.Connection) -> psycopg.Connection:
    """A migrated database with one pattern of A's and two of B's."""
    for user, count in ((A, 1), (B, 2)):
        make_user(owner, user)
        for number in range(count):
            insert(owner, user, f"{user[0]}{number}")
    return owner


def make_user(owner: psycopg.Connection, user: str) -> None:
    owner.execute("insert into auth.users (id) values (%s)", [user])


def insert(connection: psycopg.Connection, user: str, key: str) -> None:
    """Keep a pattern as SQL does it, whoever the connection says it is."""
    connection.execute(INSERT.encode(), {"user": user, "key": key, "vector": VECTOR})


def ask(connection: psycopg.Connection, question: str, values: list[Any] | dict[str, Any] | None = None) -> Any:
    """The one value that a query returns."""
    row = connection.execute(question.encode(), values).fetchone()
    assert row is not None
    return row[0]


def rows(connection: psycopg.Connection, question: str) -> list[tuple[Any, ...]]:
    return connection.execute(question.encode()).fetchall()


def noted(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return rows(connection, "select version, name from behavior.migrations order by version")


def known() -> list[tuple[int, str]]:
    return [(migration.version, migration.name) for migration in migrations("behavior_patterns")]


def run_program(server: Server, name: str, dbname: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run one of Postgres' own programs on a database; the password goes by the environment."""
    to = conninfo_to_dict(server.conninfo(dbname=dbname))
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password", "PGDATABASE": "dbname"}
    environment = {**os.environ, **{variable: str(to[key]) for variable, key in names.items()}}
    command = [binaries.find().program(name), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def run_by_hand(server: Server, dbname: str) -> list[tuple[int, str]]:
    """Run every file as sql/README.md says; returns what went wrong."""
    command = ("--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-f")
    done = [run_program(server, "psql", dbname, *command, str(file)) for file in FILES]
    return [(each.returncode, each.stderr) for each in done if each.returncode or "ERROR" in each.stderr]


def dump(server: Server, dbname: str) -> str:
    """The whole shape of a database, without the key that each dump makes up."""
    done = run_program(server, "pg_dump", dbname, "--schema-only")
    assert done.returncode == 0, done.stderr
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def works(server: Server, dbname: str, user: uuid.UUID | None = None) -> bool:
    """Whether a user of a migrated database can keep a pattern and find it again."""
    with psycopg.connect(server.conninfo(dbname=dbname), autocommit=True) as owner:
        make_login(owner, LOGIN, server.password)
        add_member(owner, LOGIN, user)
    store = PostgresStore(server.conninfo(LOGIN, dbname))
    try:
        store.save(make_pattern(), [1.0] * 1536, "model")
        return len(store.nearest([1.0] * 1536, "model", floor=0.9, project=None, limit=5)) == 1
    finally:
        store.close()


# Running


def test_first_run_makes_everything_and_the_second_nothing(server: Server, fresh: psycopg.Connection) -> None:
    """The worker migrates at each start."""
    first, second = migrate(fresh), migrate(fresh)

    assert first == [file.name for file in FILES]
    assert second == []
    assert noted(fresh) == known()
    assert works(server, fresh.info.dbname)


def test_two_that_migrate_at_once_both_succeed(server: Server) -> None:
    """Two machines may share one new database and start in the same second."""
    for _ in range(ROUNDS):
        name = f"raced_{next(_numbers)}"
        with psycopg.connect(server.conninfo(), autocommit=True) as admin:
            admin.execute(f"create database {name}".encode())
        at_once = threading.Barrier(2)

        def run(name: str, at_once: threading.Barrier) -> list[tuple[Any, ...]]:
            with psycopg.connect(server.conninfo(dbname=name), autocommit=True) as owner:
                at_once.wait(timeout=30)
                migrate(owner)
                return noted(owner)

        with ThreadPoolExecutor(max_workers=2) as threads:
            done = [threads.submit(run, name, at_once) for _ in range(2)]

        assert [each.result() for each in done] == [known(), known()]


def test_psql_alone_can_run_the_files_and_run_them_again(server: Server, empty: str) -> None:
    """Whoever looks after a shared database reads and runs the files without our program."""
    first = run_by_hand(server, empty)
    shape = dump(server, empty)
    second = run_by_hand(server, empty)

    assert (first, second) == ([], [])
    assert dump(server, empty) == shape
    assert works(server, empty)


def test_psql_and_the_worker_make_the_same_database(server: Server, empty: str, template: str) -> None:
    """There is one shape, whoever made it."""
    run_by_hand(server, empty)

    assert dump(server, empty) == dump(server, template)


def test_running_again_keeps_the_rows(server: Server, filled: psycopg.Connection) -> None:
    """An upgrade that loses what was learned is worse than none."""
    before = rows(filled, "select * from public.behavior_patterns order by id")

    failures = run_by_hand(server, filled.info.dbname)

    assert failures == []
    assert rows(filled, "select * from public.behavior_patterns order by id") == before


def test_database_of_a_newer_version_is_refused(owner: psycopg.Connection) -> None:
    """An old program on one machine must not write into a shape that it does not know."""
    owner.execute("insert into behavior.migrations (version, name) values (9999, 'from_the_future')")

    with pytest.raises(SchemaError, match="9999") as caught:
        migrate(owner)

    assert "Update the plugin" in caught.value.hint


def test_table_of_another_shape_is_refused_and_left_as_it_is(fresh: psycopg.Connection) -> None:
    """Somebody may have run the first draft of this table, and may have rows in it."""
    fresh.execute("create table public.behavior_patterns (id int, trigger text, trigger_embedding text)")
    fresh.execute("insert into public.behavior_patterns values (1, 'Fix the test', '')")

    with pytest.raises(SchemaError, match=r"0101_behavior_patterns\.sql: "):
        migrate(fresh)

    assert rows(fresh, "select * from public.behavior_patterns") == [(1, "Fix the test", "")]
    assert noted(fresh) == known()[:3]
    assert fresh.info.transaction_status == pq.TransactionStatus.IDLE


def test_login_without_rights_is_refused_in_our_words(server: Server, template: str, empty: str) -> None:
    """A user's own Postgres may give a login that may not migrate."""
    assert template, "it brings the login, which all databases of a server share"
    with psycopg.connect(server.conninfo(LOGIN, empty), autocommit=True) as guest:
        with pytest.raises(SchemaError, match="permission denied") as caught:
            migrate(guest)
        assert guest.info.transaction_status == pq.TransactionStatus.IDLE

    assert "owner" in caught.value.hint


def test_member_sees_that_nothing_is_due(server: Server, database: str) -> None:
    """Who works in a team's database looks at each start, and may not change anything."""
    with psycopg.connect(server.conninfo(LOGIN, database), autocommit=True) as member:
        assert migrate(member) == []


@pytest.mark.parametrize("schema", ["public", "extensions"])
def test_pgvector_is_used_where_it_lives(server: Server, fresh: psycopg.Connection, schema: str) -> None:
    """A database that has pgvector already keeps it where its other tables expect it."""
    fresh.execute(f"create schema if not exists {schema}".encode())
    fresh.execute(f"create extension vector with schema {schema}".encode())

    migrate(fresh)

    assert ask(fresh, "select extnamespace::regnamespace::text from pg_extension where extname = 'vector'") == schema
    assert works(server, fresh.info.dbname)


def test_public_schema_that_was_closed_is_opened_for_our_callers_alone(
    server: Server, fresh: psycopg.Connection
) -> None:
    """Careful owners take everybody's rights on schema public away."""
    fresh.execute("revoke all on schema public from public")

    migrate(fresh)

    assert works(server, fresh.info.dbname)
    assert not ask(fresh, "select has_schema_privilege('anon', 'public', 'usage')")


AUTH_OF_SOMEBODY_ELSE = """
create schema auth;
create table auth.users (id uuid primary key, email text unique, created_at timestamptz);
create function auth.uid() returns uuid language sql stable
    as $$ select (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid $$;
grant usage on schema auth to authenticated;
insert into auth.users values ('aaaaaaaa-0000-4000-8000-00000000000a', 'a@example.org');
"""
# Referring to a table puts triggers of the server's own on it, and nothing else.
SHAPE_OF_AUTH = """
select 'schema', nspname, nspowner::regrole::text, nspacl::text from pg_namespace where nspname = 'auth'
union all
select 'function', proname, proowner::regrole::text || prosrc, proacl::text from pg_proc
 where pronamespace = 'auth'::regnamespace
union all
select 'relation', relname, relowner::regrole::text || relrowsecurity, relacl::text from pg_class
 where relnamespace = 'auth'::regnamespace
union all
select 'column', attname, attrelid::regclass::text || format_type(atttypid, atttypmod), attnotnull::text
  from pg_attribute where attrelid = 'auth.users'::regclass and attnum > 0
union all
select 'row', id::text, email, created_at::text from auth.users
 order by 1, 2, 3
"""


def test_existing_auth_schema_is_never_touched(server: Server, template: str, fresh: psycopg.Connection) -> None:
    """On Supabase it belongs to the login of every other application in the project."""
    assert template, "it brings the roles, which all databases of a server share"
    fresh.execute(AUTH_OF_SOMEBODY_ELSE.encode())
    before = rows(fresh, SHAPE_OF_AUTH)

    migrate(fresh)

    assert rows(fresh, SHAPE_OF_AUTH) == before
    assert run_by_hand(server, fresh.info.dbname) == []
    assert rows(fresh, SHAPE_OF_AUTH) == before
    assert works(server, fresh.info.dbname, uuid.UUID(A))
    assert rows(fresh, SHAPE_OF_AUTH) == before


# Who may do what

CLAIMS = {
    "authenticated A": ("authenticated", f'{{"sub": "{A}"}}'),
    "authenticated B": ("authenticated", f'{{"sub": "{B}"}}'),
    "anon": ("anon", ""),
    "anon with A's claims": ("anon", f'{{"sub": "{A}"}}'),
    "no claims": ("authenticated", ""),
    "not a UUID": ("authenticated", '{"sub": "nobody"}'),
    "administrator": ("service_role", ""),
}
FIND = "select count(*) from public.find_similar_patterns(%(vector)s, 'model', -1, 50)"
COUNT_USE = "select public.increment_pattern_use_count(%(row)s)"
ATTEMPTS = {
    "select": "select count(*) from public.behavior_patterns",
    "insert own": INSERT.replace("%(user)s", "%(own)s"),
    "insert other's": INSERT.replace("%(user)s", "%(other)s"),
    "update other's": "update public.behavior_patterns set trigger = 'x' where id = %(row)s",
    "delete other's": "delete from public.behavior_patterns where id = %(row)s",
    "truncate": "truncate public.behavior_patterns",
    "find": FIND,
    "count use of other's": COUNT_USE,
}
# Expected is an error by its SQLSTATE, the number of rows, or what the function returned. A has one pattern and B has
# two; for who is neither, A is "own" and B is "other".
DENIED = "42501"
NOUUID = "22P02"
# fmt: off
RIGHTS = {
    # identity               select  ins own ins oth update  delete  truncat find    count use
    "authenticated A":      (1,      1,      DENIED, 0,      0,      DENIED, 1,      False),
    "authenticated B":      (2,      1,      DENIED, 0,      0,      DENIED, 2,      False),
    "anon":                 (DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED),
    "anon with A's claims": (DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED, DENIED),
    "no claims":            (0,      DENIED, DENIED, 0,      0,      DENIED, 0,      False),
    "not a UUID":           (NOUUID, NOUUID, NOUUID, NOUUID, NOUUID, DENIED, NOUUID, NOUUID),
}
# fmt: on
CASES = [
    pytest.param(identity, attempt, expected, id=f"{identity}: {attempt}")
    for identity, results in RIGHTS.items()
    for attempt, expected in zip(ATTEMPTS, results, strict=True)
]


@contextmanager
def acting_as(connection: psycopg.Connection, identity: str) -> Iterator[None]:
    """Be somebody for one transaction, as the API in front of the database says it."""
    with connection.transaction():
        connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)", CLAIMS[identity]
        )
        yield


@pytest.mark.parametrize(("identity", "attempt", "expected"), CASES)
def test_each_identity_may_do_what_the_table_says_and_no_more(
    filled: psycopg.Connection, identity: str, attempt: str, expected: object
) -> None:
    """The fence between two users is this table; the program on the other side of it can be replaced by anyone."""
    own, other = (B, A) if identity == "authenticated B" else (A, B)
    row = ask(filled, "select id from public.behavior_patterns where user_id = %s limit 1", [other])
    values = {"own": own, "other": other, "row": row, "key": "new", "vector": VECTOR}

    try:
        with acting_as(filled, identity):
            done = filled.execute(ATTEMPTS[attempt].encode(), values)
            [result] = (done.fetchone() or ()) if done.description else (done.rowcount,)
    except psycopg.Error as error:
        result = error.sqlstate

    assert result == expected
    unharmed = "select count(*) from public.behavior_patterns where user_id = %s and use_count = 0 and trigger <> 'x'"
    assert ask(filled, unharmed, [other]) == {A: 1, B: 2}[other]


@pytest.mark.parametrize(
    "statement",
    [
        f"update public.behavior_patterns set user_id = '{B}'",
        "update public.behavior_patterns set id = gen_random_uuid()",
        "update public.behavior_patterns set source_key = 'another'",
        "update public.behavior_patterns set created_at = '1970-01-01'",
        "update public.behavior_patterns set updated_at = '2999-01-01'",
        "insert into public.behavior_patterns (id) values (gen_random_uuid())",
        "insert into public.behavior_patterns (use_count) values (2147483647)",
        "insert into public.behavior_patterns (created_at) values ('1970-01-01')",
        "alter table public.behavior_patterns disable row level security",
        "create policy everything on public.behavior_patterns using (true)",
        "select * from auth.users",
        "insert into behavior.migrations (version, name) values (9999, 'x')",
        f"insert into behavior.members (login, user_id) values ('mine', '{B}')",
        f"update behavior.members set user_id = '{B}'",
    ],
)
def test_user_cannot_change_what_the_server_decides(filled: psycopg.Connection, statement: str) -> None:
    """Ids, owners, dates and the fence itself are facts, and not a client's opinion."""
    with pytest.raises(psycopg.errors.InsufficientPrivilege), acting_as(filled, "authenticated A"):
        filled.execute(statement.encode())


def test_login_is_its_own_user_whatever_it_claims(server: Server, filled: psycopg.Connection) -> None:
    """Claims are a setting that any client can write, so a direct login is fenced in by what the server checked."""
    with psycopg.connect(server.conninfo(LOGIN, filled.info.dbname), autocommit=True) as worker:
        worker.execute("select set_config('request.jwt.claims', %s, false)", [CLAIMS["authenticated A"][1]])
        seen = ask(worker, "select count(*) from public.behavior_patterns")
        found = ask(worker, FIND, {"vector": VECTOR})
        changed = worker.execute("update public.behavior_patterns set trigger = 'x'").rowcount
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            insert(worker, A, "forged")
        rights = worker.execute(
            "select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
        ).fetchone()
        others = [role for role in ("anon", "service_role", "postgres") if _may_become(worker, role)]

    assert (seen, found, changed) == (0, 0, 0)
    assert rights == (False,) * 4
    assert others == []


def test_login_that_is_no_member_is_nobody(server: Server, filled: psycopg.Connection) -> None:
    """Whoever gives a login the users' role without saying whose it is has opened nothing."""
    filled.execute("delete from behavior.members")
    with psycopg.connect(server.conninfo(LOGIN, filled.info.dbname), autocommit=True) as worker:
        worker.execute("select set_config('request.jwt.claims', %s, false)", [CLAIMS["authenticated A"][1]])

        assert ask(worker, "select count(*) from public.behavior_patterns") == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            insert(worker, A, "forged")


def _may_become(connection: psycopg.Connection, role: str) -> bool:
    return bool(ask(connection, "select pg_has_role(current_user, %s, 'set')", [role]))


def test_administrator_s_role_sees_all_and_cannot_truncate(filled: psycopg.Connection) -> None:
    """The service role of Supabase is for looking after all users; emptying the table is never part of that."""
    row = ask(filled, "select id from public.behavior_patterns limit 1")

    with acting_as(filled, "administrator"):
        seen = ask(filled, "select count(*) from public.behavior_patterns")
        found = ask(filled, FIND, {"vector": VECTOR})
        counted = ask(filled, COUNT_USE, {"row": row})

    assert seen == 3
    assert (found, counted) == (0, False), "what is recalled is a user's, and it is none"
    with pytest.raises(psycopg.errors.InsufficientPrivilege), acting_as(filled, "administrator"):
        filled.execute("truncate public.behavior_patterns")


RIGHTS_ON_OURS = """
select relname, '', grantee::regrole::text, privilege_type
  from pg_class, aclexplode(relacl) where relnamespace = 'public'::regnamespace and relkind in ('r', 'v', 'S')
union all
select attrelid::regclass::text, attname, grantee::regrole::text, privilege_type
  from pg_attribute, aclexplode(attacl) where attrelid = 'public.behavior_patterns'::regclass
union all
select proname, '', grantee::regrole::text, privilege_type
  from pg_proc, aclexplode(proacl) where pronamespace = 'public'::regnamespace
 order by 1, 2, 3, 4
"""


def test_rights_are_the_same_where_everything_new_is_given_to_everyone(
    owner: psycopg.Connection, fresh: psycopg.Connection
) -> None:
    """Supabase's projects grant each new table and function to all roles, and truncate asks no policy."""
    for kind in ("tables", "functions", "sequences"):
        everyone = "anon, authenticated, service_role"
        fresh.execute(f"alter default privileges in schema public grant all on {kind} to {everyone}".encode())

    migrate(fresh)

    assert rows(fresh, RIGHTS_ON_OURS) == rows(owner, RIGHTS_ON_OURS)


def test_owner_of_the_table_is_fenced_in_as_well(filled: psycopg.Connection) -> None:
    """A program that connects as the table's owner by mistake must see nothing rather than everybody."""
    with filled.transaction(force_rollback=True):
        filled.execute("create role table_owner nologin nosuperuser nobypassrls")
        filled.execute("grant create, usage on schema public to table_owner")
        filled.execute("grant usage on schema auth to table_owner")
        filled.execute("alter table public.behavior_patterns owner to table_owner")
        filled.execute("set local role table_owner")
        filled.execute("select set_config('request.jwt.claims', %s, true)", [f'{{"sub": "{A}"}}'])

        seen = ask(filled, "select count(*) from public.behavior_patterns")
        deleted = filled.execute("delete from public.behavior_patterns").rowcount
        with pytest.raises(psycopg.errors.InsufficientPrivilege), filled.transaction():
            insert(filled, A, "new")

    assert (seen, deleted) == (0, 0)


def test_every_table_of_ours_has_its_fence_up(owner: psycopg.Connection) -> None:
    """A table that a later migration adds is as open as Postgres makes it."""
    tables = rows(
        owner,
        """select relname, relrowsecurity, relforcerowsecurity from pg_class
            where relkind in ('r', 'p', 'v', 'm') and relnamespace = 'public'::regnamespace""",
    )

    assert tables == [("behavior_patterns", True, True)]


def test_functions_run_with_the_caller_s_rights_and_a_pinned_path(owner: psycopg.Connection) -> None:
    """With the owner's rights, or the caller's path, each of them is a way around the fence."""
    functions = rows(
        owner,
        """select proname, prosecdef, proconfig,
                  array(select grantee::regrole::text from aclexplode(proacl)
                         where grantee <> proowner order by 1)
             from pg_proc
            where pronamespace = 'public'::regnamespace
            order by proname""",
    )

    pinned = ['search_path=""']
    assert functions == [
        ("find_similar_patterns", False, pinned, ["authenticated", "service_role"]),
        ("increment_pattern_use_count", False, pinned, ["authenticated", "service_role"]),
        ("update_behavior_pattern_timestamp", False, pinned, []),
    ]


def test_caller_s_own_operator_and_tables_do_not_get_in(filled: psycopg.Connection) -> None:
    """With a schema of one's own in front, the first draft's functions could be made to run anything."""
    filled.execute("create schema planted authorization authenticated")
    filled.execute("set search_path = pg_temp, planted, extensions, public")
    mine = ask(filled, "select id from public.behavior_patterns where user_id = %s", [A])

    with acting_as(filled, "authenticated A"):
        filled.execute("create temp table behavior_patterns (like public.behavior_patterns)")
        filled.execute("create table planted.behavior_patterns (like public.behavior_patterns)")
        filled.execute(
            """create function planted.distance(vector, vector) returns float8 language plpgsql
                   as $$ begin raise exception 'the planted operator was called'; end $$"""
        )
        filled.execute("create operator planted.<=> (function = planted.distance, leftarg = vector, rightarg = vector)")
        with pytest.raises(psycopg.errors.RaiseException), filled.transaction():
            filled.execute("select %s::vector <=> %s::vector", [VECTOR, VECTOR])

        found = ask(filled, FIND, {"vector": VECTOR})
        counted = ask(filled, COUNT_USE, {"row": mine})

    assert (found, counted) == (1, True)
    assert ask(filled, "select use_count from public.behavior_patterns where id = %s", [mine]) == 1


# The files


def test_migrations_have_a_number_each_and_note_themselves() -> None:
    """What is due is told from the numbers alone."""
    everything = migrations(*STORAGES)
    assert len({migration.version for migration in everything}) == len(everything)
    for version, name, file in everything:
        text = file.read_text(encoding="utf-8")
        assert re.match(r"-- .+\n(-- .+\n)*begin;\nselect pg_advisory_xact_lock\(\d+\);\n", text), file.name
        assert text.endswith(
            f"insert into behavior.migrations (version, name) values ({version}, '{name}') on conflict do nothing;\n"
            "commit;\n"
        ), file.name


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_each_query_says_what_it_answers_and_is_asked_somewhere(file: Path) -> None:
    """A query that nobody asks is read and kept up for nothing."""
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))

    assert re.match(r"-- [A-Z].+\n(-- .+\n)*[a-z]", file.read_text(encoding="utf-8"))
    assert re.search(rf"""(query|_fetch)\("{file.stem}\"""", sources)


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: file.stem)
def test_each_query_fits_the_migrated_database(owner: psycopg.Connection, file: Path) -> None:
    """A column that a migration renames is found here, and not in somebody's session."""
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    statement = re.sub(r"%\((\w+)\)s", numbered, file.read_text(encoding="utf-8"))
    owner.execute("set search_path = ''")
    result = owner.pgconn.prepare(b"", statement.encode())

    assert result.status == pq.ExecStatus.COMMAND_OK, result.error_message.decode()
