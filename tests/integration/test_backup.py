"""Rows on their way into a file and back, without a loss or a change."""

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
from tests.integration.carrying import (
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


def test_everybody_s_rows_come_back_to_the_letter(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A restored database is the one that was lost."""
    fill(server, owner, storage)
    before = table(owner, storage)

    written = terminal.told("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    restored = terminal.told("restore", str(file), storage=storage)

    assert written == {"file": str(file), "rows": len(before)}
    assert restored == {"restored": len(before), "already_there": 0, "skipped": []}
    assert table(owner, storage) == before
    assert len(before) == 2 * len(TEXTS)


def test_a_second_restore_changes_nothing(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """What was learned since the backup, or of the same work, is worth more than the backup."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), "--all-users", storage=storage)
    with member_store(owner, server, LOGIN, storage) as store:
        store.save(make_pattern(), None, None)
        store.count_use(store.newest(project=None, limit=1)[0].id)
    before = table(owner, storage)

    for _ in range(2):
        told = terminal.told("restore", str(file), storage=storage)
        assert told == {"restored": 0, "already_there": 2 * len(TEXTS), "skipped": []}

    assert table(owner, storage) == before


@pytest.mark.parametrize("target", STORAGES)
def test_rows_are_the_same_in_a_new_database_however_they_are_stored(
    server: Server,
    owner: psycopg.Connection,
    fresh: psycopg.Connection,
    terminal: Terminal,
    storage: Storage,
    target: Storage,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new machine, a team's server, another way of storing: the way there is the same, users and all."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), "--all-users", storage=storage)

    there = Terminal(server, fresh.info.dbname, monkeypatch)
    told = there.told("restore", str(file), storage=target)

    assert told["restored"] == 2 * len(TEXTS)
    assert canonical(fresh, target) == canonical(owner, storage)


def test_a_user_s_backup_holds_the_own_rows_and_needs_no_owner(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A member of a team takes what is theirs, and sees nothing of the others."""
    fill(server, owner, storage)
    mine = user_of(owner, LOGIN)

    terminal.told("backup", str(file), login=LOGIN, storage=storage)

    header, *lines, _ = gzip.decompress(file.read_bytes()).decode().rstrip("\n").split("\n")
    assert json.loads(header)["user_id"] == str(mine)
    assert lines == [line for line in canonical(owner, storage) if json.loads(line)["user_id"] == str(mine)]
    assert len(lines) == len(TEXTS)


def test_a_user_s_backup_becomes_the_caller_s_own(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """On a new machine one is a new user; and the owner of a team's database gives a member the backup back."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), login=LOGIN, storage=storage)
    make_user(owner, A)

    told = (
        terminal.told("restore", str(file), storage=storage),
        terminal.told("restore", str(file), "--user-id", A, storage=storage),
    )

    assert [each["restored"] for each in told] == [len(TEXTS)] * 2
    mine = user_of(owner, "postgres")
    by_user = {user: strip(owner, storage, user) for user in (str(mine), A, str(user_of(owner, LOGIN)))}
    assert by_user[str(mine)] == by_user[A] == by_user[str(user_of(owner, LOGIN))]


def test_a_member_who_restores_is_told_what_the_owner_must_run_and_that_works(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """So one takes along to a team what was learned alone."""
    fill(server, owner, storage)
    mine = user_of(owner, LOGIN)
    terminal.told("backup", str(file), login=LOGIN, storage=storage)
    before = table(owner, storage)
    owner.execute(f"delete from public.{storage} where user_id = %s".encode(), [mine])

    refused = terminal.refused("restore", str(file), login=LOGIN, storage=storage)
    told = terminal.told("restore", str(file), "--user-id", str(mine), storage=storage)

    assert str(refused) == "Restoring sets ids and dates, which only the database's owner may do."
    assert f"`behavior db restore {file} --user-id {mine}`" in refused.hint
    assert told["restored"] == len(TEXTS)
    assert table(owner, storage) == before


def test_an_unknown_user_is_named_once_and_before_anything_is_tried(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A mistyped id is one mistake, and not one for each pattern."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), login=LOGIN, storage=storage)
    before = table(owner, storage)

    refused = terminal.refused("restore", str(file), "--user-id", A, storage=storage)

    assert str(refused) == f"There is no user {A}."
    assert f"`behavior db member add LOGIN --user-id {A}`" in refused.hint
    assert table(owner, storage) == before


def strip(owner: psycopg.Connection, storage: Storage, user: str) -> list[dict[str, Any]]:
    """A user's rows, without the user."""
    found = [json.loads(line) for line in canonical(owner, storage)]
    return sorted(({**row, "user_id": ""} for row in found if row["user_id"] == user), key=lambda row: str(row["id"]))


def test_everybody_s_rows_are_not_a_member_s_to_take_or_bring(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A backup that silently holds a part would be found out too late, and a restore sets what no user may."""
    fill(server, owner, storage)
    whole = file.with_name("whole")
    terminal.told("backup", str(whole), "--all-users", storage=storage)
    before = table(owner, storage)

    taken = terminal.refused("backup", str(file), "--all-users", login=LOGIN, storage=storage)
    brought = terminal.refused("restore", str(whole), login=LOGIN, storage=storage)

    assert "bypassrls" in taken.hint
    assert "bypassrls" in brought.hint
    assert not file.exists()
    assert table(owner, storage) == before


def test_a_user_who_is_not_known_is_made_where_users_are_ours_and_refused_elsewhere(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """On Supabase a user is somebody with a login, and a restore makes nobody."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), "--all-users", storage=storage)
    gone = user_of(owner, OTHER)
    owner.execute("comment on table auth.users is 'of an application'")
    owner.execute("delete from auth.users where id = %s", [gone])
    clear(owner, storage)

    told = terminal.told("restore", str(file), storage=storage, status=1)
    owner.execute("comment on table auth.users is 'Made by behavior-plugin'")
    again = terminal.told("restore", str(file), storage=storage)

    assert (told["restored"], len(told["skipped"])) == (len(TEXTS), len(TEXTS))
    assert {each["reason"] for each in told["skipped"]} == {f"refused: ForeignKeyViolation, {storage}_user_id_fkey"}
    assert (again["restored"], again["already_there"]) == (len(TEXTS), len(TEXTS))


def test_an_owner_who_may_not_touch_the_users_restores_all_the_same(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """On Supabase the users are another role's, and so is their table."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    owner.execute("comment on table auth.users is 'of an application'")
    member(owner, server, "like_supabase", user_of(owner, LOGIN))
    owner.execute("alter role like_supabase bypassrls")
    owner.execute("grant all on all tables in schema public to like_supabase")
    owner.execute("grant usage on schema auth to like_supabase")

    told = terminal.told("restore", str(file), storage=storage, login="like_supabase")

    assert told["restored"] == 2 * len(TEXTS)


def test_what_the_table_refuses_is_named_and_the_rest_is_kept(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """One row that was changed by hand must not cost the others; and no text of it is shown."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), "--all-users", storage=storage)
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


def test_an_id_that_another_pattern_has_is_named(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """Neither of the two may be lost without a word."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), "--all-users", storage=storage)
    lines = gzip.decompress(file.read_bytes()).decode().rstrip("\n").split("\n")
    lines[1] = json.dumps({**json.loads(lines[1]), "source_key": "another"})
    file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    before = table(owner, storage)

    told = terminal.told("restore", str(file), storage=storage, status=1)

    assert [each["reason"] for each in told["skipped"]] == ["its id is another pattern's"]
    assert table(owner, storage) == before


def test_a_damaged_file_changes_nothing(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """The damage may be at the end, when most rows have been read."""
    fill(server, owner, storage, each=60)
    terminal.told("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    whole = file.read_bytes()

    file.write_bytes(whole[:-20])

    assert "damaged" in str(terminal.refused("restore", str(file), storage=storage))
    assert table(owner, storage) == []
    file.write_bytes(whole)
    assert terminal.told("restore", str(file), storage=storage)["restored"] == 2 * 61 * len(TEXTS)


def test_a_server_that_writes_numbers_and_dates_otherwise_loses_nothing(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """Both are a setting of the database, and a short number is another number."""
    fill(server, owner, storage)
    before = table(owner, storage)
    for setting in ("extra_float_digits = -10", "timezone = 'Asia/Kathmandu'", "datestyle = 'German'"):
        owner.execute(sql.SQL("alter database {} set ").format(sql.Identifier(owner.info.dbname)) + sql.SQL(setting))

    terminal.told("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    terminal.told("restore", str(file), storage=storage)

    assert table(owner, storage) == before


def test_disk_that_is_full_is_told_and_the_connection_goes_on(
    server: Server, owner: psycopg.Connection, storage: Storage, file: Path
) -> None:
    """The reading stops in the middle, wherever the writing did."""
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


def test_every_column_of_a_pattern_is_carried(server: Server, owner: psycopg.Connection, storage: Storage) -> None:
    """A column that a later migration adds would else be lost without a word."""
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
