"""The migrations on Supabase: the files for its CLI, and a database like its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from behavior_plugin.cli import cli
from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.maintenance.supabase import write_migrations
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import STORAGES, migrations
from tests.database import A, made_database, rows

# A new project: the schema auth with a table that we must not fill, pgvector in its own schema, and an owner that is
# not a superuser but bypasses every policy.
PROJECT = """
create role project_owner login createrole createdb bypassrls password {password};
alter database {database} owner to project_owner;
grant anon, authenticated, service_role to project_owner with admin option;
create schema auth;
create table auth.users (id uuid primary key, instance_id uuid, email text);
create function auth.uid() returns uuid language sql stable
    as $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
create function auth.role() returns text language sql stable
    as $$ select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role' $$;
grant usage on schema auth to anon, authenticated, service_role, project_owner;
grant all on auth.users to project_owner;
create schema extensions authorization project_owner;
grant usage on schema extensions to anon, authenticated, service_role;
create extension vector with schema extensions;
grant all on schema public to project_owner;
insert into auth.users values ('{user}', null, 'a@example.org');
"""


@pytest.mark.parametrize("storage", STORAGES)
def test_migrations_are_written_unchanged_and_in_order(tmp_path: Path, storage: Storage) -> None:
    """`supabase db push` runs the same files as we do."""
    written = write_migrations(tmp_path, storage)

    assert sorted(written) == written == sorted((tmp_path / "supabase" / "migrations").iterdir())
    assert [file.read_bytes() for file in written] == [each.file.read_bytes() for each in migrations(storage)]
    assert all(re.fullmatch(r"\d{14}_[a-z_]+\.sql", file.name) for file in written)


@pytest.mark.parametrize("storage", STORAGES)
def test_new_migrations_sort_after_those_of_earlier_versions(tmp_path: Path, storage: Storage) -> None:
    """The CLI refuses to push a file that sorts before one that was pushed already."""
    written = [file.name for file in write_migrations(tmp_path, storage)]

    released = [name for name in written if int(name[8:14]) < 300]
    assert released == written[: len(released)]
    assert [name[8:] for name in written[len(released) :]] == [
        "000301_episodes.sql",
        "000302_remarks.sql",
        "000303_redaction_version.sql",
        "000304_forgotten.sql",
        "000401_workflows.sql" if storage == "behavior_patterns" else "000501_workflows.sql",
    ]


def test_second_run_writes_nothing(tmp_path: Path) -> None:
    """After an update only new migrations are added."""
    first, *others = write_migrations(tmp_path, "behavior_patterns")
    first.unlink()

    assert write_migrations(tmp_path, "behavior_patterns") == [first]
    assert write_migrations(tmp_path, "behavior_patterns") == []
    assert all(file.exists() for file in others)


def test_existing_file_with_other_content_is_left_alone(tmp_path: Path) -> None:
    """It may have been pushed already."""
    first, *others = write_migrations(tmp_path, "behavior_patterns")
    first.write_text("-- mine")
    others[0].unlink()

    with pytest.raises(BehaviorError, match=f"{re.escape(str(first))} differs") as caught:
        write_migrations(tmp_path, "behavior_patterns")

    assert "pushed already" in caught.value.hint

    assert first.read_text() == "-- mine"
    assert not others[0].exists()


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    """A mistyped folder is not a bug."""
    Path(tmp_path, "supabase").touch()

    with pytest.raises(BehaviorError, match=r"supabase.* cannot be written: Not a directory") as caught:
        write_migrations(tmp_path, "behavior_patterns")

    assert caught.value.hint == "Choose another folder."


def test_command_names_the_folder_of_existing_migrations(tmp_path: Path) -> None:
    """The message has to name the folder."""
    first, second = (CliRunner().invoke(cli, ["db", "supabase", str(tmp_path)]).stdout for _ in range(2))

    assert str(tmp_path / "supabase" / "migrations") in first
    assert second == f"All migrations are in {tmp_path}/supabase/migrations already.\n"


@pytest.fixture
def project(server: Server, template: str) -> Iterator[str]:
    """The name of a database like that of a new project."""
    assert template, "it brings the roles, which all databases of a server share"
    with psycopg.connect(server.conninfo(), autocommit=True) as admin:
        with made_database(server, "project_of_supabase") as name:
            with psycopg.connect(server.conninfo(dbname=name), autocommit=True) as owner:
                owner.execute(PROJECT.format(database=name, password=f"'{server.password}'", user=A).encode())
            yield name
        admin.execute("drop owned by project_owner")
        admin.execute("drop role project_owner")


def test_owner_without_superuser_can_run_the_migrations(server: Server, project: str) -> None:
    """Supabase gives nobody a superuser."""
    with psycopg.connect(server.conninfo("project_owner", project), autocommit=True) as project_owner:
        done = migrate(project_owner)
        fenced = rows(
            project_owner,
            "select relowner::regrole::text, relforcerowsecurity from pg_class"
            " where oid = any ('{public.behavior_patterns, behavior.episodes, behavior.remarks}'::regclass[])",
        )

    assert done == [each.file.name for each in migrations("behavior_patterns")]
    assert fenced == [("project_owner", True)] * 3
