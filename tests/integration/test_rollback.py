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
from tests.database import LOGIN, A, ask, dump, member_store, rows
from tests.integration.copying import (
    EACH,
    EPISODES,
    EVIDENCE,
    PATTERNS,
    Terminal,
    everything,
    fill,
    found_memories,
    insert_foreign,
    lines_of,
    make_episode,
    table,
    told,
    user_of,
)

SHAPE = ("--schema-only",)
OTHERS: dict[Storage, Storage] = {"behavior_patterns": "memories", "memories": "behavior_patterns"}
SHARED = ("behavior.episodes", "behavior.remarks")
# These stay; the later ones of the shared migrations bring the evidence.
FOUNDATIONS = [migration for migration in migrations() if migration.version < 100]


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    chosen: Storage = request.param
    return chosen


def test_rollback_restores_the_former_schema(
    server: Server, owner: psycopg.Connection, fresh: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """A trial on an important database can be undone; only a grant that Supabase has too stays."""
    for migration in FOUNDATIONS:
        fresh.execute(migration.file.read_bytes())
    fresh.execute("grant usage on schema public to authenticated, service_role")

    result = terminal.run_json("rollback", storage=storage)

    assert result == {"storage": storage, "table": "dropped", "evidence": "dropped", "rows": 0, "backup": None}
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
    assert said == f"There is no table {storage}.\nThere is no evidence.\n"
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
    before = everything(owner, storage)

    refused = terminal.refused("rollback", storage=storage)
    with pytest.raises(psycopg.errors.RaiseException, match="there are"):
        owner.execute(script("rollback", storage))
    owner.execute("rollback")
    kept = everything(owner, storage)
    result = terminal.run("rollback", "--with-rows", storage=storage)

    assert str(refused) == f"There are {len(before)} rows in {', '.join([f'public.{storage}', *SHARED])}."
    assert "--with-rows" in refused.hint
    assert kept == before
    [saved] = (own_home / "behavior" / "backups").iterdir()
    assert f"behavior db restore {saved}" in result.stdout
    assert ask(owner, f"select to_regclass('public.{storage}')") is None
    assert [ask(owner, f"select to_regclass('{name}')") for name in SHARED] == [None, None]
    assert terminal.run_json("restore", str(saved), storage=storage)["restored"] == len(before) == 2 * EACH
    assert everything(owner, storage) == before
    assert terminal.run_json("rollback", "--with-rows", "--backup", file, storage=storage)["backup"] == file


@pytest.mark.parametrize("kept", ["public.{}", "behavior.episodes", "behavior.remarks"])
def test_rows_of_one_kind_alone_are_not_dropped(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, tmp_path: Path, kept: str
) -> None:
    """Evidence without patterns is what a worker has before it has computed any."""
    fill(server, owner, storage)
    for name in {f"public.{storage}", *SHARED} - {kept.format(storage)}:
        owner.execute(f"delete from {name}".encode())
    before = everything(owner, storage)
    file = tmp_path / "backup"

    refused = terminal.refused("rollback", storage=storage)
    with pytest.raises(psycopg.errors.RaiseException, match="there are"):
        owner.execute(script("rollback", storage))
    owner.execute("rollback")
    result = terminal.run_json("rollback", "--with-rows", "--backup", str(file), storage=storage)
    terminal.run_json("restore", str(file), storage=storage)

    assert f"There are {len(before)} rows" in str(refused)
    assert result["rows"] == len(before) > 0
    assert everything(owner, storage) == before


def test_evidence_stays_while_another_storage_needs_it(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, tmp_path: Path
) -> None:
    """After a move a user removes the table that is not used any more; the last rollback removes all."""
    other = OTHERS[storage]
    file, last = tmp_path / "backup", tmp_path / "last"
    migrate(owner, other)
    fill(server, owner, storage)
    before, evidence = everything(owner, storage), told(owner)

    first = terminal.run("rollback", "--with-rows", "--backup", str(file), storage=storage)
    kept = told(owner)
    works = terminal.run_json("verify", storage=other)
    second = terminal.run_json("rollback", "--with-rows", "--backup", str(last), storage=other)

    assert "The evidence in behavior.episodes stays" in first.stdout
    assert f"{2 * PATTERNS} rows are in {file}" in first.stdout
    assert [sum("turns" in row for row in lines_of(each)) for each in (file, last)] == [0, 2 * EPISODES]
    assert kept == evidence
    assert {finding["verdict"] for finding in works} == {"ok"}
    assert second == {
        "storage": other,
        "table": "dropped",
        "evidence": "dropped",
        "rows": 2 * EVIDENCE,
        "backup": str(last),
    }
    for each in (file, last):
        terminal.run_json("restore", str(each), storage=storage)
    assert everything(owner, storage) == before


def test_both_scripts_drop_the_evidence_alike() -> None:
    """Whichever is the last storage, the same has to go."""
    parts = [script("rollback", storage).decode().partition("-- The evidence goes too") for storage in STORAGES]

    assert all(part[1] for part in parts)
    assert len({part[2] for part in parts}) == 1


def test_setting_allows_psql_to_drop_rows(server: Server, owner: psycopg.Connection, storage: Storage) -> None:
    """psql does not have our options."""
    fill(server, owner, storage)

    owner.execute("set behavior.rollback_with_rows = 'yes'")
    owner.execute(script("rollback", storage))

    for name in (f"public.{storage}", *SHARED):
        assert ask(owner, f"select to_regclass('{name}')") is None


@pytest.mark.parametrize("source", ["public.{}", *SHARED])
def test_rollback_stops_at_a_dependent_view_and_leaves_no_file(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, own_home: Path, source: str
) -> None:
    """Nobody asked to drop a dashboard with the table."""
    fill(server, owner, storage)
    owner.execute(f"create view public.dashboard as select user_id from {source.format(storage)}".encode())
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
    assert len(table(owner, storage)) == 2 * PATTERNS


@pytest.mark.parametrize("storage", ["memories"])
@pytest.mark.parametrize("is_last", [True, False])
def test_memories_without_a_backup_are_not_dropped(
    server: Server, owner: psycopg.Connection, terminal: Terminal, own_home: Path, *, is_last: bool
) -> None:
    """Other programs may store theirs in our table; evidence that stays does not make up for them."""
    if not is_last:
        migrate(owner, "behavior_patterns")
    fill(server, owner, "memories")
    insert_foreign(owner, user_of(owner, LOGIN), type="note")

    refused = terminal.refused("rollback", "--with-rows", storage="memories")

    assert f"1 of {2 * (EACH if is_last else PATTERNS) + 1} rows are not patterns" in str(refused)
    assert len(table(owner, "memories")) == 2 * PATTERNS + 1
    assert list((own_home / "behavior" / "backups").iterdir()) == []


def test_rollback_keeps_another_programs_table(
    server: Server, fresh: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It and its rows are older than the plugin; the evidence is ours, and is saved before it goes."""
    file = tmp_path / "backup"
    found_memories(fresh)
    insert_foreign(fresh, UUID(A))
    before = dump(server, fresh.info.dbname)
    migrate(fresh, "memories")
    with_us = dump(server, fresh.info.dbname)
    terminal = Terminal(server, fresh.info.dbname, monkeypatch)

    empty = terminal.run_json("rollback", storage="memories")
    after = dump(server, fresh.info.dbname)
    migrate(fresh, "memories")
    with member_store(fresh, server, LOGIN, "memories") as store, store.evidence() as evidence:
        evidence.replace_sessions([], [make_episode("told")])
    learned = told(fresh)
    refused = terminal.refused("rollback", storage="memories")
    full = terminal.run_json("rollback", "--with-rows", "--backup", str(file), storage="memories")

    assert empty == {"storage": "memories", "table": "kept", "evidence": "dropped", "rows": 0, "backup": None}
    assert with_us != before
    assert after == before
    assert str(refused) == "There are 1 rows in behavior.episodes."
    assert (full["table"], full["evidence"], full["rows"]) == ("kept", "dropped", 1)
    assert table(fresh, "memories")
    assert terminal.run_json("restore", str(file), storage="memories")["restored"] == 1
    assert told(fresh) == learned
