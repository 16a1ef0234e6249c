"""Rows on their way out of the database, together with all that is ours."""

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
from tests.integration.carrying import (
    TEXTS,
    Terminal,
    fill,
    found_memories,
    keep_foreign,
    table,
    user_of,
)

SHAPE = ("--schema-only",)


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    chosen: Storage = request.param
    return chosen


def test_rollback_leaves_the_ground_as_it_was(
    server: Server, owner: psycopg.Connection, fresh: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """Whoever tries us out on a database that matters gets it back; only the right that all have on Supabase stays."""
    for migration in migrations():
        fresh.execute(migration.file.read_bytes())
    fresh.execute("grant usage on schema public to authenticated, service_role")

    told = terminal.told("rollback", storage=storage)

    assert told == {"storage": storage, "table": "dropped", "rows": 0, "backup": None}
    assert dump(server, owner.info.dbname, *SHAPE) == dump(server, fresh.info.dbname, *SHAPE)
    assert rows(owner, "select version from behavior.migrations") == rows(
        fresh, "select version from behavior.migrations"
    )
    assert migrate(owner, storage) == [each.file.name for each in migrations(storage) if each.version > 100]


def test_rollback_runs_twice_and_where_nothing_is(
    owner: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """A script that failed half-way is run again."""
    first, second = (terminal.told("rollback", storage=storage)["table"] for _ in range(2))
    said = terminal.run("rollback", storage=storage).stdout
    for other in STORAGES:
        owner.execute(script("rollback", other))

    assert (first, second) == ("dropped", "absent")
    assert said == f"There is no table {storage}; nothing to do.\n"
    assert ask(owner, f"select to_regclass('public.{storage}')") is None


@pytest.mark.parametrize("name", ["there", "no/such/folder"])
def test_a_backup_that_cannot_be_written_is_found_out_first(
    owner: psycopg.Connection, terminal: Terminal, storage: Storage, tmp_path: Path, name: str
) -> None:
    """Nothing is dropped for it, and no option is recommended that the command does not have."""
    Path(tmp_path, "there").touch()

    refused = terminal.refused("rollback", "--with-rows", "--backup", str(tmp_path / name), storage=storage)

    assert refused.hint == "Choose another file."
    assert ask(owner, f"select to_regclass('public.{storage}')") is not None
    assert terminal.run("rollback", "--backup", str(tmp_path / "new"), storage=storage).exit_code == 2


def test_rollback_refuses_where_there_are_rows_and_then_saves_them_first(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, tmp_path: Path, own_home: Path
) -> None:
    """What was learned in months is not dropped for a mistyped word."""
    file = str(tmp_path / "backup")
    fill(server, owner, storage)
    before = table(owner, storage)

    refused = terminal.refused("rollback", storage=storage)
    with pytest.raises(psycopg.errors.RaiseException, match="there are"):
        owner.execute(script("rollback", storage))
    owner.execute("rollback")
    kept = table(owner, storage)
    told = terminal.run("rollback", "--with-rows", storage=storage)

    assert "--with-rows" in refused.hint
    assert kept == before
    [saved] = (own_home / "behavior" / "backups").iterdir()
    assert f"behavior db restore {saved}" in told.stdout
    assert ask(owner, f"select to_regclass('public.{storage}')") is None
    assert terminal.told("restore", str(saved), storage=storage)["restored"] == len(before)
    assert table(owner, storage) == before
    assert terminal.told("rollback", "--with-rows", "--backup", file, storage=storage)["backup"] == file


def test_by_hand_a_setting_says_that_rows_may_go(server: Server, owner: psycopg.Connection, storage: Storage) -> None:
    """psql has no options of ours."""
    fill(server, owner, storage)

    owner.execute("set behavior.rollback_with_rows = 'yes'")
    owner.execute(script("rollback", storage))

    assert ask(owner, f"select to_regclass('public.{storage}')") is None


def test_rollback_stops_at_a_view_of_others_and_leaves_no_file(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, own_home: Path
) -> None:
    """A dashboard that disappears with the table is nothing that was asked for."""
    fill(server, owner, storage)
    owner.execute(f"create view public.dashboard as select user_id, id from public.{storage}".encode())
    before = dump(server, owner.info.dbname)

    refused = terminal.refused("rollback", "--with-rows", storage=storage)

    assert "view dashboard depends on table" in str(refused)
    assert dump(server, owner.info.dbname) == before
    assert list((own_home / "behavior" / "backups").iterdir()) == []


def test_rollback_is_the_owner_s(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """A member of a team cannot take the table from the others."""
    fill(server, owner, storage)

    refused = terminal.refused("rollback", "--with-rows", login=LOGIN, storage=storage)

    assert isinstance(refused, SchemaError)
    assert len(table(owner, storage)) == 2 * len(TEXTS)


@pytest.mark.parametrize("storage", ["memories"])
def test_memories_that_no_backup_holds_are_not_dropped(
    server: Server, owner: psycopg.Connection, terminal: Terminal, own_home: Path
) -> None:
    """Other programs may have theirs in a table that we made."""
    fill(server, owner, "memories")
    keep_foreign(owner, user_of(owner, LOGIN), type="note")

    refused = terminal.refused("rollback", "--with-rows", storage="memories")

    assert f"1 of {2 * len(TEXTS) + 1} rows are not patterns" in str(refused)
    assert len(table(owner, "memories")) == 2 * len(TEXTS) + 1
    assert list((own_home / "behavior" / "backups").iterdir()) == []


def test_rollback_leaves_a_table_of_another_program_as_it_was(
    server: Server, fresh: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there before us, and so were its rows."""
    found_memories(fresh)
    keep_foreign(fresh, UUID(A))
    before = dump(server, fresh.info.dbname)
    migrate(fresh, "memories")
    with_us = dump(server, fresh.info.dbname)

    told = Terminal(server, fresh.info.dbname, monkeypatch).told("rollback", storage="memories")

    assert told == {"storage": "memories", "table": "kept", "rows": 0, "backup": None}
    assert with_us != before
    assert dump(server, fresh.info.dbname) == before
