"""Backup and restore, without any loss or change."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.maintenance import backup
from behavior_plugin.store.maintenance.rows import as_owner, export_rows
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import STORAGES, query
from tests.database import LOGIN, A, make_user, member, member_store, rows
from tests.factories import make_pattern
from tests.integration.copying import (
    OTHER,
    TEXTS,
    Terminal,
    canonical,
    clear,
    fill,
    table,
    user_of,
)

pytestmark = pytest.mark.parametrize("storage", STORAGES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.jsonl.gz"


def test_restore_brings_back_all_users_rows_exactly(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A restored database equals the lost one."""
    fill(server, owner, storage)
    before = table(owner, storage)

    written = terminal.run_json("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    restored = terminal.run_json("restore", str(file), storage=storage)

    assert written == {"file": str(file), "rows": len(before)}
    assert restored == {"restored": len(before), "already_there": 0, "skipped": []}
    assert table(owner, storage) == before
    assert len(before) == 2 * len(TEXTS)


def test_second_restore_changes_nothing(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """Rows that were learned since the backup are worth more than the backup."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    with member_store(owner, server, LOGIN, storage) as store:
        store.save(make_pattern(), None, None)
        store.count_use(store.newest(project=None, limit=1)[0].id)
    before = table(owner, storage)

    for _ in range(2):
        result = terminal.run_json("restore", str(file), storage=storage)
        assert result == {"restored": 0, "already_there": 2 * len(TEXTS), "skipped": []}

    assert table(owner, storage) == before


@pytest.mark.parametrize("target", STORAGES)
def test_restore_works_across_databases_and_storages(
    server: Server,
    owner: psycopg.Connection,
    fresh: psycopg.Connection,
    terminal: Terminal,
    storage: Storage,
    target: Storage,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new machine, a team's server, another storage: rows and users arrive unchanged."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)

    there = Terminal(server, fresh.info.dbname, monkeypatch)
    result = there.run_json("restore", str(file), storage=target)

    assert result["restored"] == 2 * len(TEXTS)
    assert canonical(fresh, target) == canonical(owner, storage)


def test_members_back_up_their_own_rows(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A member of a team takes its own patterns along, and sees no others."""
    fill(server, owner, storage)
    mine = user_of(owner, LOGIN)

    terminal.run_json("backup", str(file), login=LOGIN, storage=storage)

    header, *lines, _ = gzip.decompress(file.read_bytes()).decode().rstrip("\n").split("\n")
    assert json.loads(header)["user_id"] == str(mine)
    assert lines == [line for line in canonical(owner, storage) if json.loads(line)["user_id"] == str(mine)]
    assert len(lines) == len(TEXTS)


def test_restored_backup_of_one_user_belongs_to_the_caller(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """On a new machine the same person is a new user; and the owner of a team's database restores a member's backup."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), login=LOGIN, storage=storage)
    make_user(owner, A)

    result = (
        terminal.run_json("restore", str(file), storage=storage),
        terminal.run_json("restore", str(file), "--user-id", A, storage=storage),
    )

    assert [each["restored"] for each in result] == [len(TEXTS)] * 2
    mine = user_of(owner, "postgres")
    by_user = {user: strip(owner, storage, user) for user in (str(mine), A, str(user_of(owner, LOGIN)))}
    assert by_user[str(mine)] == by_user[A] == by_user[str(user_of(owner, LOGIN))]


def test_restore_by_a_member_prints_the_owners_command(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """The printed command works, so that a new member can bring along older patterns."""
    fill(server, owner, storage)
    mine = user_of(owner, LOGIN)
    terminal.run_json("backup", str(file), login=LOGIN, storage=storage)
    before = table(owner, storage)
    owner.execute(f"delete from public.{storage} where user_id = %s".encode(), [mine])

    refused = terminal.refused("restore", str(file), login=LOGIN, storage=storage)
    result = terminal.run_json("restore", str(file), "--user-id", str(mine), storage=storage)

    assert str(refused) == "Restoring sets ids and dates, which only the database's owner may do."
    assert f"`behavior db restore {file} --user-id {mine}`" in refused.hint
    assert result["restored"] == len(TEXTS)
    assert table(owner, storage) == before


def test_restore_for_an_unknown_user_fails_first(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A mistyped id is one error, not one for each pattern."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), login=LOGIN, storage=storage)
    before = table(owner, storage)

    refused = terminal.refused("restore", str(file), "--user-id", A, storage=storage)

    assert str(refused) == f"There is no user {A}."
    assert f"`behavior db member add LOGIN --user-id {A}`" in refused.hint
    assert table(owner, storage) == before


def strip(owner: psycopg.Connection, storage: Storage, user: str) -> list[dict[str, Any]]:
    """A user's rows, without the user."""
    found = [json.loads(line) for line in canonical(owner, storage)]
    return sorted(({**row, "user_id": ""} for row in found if row["user_id"] == user), key=lambda row: str(row["id"]))


def test_members_cannot_back_up_or_restore_all_users(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A backup that silently lacks rows is discovered too late, and a restore sets columns that no user may set."""
    fill(server, owner, storage)
    whole = file.with_name("whole")
    terminal.run_json("backup", str(whole), "--all-users", storage=storage)
    before = table(owner, storage)

    taken = terminal.refused("backup", str(file), "--all-users", login=LOGIN, storage=storage)
    brought = terminal.refused("restore", str(whole), login=LOGIN, storage=storage)

    assert "bypassrls" in taken.hint
    assert "bypassrls" in brought.hint
    assert not file.exists()
    assert table(owner, storage) == before


def test_restore_creates_missing_users_only_in_our_own_table(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """On Supabase every user has a login, and a restore must not add any."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    gone = user_of(owner, OTHER)
    owner.execute("comment on table auth.users is 'of an application'")
    owner.execute("delete from auth.users where id = %s", [gone])
    clear(owner, storage)

    result = terminal.run_json("restore", str(file), storage=storage, status=1)
    owner.execute("comment on table auth.users is 'Made by behavior-plugin'")
    again = terminal.run_json("restore", str(file), storage=storage)

    assert (result["restored"], len(result["skipped"])) == (len(TEXTS), len(TEXTS))
    assert {each["reason"] for each in result["skipped"]} == {f"refused: ForeignKeyViolation, {storage}_user_id_fkey"}
    assert (again["restored"], again["already_there"]) == (len(TEXTS), len(TEXTS))


def test_restore_works_without_rights_on_the_users_table(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """On Supabase another role owns the users and their table."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    owner.execute("comment on table auth.users is 'of an application'")
    member(owner, server, "like_supabase", user_of(owner, LOGIN))
    owner.execute("alter role like_supabase bypassrls")
    owner.execute("grant all on all tables in schema public to like_supabase")
    owner.execute("grant usage on schema auth to like_supabase")

    result = terminal.run_json("restore", str(file), storage=storage, login="like_supabase")

    assert result["restored"] == 2 * len(TEXTS)


def test_restore_reports_refused_rows_and_saves_the_others(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """One row that was edited by hand must not stop the others; its text is not shown."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    lines = gzip.decompress(file.read_bytes()).decode().rstrip("\n").split("\n")
    changes: list[dict[str, Any]] = [
        {"trigger": " "},
        {"confidence": "canary"},
        {"actions": None},
        {"trigger": "canary \0"},
    ]
    for number, change in enumerate(changes, start=1):
        lines[number] = json.dumps({**json.loads(lines[number]), **change})
    file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    clear(owner, storage)

    done = terminal.run("restore", str(file), storage=storage)

    assert done.exit_code == 1
    assert "4 restored, 0 already there, 4 skipped" in done.stdout
    assert done.stdout.count(": refused: ") == 4
    assert "canary" not in done.output
    assert len(table(owner, storage)) == 4


def test_restore_reports_ids_that_belong_to_other_patterns(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """Neither pattern may be lost silently."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    lines = gzip.decompress(file.read_bytes()).decode().rstrip("\n").split("\n")
    lines[1] = json.dumps({**json.loads(lines[1]), "source_key": "another"})
    file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    before = table(owner, storage)

    result = terminal.run_json("restore", str(file), storage=storage, status=1)

    assert [each["reason"] for each in result["skipped"]] == ["its id belongs to another pattern"]
    assert table(owner, storage) == before


def test_damaged_backup_changes_nothing(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """The damage may be at the end, when most rows have been read."""
    fill(server, owner, storage, each=60)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    whole = file.read_bytes()

    file.write_bytes(whole[:-20])

    assert "damaged" in str(terminal.refused("restore", str(file), storage=storage))
    assert table(owner, storage) == []
    file.write_bytes(whole)
    assert terminal.run_json("restore", str(file), storage=storage)["restored"] == 2 * 61 * len(TEXTS)


def test_output_settings_of_the_server_do_not_change_a_backup(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A database may set shorter numbers and other date formats, and a shortened number is another number."""
    fill(server, owner, storage)
    before = table(owner, storage)
    for setting in ("extra_float_digits = -10", "timezone = 'Asia/Kathmandu'", "datestyle = 'German'"):
        owner.execute(sql.SQL("alter database {} set ").format(sql.Identifier(owner.info.dbname)) + sql.SQL(setting))

    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    terminal.run_json("restore", str(file), storage=storage)

    assert table(owner, storage) == before


def test_full_disk_fails_the_backup_and_not_the_connection(
    server: Server, owner: psycopg.Connection, storage: Storage, file: Path
) -> None:
    """The export stops in the middle, at any row."""
    fill(server, owner, storage)

    def until_full(lines: Iterator[str]) -> Iterator[str]:
        yield next(lines)
        raise OSError(28, "No space left on device")

    lines = export_rows(owner, storage, everyone=True)
    with pytest.raises(BehaviorError, match="No space left"), as_owner(owner):
        backup.write(file, until_full(lines), storage=storage, user_id=None)
    del lines

    assert not file.exists()
    assert len(canonical(owner, storage)) == 2 * len(TEXTS)


def test_backup_contains_every_column(server: Server, owner: psycopg.Connection, storage: Storage) -> None:
    """Otherwise a column of a later migration would be lost silently."""
    fill(server, owner, storage)
    migrate(owner, "behavior_patterns")

    columns = rows(
        owner,
        """select attname from pg_attribute
            where attrelid = 'public.behavior_patterns'::regclass and attnum > 0 and attgenerated = ''""",
    )

    names = {name for (name,) in columns}
    assert json.loads(canonical(owner, storage)[0]).keys() == names
    reading = query("import_patterns", "behavior_patterns").as_string()
    assert all(f"{name}," in reading or f" {name}\n" in reading for name in names)
