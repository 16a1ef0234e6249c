"""Rolling back: our objects leave the database, after their rows are backed up."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from behavior_plugin.config import Storage
from behavior_plugin.errors import SchemaError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import STORAGES, migrations, script
from tests.database import LOGIN, A, ask, dump, rows
from tests.integration.copying import (
    TEXTS,
    Terminal,
    fill,
    found_memories,
    insert_foreign,
    table,
    user_of,
)

SHAPE = ("--schema-only",)


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    chosen: Storage = request.param
    return chosen


def test_rollback_restores_the_former_schema(
    server: Server, owner: psycopg.Connection, fresh: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """A trial on an important database can be undone; only a grant that Supabase has too stays."""
    for migration in migrations():
        fresh.execute(migration.file.read_bytes())
    fresh.execute("grant usage on schema public to authenticated, service_role")

    result = terminal.run_json("rollback", storage=storage)

    assert result == {"storage": storage, "table": "dropped", "rows": 0, "backup": None}
    assert dump(server, owner.info.dbname, *SHAPE) == dump(server, fresh.info.dbname, *SHAPE)
    assert rows(owner, "select version from behavior.migrations") == rows(
        fresh, "select version from behavior.migrations"
    )
    assert migrate(owner, storage) == [each.file.name for each in migrations(storage) if each.version > 100]


def test_rollback_can_run_twice_and_on_an_empty_database(
    owner: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """A script that failed half-way is run again."""
    first, second = (terminal.run_json("rollback", storage=storage)["table"] for _ in range(2))
    said = terminal.run("rollback", storage=storage).stdout
    for other in STORAGES:
        owner.execute(script("rollback", other))

    assert (first, second) == ("dropped", "absent")
    assert said == f"There is no table {storage}; nothing to do.\n"
    assert ask(owner, f"select to_regclass('public.{storage}')") is None


@pytest.mark.parametrize("name", ["there", "no/such/folder"])
def test_unwritable_backup_stops_the_rollback_first(
    owner: psycopg.Connection, terminal: Terminal, storage: Storage, tmp_path: Path, name: str
) -> None:
    """Nothing is dropped, and the hint recommends no option that the command lacks."""
    Path(tmp_path, "there").touch()

    refused = terminal.refused("rollback", "--with-rows", "--backup", str(tmp_path / name), storage=storage)

    assert refused.hint == "Choose another file."
    assert ask(owner, f"select to_regclass('public.{storage}')") is not None
    assert terminal.run("rollback", "--backup", str(tmp_path / "new"), storage=storage).exit_code == 2


def test_rollback_refuses_rows_or_backs_them_up(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, tmp_path: Path, own_home: Path
) -> None:
    """The knowledge of months must not be dropped for a typing error."""
    file = str(tmp_path / "backup")
    fill(server, owner, storage)
    before = table(owner, storage)

    refused = terminal.refused("rollback", storage=storage)
    with pytest.raises(psycopg.errors.RaiseException, match="there are"):
        owner.execute(script("rollback", storage))
    owner.execute("rollback")
    kept = table(owner, storage)
    result = terminal.run("rollback", "--with-rows", storage=storage)

    assert "--with-rows" in refused.hint
    assert kept == before
    [saved] = (own_home / "behavior" / "backups").iterdir()
    assert f"behavior db restore {saved}" in result.stdout
    assert ask(owner, f"select to_regclass('public.{storage}')") is None
    assert terminal.run_json("restore", str(saved), storage=storage)["restored"] == len(before)
    assert table(owner, storage) == before
    assert terminal.run_json("rollback", "--with-rows", "--backup", file, storage=storage)["backup"] == file


def test_setting_allows_psql_to_drop_rows(server: Server, owner: psycopg.Connection, storage: Storage) -> None:
    """psql does not have our options."""
    fill(server, owner, storage)

    owner.execute("set behavior.rollback_with_rows = 'yes'")
    owner.execute(script("rollback", storage))

    assert ask(owner, f"select to_regclass('public.{storage}')") is None


def test_rollback_stops_at_a_dependent_view_and_leaves_no_file(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, own_home: Path
) -> None:
    """Nobody asked to drop a dashboard with the table."""
    fill(server, owner, storage)
    owner.execute(f"create view public.dashboard as select user_id, id from public.{storage}".encode())
    before = dump(server, owner.info.dbname)

    refused = terminal.refused("rollback", "--with-rows", storage=storage)

    assert "view dashboard depends on table" in str(refused)
    assert dump(server, owner.info.dbname) == before
    assert list((own_home / "behavior" / "backups").iterdir()) == []


def test_only_the_owner_can_roll_back(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """A member of a team cannot take the table from the others."""
    fill(server, owner, storage)

    refused = terminal.refused("rollback", "--with-rows", login=LOGIN, storage=storage)

    assert isinstance(refused, SchemaError)
    assert len(table(owner, storage)) == 2 * len(TEXTS)


@pytest.mark.parametrize("storage", ["memories"])
def test_memories_without_a_backup_are_not_dropped(
    server: Server, owner: psycopg.Connection, terminal: Terminal, own_home: Path
) -> None:
    """Other programs may store theirs in our table."""
    fill(server, owner, "memories")
    insert_foreign(owner, user_of(owner, LOGIN), type="note")

    refused = terminal.refused("rollback", "--with-rows", storage="memories")

    assert f"1 of {2 * len(TEXTS) + 1} rows are not patterns" in str(refused)
    assert len(table(owner, "memories")) == 2 * len(TEXTS) + 1
    assert list((own_home / "behavior" / "backups").iterdir()) == []


def test_rollback_keeps_another_programs_table(
    server: Server, fresh: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It and its rows are older than the plugin."""
    found_memories(fresh)
    insert_foreign(fresh, UUID(A))
    before = dump(server, fresh.info.dbname)
    migrate(fresh, "memories")
    with_us = dump(server, fresh.info.dbname)

    result = Terminal(server, fresh.info.dbname, monkeypatch).run_json("rollback", storage="memories")

    assert result == {"storage": "memories", "table": "kept", "rows": 0, "backup": None}
    assert with_us != before
    assert dump(server, fresh.info.dbname) == before
