"""Backup and restore, without any loss or change."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.maintenance import backup
from behavior_plugin.store.maintenance.rows import as_owner, export_rows
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES, query
from tests.database import LOGIN, A, B, make_user, member, member_store, rows, save
from tests.factories import make_pattern
from tests.integration.copying import (
    EACH,
    EVIDENCE,
    OTHER,
    PATTERNS,
    Terminal,
    canonical,
    clear,
    everything,
    exported,
    fill,
    folded,
    lines_of,
    make_episode,
    rewrite,
    table,
    told,
    user_of,
)

pytestmark = pytest.mark.parametrize("storage", STORAGES)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.jsonl.gz"


def test_restore_brings_back_all_users_rows_exactly(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A restored database equals the lost one; only the patterns of all evidence are due to be computed again."""
    fill(server, owner, storage)
    before = everything(owner, storage)

    written = terminal.run_json("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    restored = terminal.run_json("restore", str(file), storage=storage)

    assert written == {"file": str(file), "rows": len(before)}
    assert restored == {"restored": len(before), "already_there": 0, "skipped": []}
    assert everything(owner, storage) == before
    assert len(before) == 2 * EACH
    assert folded(owner) == 0


def test_second_restore_changes_nothing(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """Rows that were learned since the backup are worth more than the backup."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    with member_store(owner, server, LOGIN, storage) as store:
        save(store, make_pattern())
        with store.evidence() as evidence:
            evidence.count_use("told-1")
            evidence.replace_sessions([], [make_episode("new"), make_episode("told-1", "The same work, judged anew")])
    before, computed = everything(owner, storage), folded(owner)

    for _ in range(2):
        result = terminal.run_json("restore", str(file), storage=storage)
        assert result == {"restored": 0, "already_there": 2 * EACH, "skipped": []}

    assert everything(owner, storage) == before
    assert folded(owner) == computed


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

    assert result["restored"] == 2 * EACH
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
    assert lines == [line for line in exported(owner, storage) if json.loads(line)["user_id"] == str(mine)]
    assert len(lines) == EACH


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

    assert [each["restored"] for each in result] == [EACH] * 2
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
    before = everything(owner, storage)
    for name in (f"public.{storage}", "behavior.episodes", "behavior.remarks"):
        owner.execute(f"delete from {name} where user_id = %s".encode(), [mine])

    refused = terminal.refused("restore", str(file), login=LOGIN, storage=storage)
    result = terminal.run_json("restore", str(file), "--user-id", str(mine), storage=storage)

    assert str(refused) == "Restoring sets ids and dates, which only the database's owner may do."
    assert f"`behavior db restore {file} --user-id {mine}`" in refused.hint
    assert result["restored"] == EACH
    assert everything(owner, storage) == before


def test_restore_for_an_unknown_user_fails_first(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A mistyped id is one error, not one for each pattern."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), login=LOGIN, storage=storage)
    before = everything(owner, storage)

    refused = terminal.refused("restore", str(file), "--user-id", A, storage=storage)

    assert str(refused) == f"There is no user {A}."
    assert f"`behavior db member add LOGIN --user-id {A}`" in refused.hint
    assert everything(owner, storage) == before


def strip(owner: psycopg.Connection, storage: Storage, user: str) -> list[dict[str, Any]]:
    """A user's rows, without the user."""
    found = [json.loads(line) for line in canonical(owner, storage)]
    mine = [{**row, "user_id": ""} for row in found if row["user_id"] == user]
    return sorted(mine, key=lambda row: (str(row.get("id")), str(row.get("source_key"))))


def test_members_cannot_back_up_or_restore_all_users(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A backup that silently lacks rows is discovered too late, and a restore sets columns that no user may set."""
    fill(server, owner, storage)
    whole = file.with_name("whole")
    terminal.run_json("backup", str(whole), "--all-users", storage=storage)
    before = everything(owner, storage)

    taken = terminal.refused("backup", str(file), "--all-users", login=LOGIN, storage=storage)
    brought = terminal.refused("restore", str(whole), login=LOGIN, storage=storage)

    assert "bypassrls" in taken.hint
    assert "bypassrls" in brought.hint
    assert not file.exists()
    assert everything(owner, storage) == before


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

    assert (result["restored"], len(result["skipped"])) == (EACH, EACH)
    assert {each["reason"] for each in result["skipped"]} == {
        f"refused: ForeignKeyViolation, {name}_user_id_fkey" for name in (storage, "episodes", "remarks")
    }
    assert (again["restored"], again["already_there"]) == (EACH, EACH)


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
    owner.execute("grant all on behavior.episodes, behavior.remarks to like_supabase")
    owner.execute("grant usage on schema auth to like_supabase")

    result = terminal.run_json("restore", str(file), storage=storage, login="like_supabase")

    assert result["restored"] == 2 * EACH


def test_restore_reports_refused_rows_and_saves_the_others(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """One row that was edited by hand must not stop the others; its text is not shown."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    changes: list[dict[str, Any]] = [
        {"trigger": " "},
        {"confidence": "canary"},
        {"actions": None},
        {"trigger": "canary \0"},
        {"workflow": "canary"},
    ]

    def changed(lines: list[str]) -> list[str]:
        given = [json.dumps({**json.loads(line), **change}) for line, change in zip(lines, changes, strict=False)]
        return [*given, *lines[len(changes) :]]

    rewrite(file, changed)
    clear(owner, storage)

    done = terminal.run("restore", str(file), storage=storage)

    assert done.exit_code == 1
    assert f"{2 * EACH - 5} restored, 0 already there, 5 skipped" in done.stdout
    assert done.stdout.count(": refused: ") == 5
    assert "canary" not in done.output
    assert (len(table(owner, storage)), len(told(owner))) == (2 * PATTERNS - 5, 2 * EVIDENCE)


ZEROS = str([0] * 1536)
DEEP = json.loads(100 * "[" + 100 * "]")
# What somebody might write into an episode by hand; a key without a value is left out.
HOSTILE: list[dict[str, Any]] = [
    {"turns": "canary"},
    {"turns": None},
    {"turns": {"canary": 1}},
    {"turns": DEEP},
    {"outcome": "canary"},
    {"outcome": ...},
    {"trigger": ...},
    {"trigger": "canary \0"},
    {"trigger": "x" * 40_000},
    {"started_at": ...},
    {"started_at": "canary"},
    {"started_at": "infinity"},
    {"started_at": "0044-03-15 12:00:00+00 BC"},
    {"turn_starts": "canary"},
    {"turn_starts": ["-infinity"]},
    {"use_count": 10**30},
    {"use_count": -1},
    {"schema_version": 99_999},
    {"schema_version": 0},
    {"digest": []},
    {"digest": DEEP},
    {"because": None},
    {"is_folded": "canary", "pattern_key": "x" * 201},
    {"pattern_key": "x" * 201},
    {"part_of": "x" * 201},
    {"session_id": "x" * 201},
    {"project": "x" * 2001},
    {"trigger_embedding": "[1, 2]", "embedding_model": "model"},
    {"trigger_embedding": "canary", "embedding_model": "model"},
    {"trigger_embedding": ZEROS, "embedding_model": "model"},
    {"trigger_embedding": ZEROS.replace("0", "1"), "embedding_model": None},
]


HOSTILE_REMARKS: list[dict[str, Any]] = [
    {"pattern_key": ...},
    {"pattern_key": "x" * 201},
    {"kind": "canary"},
    {"is_followed": "canary"},
    {"outcome": "canary"},
    {"note": "canary \0"},
    {"note": None},
    {"details": ["canary"]},
    {"details": {"deep": DEEP}},
    {"made_at": "infinity"},
    {"made_at": 10**30},
]


def last_of(lines: list[str], column: str) -> dict[str, Any]:
    """The last row that has a column."""
    found: dict[str, Any] = [row for row in map(json.loads, lines) if column in row][-1]
    return found


def test_restore_refuses_hostile_evidence_row_by_row(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A file may have been edited, or made by somebody else; each refused row is named, without its text."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)

    def changed(lines: list[str]) -> list[str]:
        named = [
            {**last_of(lines, "turns"), "source_key": f"hostile-{number}", **change}
            for number, change in enumerate(HOSTILE)
        ]
        named += [
            {**last_of(lines, "made_at"), "id": str(UUID(int=number)), **change}
            for number, change in enumerate(HOSTILE_REMARKS)
        ]
        return [*lines, *(json.dumps({key: row[key] for key in row if row[key] is not ...}) for row in named)]

    rewrite(file, changed)
    clear(owner, storage)

    result = terminal.run_json("restore", str(file), storage=storage, status=1)

    assert [each["id"] for each in result["skipped"]] == [
        *(f"hostile-{number}" for number in range(len(HOSTILE))),
        *(str(UUID(int=number)) for number in range(len(HOSTILE_REMARKS))),
    ]
    assert "canary" not in json.dumps(result)
    assert (result["restored"], len(told(owner))) == (2 * EACH, 2 * EVIDENCE)


@pytest.mark.parametrize("key", ["x" * 3000, "\x1b[31mred\n", "\ud800"])
def test_odd_keys_of_episodes_are_printed_safely(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path, key: str
) -> None:
    """A terminal obeys control characters."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    rewrite(file, lambda lines: [json.dumps({**last_of(lines, "turns"), "source_key": key, "outcome": None})])

    done = terminal.run("restore", str(file), storage=storage)

    assert "0 restored, 0 already there, 1 skipped" in done.stdout
    assert "refused: " in done.stdout
    assert all(character.isprintable() or character == "\n" for character in done.stdout)
    assert len(done.stdout) < 500


def test_ids_of_others_in_a_backup_of_one_user_have_no_effect(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """The file says whose rows they are; a member must not be able to give rows to another one."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), login=LOGIN, storage=storage)
    make_user(owner, A)
    make_user(owner, B)
    rewrite(file, lambda lines: [json.dumps({**json.loads(line), "user_id": B}) for line in lines])

    result = terminal.run_json("restore", str(file), "--user-id", A, storage=storage)

    assert result["restored"] == EACH
    assert len(strip(owner, storage, A)) == EACH
    assert strip(owner, storage, B) == []


def as_format_1(file: Path) -> None:
    """Make the backup of an earlier version of one: patterns alone, and none of them a workflow."""

    def patterns(lines: list[str]) -> list[str]:
        found = [row for row in map(json.loads, lines) if "confidence" in row]
        return [json.dumps({key: row[key] for key in row if key != "workflow"}) for row in found]

    rewrite(file, patterns)
    text = gzip.decompress(file.read_bytes()).decode()
    file.write_bytes(gzip.compress(text.replace('"version":2', '"version":1', 1).encode()))


def test_backup_of_an_earlier_version_is_restored(
    server: Server, owner: psycopg.Connection, terminal: Terminal, store: PostgresStore, storage: Storage, file: Path
) -> None:
    """Each prompt was a pattern then; the worker makes evidence of them when it starts."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), login=LOGIN, storage=storage)
    as_format_1(file)
    before = [
        {**row, "workflow": None} for row in strip(owner, storage, str(user_of(owner, LOGIN))) if "confidence" in row
    ]
    clear(owner, storage)

    mine = str(user_of(owner, LOGIN))
    result = terminal.run_json("restore", str(file), "--user-id", mine, storage=storage)
    restored = strip(owner, storage, mine)
    taken = store.take_old_patterns()

    assert lines_of(file)[0]["version"] == 1
    assert result == {"restored": PATTERNS, "already_there": 0, "skipped": []}
    assert restored == before
    assert taken == PATTERNS
    assert table(owner, storage) == []
    [(count, vectors)] = rows(owner, "select sum(use_count), count(trigger_embedding) from behavior.episodes")
    assert (count, vectors) == (7, sum(row["trigger_embedding"] is not None for row in before))
    again = terminal.run_json("restore", str(file), "--user-id", mine, storage=storage)
    assert again["restored"] == PATTERNS


def test_database_without_evidence_can_be_backed_up(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """Careful people make a backup before an update brings the new table."""
    fill(server, owner, storage)
    finder = {"behavior_patterns": "public.find_similar_patterns", "memories": "behavior.find_similar_workflows"}
    owner.execute(f"drop function {finder[storage]}; drop table behavior.episodes, behavior.remarks".encode())

    mine = terminal.run_json("backup", str(file), login=LOGIN, storage=storage)
    whole = terminal.run_json("backup", str(file), "--all-users", "--force", storage=storage)

    assert (mine["rows"], whole["rows"]) == (PATTERNS, 2 * PATTERNS)


def test_restore_reports_ids_that_belong_to_other_patterns(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """Neither pattern may be lost silently."""
    fill(server, owner, storage)
    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    rewrite(file, lambda lines: [json.dumps({**json.loads(lines[0]), "source_key": "another"}), *lines[1:]])
    before = everything(owner, storage)

    result = terminal.run_json("restore", str(file), storage=storage, status=1)

    assert [each["reason"] for each in result["skipped"]] == ["its id belongs to another pattern"]
    assert everything(owner, storage) == before


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
    assert everything(owner, storage) == []
    file.write_bytes(whole)
    assert terminal.run_json("restore", str(file), storage=storage)["restored"] == 2 * (61 * PATTERNS + EVIDENCE)


def test_output_settings_of_the_server_do_not_change_a_backup(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """A database may set shorter numbers and other date formats, and a shortened number is another number."""
    fill(server, owner, storage)
    before = everything(owner, storage)
    for setting in ("extra_float_digits = -10", "timezone = 'Asia/Kathmandu'", "datestyle = 'German'"):
        owner.execute(sql.SQL("alter database {} set ").format(sql.Identifier(owner.info.dbname)) + sql.SQL(setting))

    terminal.run_json("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    terminal.run_json("restore", str(file), storage=storage)

    assert everything(owner, storage) == before


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
    assert len(canonical(owner, storage)) == 2 * EACH


def test_backup_contains_every_column(server: Server, owner: psycopg.Connection, storage: Storage) -> None:
    """Otherwise a column of a later migration would be lost silently."""
    fill(server, owner, storage)
    migrate(owner, "behavior_patterns")

    for name, mark, reading in (
        ("public.behavior_patterns", "confidence", query("import_patterns", "behavior_patterns")),
        ("behavior.episodes", "turns", query("import_episodes")),
        ("behavior.remarks", "made_at", query("import_remarks")),
    ):
        names = columns(owner, name)
        assert last_of(exported(owner, storage), mark).keys() == names
        assert {each for each in names if not re.search(rf"\b{each}(,|\n)", reading.as_string())} <= {"is_folded"}


def columns(owner: psycopg.Connection, name: str) -> set[str]:
    """The columns of a table that are stored, not computed."""
    found = rows(
        owner,
        f"""select attname from pg_attribute
             where attrelid = '{name}'::regclass and attnum > 0 and attgenerated = '' and not attisdropped""",
    )
    return {column for (column,) in found}
