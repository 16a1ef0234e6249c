"""The migrations on a real database: running them, and what they must not touch."""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import pq

from behavior_plugin.config import Storage
from behavior_plugin.errors import SchemaError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import SQL, STORAGES, migrations
from tests.database import LOGIN, A, B, ask, dump, insert, made_database, make_user, member, rows, run_program, save
from tests.factories import make_pattern
from tests.search import nearest

PACKAGE = SQL.parent / "behavior_plugin"
FILES = [migration.file for migration in migrations("behavior_patterns")]
QUERIES = sorted(SQL.glob("**/queries/*.sql"))
ROUNDS = 5


@pytest.fixture(scope="module")
def whole(server: Server) -> Iterator[psycopg.Connection]:
    """A database with both storages; some queries use both."""
    with (
        made_database(server, "whole") as name,
        psycopg.connect(server.conninfo(dbname=name), autocommit=True) as connection,
    ):
        for storage in STORAGES:
            migrate(connection, storage)
        yield connection


@pytest.fixture
def filled(owner: psycopg.Connection) -> psycopg.Connection:
    """A migrated database with one pattern of A's and two of B's."""
    for user, count in ((A, 1), (B, 2)):
        make_user(owner, user)
        for number in range(count):
            insert(owner, user, f"{user[0]}{number}")
    return owner


def noted(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    return rows(connection, "select version, name from behavior.migrations order by version")


def known() -> list[tuple[int, str]]:
    return [(migration.version, migration.name) for migration in migrations("behavior_patterns")]


def run_by_hand(server: Server, dbname: str) -> list[tuple[int, str]]:
    """Run every file as sql/README.md says; returns the errors."""
    command = ("--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-f")
    done = [run_program(server, "psql", dbname, *command, str(file)) for file in FILES]
    return [(each.returncode, each.stderr) for each in done if each.returncode or "ERROR" in each.stderr]


def shape(server: Server, dbname: str) -> str:
    return dump(server, dbname, "--schema-only")


def works(server: Server, dbname: str, user: uuid.UUID | None = None) -> bool:
    """Whether a user of a migrated database can save a pattern and find it."""
    with psycopg.connect(server.conninfo(dbname=dbname), autocommit=True) as owner:
        member(owner, server, LOGIN, user)
    with closing(PostgresStore(server.conninfo(LOGIN, dbname))) as store:
        save(store, make_pattern(), [1.0] * 1536, "model")
        return len(nearest(store, [1.0] * 1536, "model", min_similarity=0.9, project=None, limit=5)) == 1


# Running


def test_first_run_creates_everything_and_second_nothing(server: Server, fresh: psycopg.Connection) -> None:
    """The worker migrates at each start."""
    first, second = migrate(fresh), migrate(fresh)

    assert first == [file.name for file in FILES]
    assert second == []
    assert noted(fresh) == known()
    assert works(server, fresh.info.dbname)


def test_concurrent_migrations_both_succeed(server: Server) -> None:
    """Two machines may share a new database and start in the same second."""

    def run(name: str, at_once: threading.Barrier) -> list[tuple[Any, ...]]:
        with psycopg.connect(server.conninfo(dbname=name), autocommit=True) as owner:
            at_once.wait(timeout=30)
            migrate(owner)
            return noted(owner)

    for _ in range(ROUNDS):
        at_once = threading.Barrier(2)
        with made_database(server, "raced") as name, ThreadPoolExecutor(max_workers=2) as threads:
            done = [threads.submit(run, name, at_once) for _ in range(2)]

        assert [each.result() for each in done] == [known(), known()]


def test_psql_can_run_the_migrations_repeatedly(server: Server, empty: str) -> None:
    """Administrators of a shared database read and run the files without our program."""
    first = run_by_hand(server, empty)
    made = shape(server, empty)
    second = run_by_hand(server, empty)

    assert (first, second) == ([], [])
    assert shape(server, empty) == made
    assert works(server, empty)


def test_psql_and_the_worker_create_the_same_schema(server: Server, empty: str, template: str) -> None:
    """There is only one schema."""
    run_by_hand(server, empty)

    assert shape(server, empty) == shape(server, template)


@pytest.mark.parametrize("storage", STORAGES)
def test_every_older_database_gets_the_shape_of_a_new_one(
    server: Server, templates: Callable[[Storage], str], storage: Storage
) -> None:
    """Whichever migration it stopped at, its columns, indexes, policies, rights and functions become the same."""
    made, steps = shape(server, templates(storage)), migrations(storage)
    for done in range(1, len(steps)):
        with made_database(server, f"older_{storage}_{done}") as name:
            for step in steps[:done]:
                run_program(server, "psql", name, "--no-psqlrc", "-f", str(step.file))
            with psycopg.connect(server.conninfo(dbname=name), autocommit=True) as owner:
                ran = migrate(owner, storage)

            assert ran == [step.file.name for step in steps[done:]]
            assert shape(server, name) == made


def test_running_the_migrations_again_keeps_the_rows(server: Server, filled: psycopg.Connection) -> None:
    """An upgrade that loses patterns is worse than none."""
    before = rows(filled, "select * from public.behavior_patterns order by id")

    failures = run_by_hand(server, filled.info.dbname)

    assert failures == []
    assert rows(filled, "select * from public.behavior_patterns order by id") == before


def test_database_of_a_newer_version_is_refused(owner: psycopg.Connection) -> None:
    """An old program on one machine must not write into a schema that it does not know."""
    owner.execute("insert into behavior.migrations (version, name) values (9999, 'from_the_future')")

    with pytest.raises(SchemaError, match="9999") as caught:
        migrate(owner)

    assert "Update the plugin" in caught.value.hint


def test_table_of_another_shape_is_refused_unchanged(fresh: psycopg.Connection) -> None:
    """It may be from the first draft of this table, with rows in it."""
    fresh.execute("create table public.behavior_patterns (id int, trigger text, trigger_embedding text)")
    fresh.execute("insert into public.behavior_patterns values (1, 'Fix the test', '')")

    with pytest.raises(SchemaError, match=r"0101_behavior_patterns\.sql: "):
        migrate(fresh)

    assert rows(fresh, "select * from public.behavior_patterns") == [(1, "Fix the test", "")]
    assert noted(fresh) == known()[:3]
    assert fresh.info.transaction_status == pq.TransactionStatus.IDLE


def test_login_without_rights_gets_a_readable_error(server: Server, template: str, empty: str) -> None:
    """The login of a user's own Postgres may lack the right to migrate."""
    assert template, "it brings the login, which all databases of a server share"
    with psycopg.connect(server.conninfo(LOGIN, empty), autocommit=True) as guest:
        with pytest.raises(SchemaError, match="permission denied") as caught:
            migrate(guest)
        assert guest.info.transaction_status == pq.TransactionStatus.IDLE

    assert "owner" in caught.value.hint


def test_member_can_check_that_no_migration_is_due(server: Server, database: str) -> None:
    """Members check at each start, and have no right to change anything."""
    with psycopg.connect(server.conninfo(LOGIN, database), autocommit=True) as member:
        assert migrate(member) == []


@pytest.mark.parametrize("schema", ["public", "extensions"])
def test_pgvector_is_used_in_its_own_schema(server: Server, fresh: psycopg.Connection, schema: str) -> None:
    """Other tables of the database expect it there."""
    fresh.execute(f"create schema if not exists {schema}".encode())
    fresh.execute(f"create extension vector with schema {schema}".encode())

    migrate(fresh)

    assert ask(fresh, "select extnamespace::regnamespace::text from pg_extension where extname = 'vector'") == schema
    assert works(server, fresh.info.dbname)


def test_closed_public_schema_is_opened_only_for_our_roles(server: Server, fresh: psycopg.Connection) -> None:
    """Careful owners revoke the rights of everybody on schema public."""
    fresh.execute("revoke all on schema public from public")

    migrate(fresh)

    assert works(server, fresh.info.dbname)
    assert not ask(fresh, "select has_schema_privilege('anon', 'public', 'usage')")


AUTH_OF_SOMEBODY_ELSE = f"""
create schema auth;
create table auth.users (id uuid primary key, email text unique, created_at timestamptz);
create function auth.uid() returns uuid language sql stable
    as $$ select (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid $$;
grant usage on schema auth to authenticated;
insert into auth.users values ('{A}', 'a@example.org');
"""
# A foreign key only adds the server's own triggers to the referenced table.
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


# The files


BEGINNING = r"""-- .+
(-- .+
)*begin;
set local lock_timeout = '15s';
select pg_advisory_xact_lock\(\d+\);
"""


def test_migrations_are_numbered_and_record_themselves() -> None:
    """The due migrations follow from the numbers alone."""
    everything = migrations(*STORAGES)
    assert len({migration.version for migration in everything}) == len(everything)
    for version, name, file in everything:
        text = file.read_text(encoding="utf-8")
        assert re.match(BEGINNING, text), file.name
        assert text.endswith(
            f"insert into behavior.migrations (version, name) values ({version}, '{name}') on conflict do nothing;\n"
            "commit;\n"
        ), file.name


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: f"{file.parents[1].name}: {file.stem}")
def test_each_query_has_a_header_and_a_caller(file: Path) -> None:
    """Unused queries cost maintenance."""
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))

    assert re.match(r"-- [A-Z].+\n(-- .+\n)*[a-z]", file.read_text(encoding="utf-8"))
    assert re.search(rf"""(query|_fetch|_execute)\("{file.stem}\"""", sources)


@pytest.mark.parametrize("file", QUERIES, ids=lambda file: f"{file.parents[1].name}: {file.stem}")
def test_each_query_matches_the_schema(whole: psycopg.Connection, file: Path) -> None:
    """A renamed column is found here, not in a user's session."""
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    text = file.read_text(encoding="utf-8").replace("{table}", "behavior.migrations")
    statement = re.sub(r"%\((\w+)\)s", numbered, text)
    whole.execute("set search_path = ''")
    result = whole.pgconn.prepare(b"", statement.encode())

    assert result.status == pq.ExecStatus.COMMAND_OK, result.error_message.decode()
