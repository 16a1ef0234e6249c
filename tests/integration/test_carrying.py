"""Rows on their way: into a file and back, from table to table, and out of the database, without a loss or a change."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql
from psycopg.types.json import Jsonb

from behavior_plugin.cli import cli
from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError, SchemaError
from behavior_plugin.model import Outcome
from behavior_plugin.store import backup as backups
from behavior_plugin.store import move as moving
from behavior_plugin.store import rows as carrying
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.members import add_member, make_login
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES, migrations, query, script
from tests.conftest import LOGIN
from tests.database import A, ask, dump, make_user, rows
from tests.factories import make_action, make_pattern

OTHER = "behavior_other"
MODEL = "offline"
TEXTS = [
    "Fix the failing test",
    "it's '; drop table public.memories; -- $$ %s \\ \\u0041",
    'a "quoted" <b>name</b>\r\n\ttab \u2028 \u0001 end',
    "שלום 🧵 e\u0301 \U0001f9f5",
]
# Numbers that Python would change, written as JSON.
EXACT = '[1.10, 1e400, 0.1000000000000000055511151231257827, -0.0, 12345678901234567890123456789, {"": null, "a": []}]'
FULL_B = """
update public.behavior_patterns
   set use_count = 7, last_used_at = '2026-01-02 03:04:05.678901+02', created_at = '1999-12-31 23:59:59.999999+00',
       schema_version = 3, confidence = 0.1 + 0.2, started_at = '0044-03-15 12:00:00+00',
       actions = jsonb_build_array(jsonb_build_object('tool', 'x', 'parameters', %s::jsonb))
 where trigger = %s
"""
FULL_A = """
update public.memories
   set created_at = '1999-12-31 23:59:59.999999+00',
       content = jsonb_set(content::jsonb, '{actions}',
                           jsonb_build_array(jsonb_build_object('tool', 'x', 'parameters', %s::jsonb))) ::text,
       metadata = metadata || '{"use_count": 7, "last_used_at": "2026-01-02T01:04:05.678901+00:00", "schema_version": 3,
                                "confidence": 0.30000000000000004, "started_at": "0044-03-15T12:00:00+00:00"}'
 where content::jsonb ->> 'trigger' = %s
"""
FOREIGN: dict[str, Any] = {
    "content": '{ "outcome":"failed", "actions": [], "trigger": "Fix it", "notes": [1.50, null] }',
    "metadata": {
        "confidence": 0.8,
        "use_count": 3,
        "context": {"directory": "/work"},
        "tags": ["x"],
        "deep": {"a": None},
    },
}


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    chosen: Storage = request.param
    return chosen


@contextmanager
def opened(server: Server, owner: psycopg.Connection, login: str, storage: Storage) -> Iterator[PostgresStore]:
    make_login(owner, login, server.password)
    add_member(owner, login)
    store = PostgresStore(server.conninfo(login, owner.info.dbname), storage)
    try:
        yield store
    finally:
        store.close()


def fill(server: Server, owner: psycopg.Connection, storage: Storage, *, each: int = 0) -> None:
    """Two users' patterns: with and without vectors, with all that is hard to carry, and `each` more of every user."""
    numbers = random.Random(7)
    for login in (LOGIN, OTHER):
        with opened(server, owner, login, storage) as store:
            for number, text in enumerate(TEXTS * (1 + each)):
                action = make_action(parameters={"command": text}, error=text)
                vector = [numbers.uniform(-1, 1) * 10 ** numbers.randint(-20, 3) for _ in range(1536)]
                pattern = make_pattern(trigger=f"{text} {number}", actions=(action,), final_outcome=Outcome.PARTIAL)
                store.save(pattern, vector if number % 3 else None, MODEL)
    full = FULL_B if storage == "behavior_patterns" else FULL_A
    assert owner.execute(full.encode(), [EXACT, f"{TEXTS[0]} 0"]).rowcount == 2


def table(owner: psycopg.Connection, storage: Storage) -> list[tuple[Any, ...]]:
    return rows(owner, f"select to_jsonb(t) from public.{storage} t order by user_id, id")


def clear(owner: psycopg.Connection, storage: Storage) -> None:
    owner.execute(f"delete from public.{storage}".encode())


def canonical(owner: psycopg.Connection, storage: Storage) -> list[str]:
    with carrying.as_owner(owner):
        return list(carrying.export_rows(owner, storage, everyone=True))


def user_of(owner: psycopg.Connection, login: str) -> UUID:
    found = owner.execute("select user_id from behavior.members where login = %s", [login]).fetchone()
    assert found
    return UUID(str(found[0]))


class Terminal:
    """The command `behavior`, for whoever a login is, on a database of the test's own."""

    def __init__(self, server: Server, dbname: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server, self._dbname, self._monkeypatch = server, dbname, monkeypatch

    def run(self, *words: str, login: str = "postgres", storage: Storage = "behavior_patterns") -> Result:
        self._monkeypatch.setenv("BEHAVIOR_DATABASE_URL", self._server.conninfo(login, self._dbname))
        self._monkeypatch.setenv("BEHAVIOR_STORAGE", storage)
        return CliRunner().invoke(cli, ["db", *words])

    def told(self, *words: str, status: int = 0, **choices: Any) -> Any:
        """What it prints for scripts."""
        done = self.run(*words, "--json", **choices)
        assert done.exit_code == status, (done.output, done.exception)
        return json.loads(done.stdout)

    def refused(self, *words: str, **choices: Any) -> BehaviorError:
        done = self.run(*words, **choices)
        assert isinstance(done.exception, BehaviorError), (done.output, done.exception)
        return done.exception


@pytest.fixture
def terminal(server: Server, database: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(server, database, monkeypatch)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.jsonl.gz"


# Backup and restore


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
    assert restored == {"restored": len(before), "already_there": 0, "left": []}
    assert table(owner, storage) == before
    assert len(before) == 2 * len(TEXTS)


def test_a_second_restore_changes_nothing(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """What was learned since the backup, or of the same work, is worth more than the backup."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), "--all-users", storage=storage)
    with opened(server, owner, LOGIN, storage) as store:
        store.save(make_pattern(), None, None)
        store.count_use(store.newest(project=None, limit=1)[0].id)
    before = table(owner, storage)

    for _ in range(2):
        told = terminal.told("restore", str(file), storage=storage)
        assert told == {"restored": 0, "already_there": 2 * len(TEXTS), "left": []}

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

    assert (told["restored"], len(told["left"])) == (len(TEXTS), len(TEXTS))
    assert {each["reason"] for each in told["left"]} == {f"refused: ForeignKeyViolation, {storage}_user_id_fkey"}
    assert (again["restored"], again["already_there"]) == (len(TEXTS), len(TEXTS))


def test_an_owner_who_may_not_touch_the_users_restores_all_the_same(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path
) -> None:
    """On Supabase the users are another role's, and so is their table."""
    fill(server, owner, storage)
    terminal.told("backup", str(file), "--all-users", storage=storage)
    clear(owner, storage)
    owner.execute("comment on table auth.users is 'of an application'")
    make_login(owner, "like_supabase", server.password)
    add_member(owner, "like_supabase", user_of(owner, LOGIN))
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
    assert "4 restored, 0 already there, 4 left" in done.stdout
    assert done.stdout.count("stays: refused: ") == 4
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

    assert [each["reason"] for each in told["left"]] == ["its id is another pattern's"]
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

    lines = carrying.export_rows(owner, storage, everyone=True)
    with pytest.raises(BehaviorError, match="No space left"), carrying.as_owner(owner):
        backups.write(file, backups.header(storage, None), until_full(lines))
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


# Moving


@pytest.fixture
def both(
    server: Server, database: str, terminal: Terminal, owner: psycopg.Connection, request: pytest.FixtureRequest
) -> psycopg.Connection:
    """A database with memories of two users."""
    fill(server, owner, "memories")
    return owner


def move(terminal: Terminal, *words: str, status: int = 0) -> Any:
    return terminal.told("move", "--to", "behavior_patterns", *words, status=status, storage="memories")


memories_only = pytest.mark.parametrize("storage", ["memories"], indirect=True)


@memories_only
def test_patterns_move_without_a_loss_and_memories_stay(both: psycopg.Connection, terminal: Terminal) -> None:
    """The table of their own is better, and the way there must cost nothing."""
    before = table(both, "memories")

    told = move(terminal)
    again = move(terminal)

    assert told == {"moved": len(before), "already_there": 0, "left": []}
    assert again == {"moved": 0, "already_there": len(before), "left": []}
    assert canonical(both, "behavior_patterns") == canonical(both, "memories")
    assert table(both, "memories") == before


@memories_only
def test_an_interrupted_move_goes_on_where_it_was(
    server: Server, both: psycopg.Connection, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop is closed in the middle of it."""
    monkeypatch.setattr(moving, "BATCH", 3)
    moving.prepare(both)
    batches = moving.move(both)
    assert len(next(batches)) == 3
    del batches
    kept = canonical(both, "behavior_patterns")

    told = move(terminal)

    assert len(kept) == 3
    assert told == {"moved": 2 * len(TEXTS) - 3, "already_there": 3, "left": []}
    assert canonical(both, "behavior_patterns") == canonical(both, "memories")


@memories_only
def test_a_batch_that_fails_leaves_nothing_of_itself(
    both: psycopg.Connection, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection is lost at any moment, also in the middle of a batch."""
    moving.prepare(both)

    def lost(*_: Any, **__: Any) -> None:
        raise psycopg.OperationalError

    with monkeypatch.context() as broken:
        broken.setattr(carrying, "_tallied", lost)
        with pytest.raises(BehaviorError):
            list(moving.move(both))

    assert table(both, "behavior_patterns") == []
    assert move(terminal)["moved"] == 2 * len(TEXTS)


@memories_only
def test_memories_of_others_are_carried_whole_and_come_back(
    server: Server, both: psycopg.Connection, terminal: Terminal, file: Path
) -> None:
    """What another program noted beside a pattern is not ours to drop, nor to hide the pattern for."""
    mine = user_of(both, LOGIN)
    keep_foreign(both, mine)
    before = canonical(both, "memories")

    move(terminal)
    with opened(server, both, LOGIN, "behavior_patterns") as store:
        [shown] = [each for each in store.newest(project=None, limit=50) if each.trigger == "Fix it"]
        store.save(shown_again(shown.source_key), None, None)
    terminal.told("backup", str(file), "--all-users")
    clear(both, "memories")
    terminal.told("restore", str(file), storage="memories")

    assert len(before) == 2 * len(TEXTS) + 1
    [(content, metadata)] = rows(
        both, "select content::jsonb, metadata from public.memories where content like '%notes%'"
    )
    assert content["notes"] == [1.50, None]
    assert (metadata["tags"], metadata["deep"]) == (["x"], {"a": None})
    assert len(content["actions"]) == 1


def keep_foreign(owner: psycopg.Connection, user: UUID, **changes: Any) -> None:
    given = {**FOREIGN, "type": "workflow", **changes}
    owner.execute(
        "insert into public.memories (user_id, type, content, metadata) values (%s, %s, %s, %s)",
        [user, given["type"], given["content"], Jsonb(given["metadata"])],
    )


def shown_again(key: str) -> Any:
    return make_pattern(source_key=key, trigger="Fix it", actions=(make_action(),))


@memories_only
def test_the_source_is_deleted_where_the_pattern_is_in_the_other_table(
    both: psycopg.Connection, terminal: Terminal
) -> None:
    """Other memories are not ours; and one that has been learned more of since the move is not in the other table."""
    mine = user_of(both, LOGIN)
    keep_foreign(both, mine, type="note")
    move(terminal)
    changed = ask(both, "select id from public.memories where type = 'workflow' limit 1")
    both.execute(
        "update public.memories set content = jsonb_set(content::jsonb, '{outcome}', '\"failed\"')::text where id = %s",
        [changed],
    )
    both.execute("update public.behavior_patterns set use_count = 40, last_used_at = now() where id <> %s", [changed])

    told = move(terminal, "--delete-source", status=1)

    assert (told["moved"], told["already_there"], told["deleted"]) == (0, 2 * len(TEXTS), 2 * len(TEXTS) - 1)
    assert [(each["id"], "another version" in each["reason"]) for each in told["left"]] == [(str(changed), True)]
    assert rows(both, "select type from public.memories order by type") == [("note",), ("workflow",)]
    assert ask(both, "select count(*) from public.behavior_patterns") == 2 * len(TEXTS)


@memories_only
def test_a_pattern_that_has_been_learned_more_of_since_counts_as_moved(
    server: Server, both: psycopg.Connection, terminal: Terminal
) -> None:
    """One moves, works on for a week, and then deletes."""
    move(terminal)
    with opened(server, both, LOGIN, "behavior_patterns") as store:
        [first, *_] = store.newest(project=None, limit=1)
        store.save(shown_again(first.source_key).model_copy(update={"actions": (make_action(),) * 5}), None, None)

    told = move(terminal, "--delete-source")

    assert (told["deleted"], told["left"]) == (2 * len(TEXTS), [])
    assert table(both, "memories") == []


FOUND = """
create table public.memories (
    id uuid primary key default gen_random_uuid(), user_id uuid not null, type text not null, content text,
    metadata jsonb, embedding extensions.vector(1536), created_at timestamptz default now(),
    updated_at timestamptz default '2026-02-02', tags text[] not null default '{}'
);
alter table public.memories enable row level security;
create policy mine on public.memories using (auth.uid() = user_id);
grant select, insert, update, delete on public.memories to authenticated;
"""


@pytest.fixture
def found(server: Server, fresh: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> psycopg.Connection:
    """A database in which another program has a table of memories, and which has never seen us."""
    for migration in migrations():
        fresh.execute(migration.file.read_bytes())
    fresh.execute(FOUND.encode())
    make_user(fresh, A)
    return fresh


def test_a_table_of_another_program_is_moved_from_and_named_what_cannot(
    server: Server, found: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workflows in the guide's shape are patterns; what is none stays, and is never quoted."""
    keep_foreign(found, UUID(A))
    keep_foreign(found, UUID(A), content="canary: not JSON")
    keep_foreign(found, UUID(A), metadata={"confidence": "canary"})
    keep_foreign(found, UUID(A), metadata={**FOREIGN["metadata"], "big": "canary" * 20_000})
    keep_foreign(found, UUID(A), type="note")
    found.execute("update public.memories set tags = '{a,b}', embedding = array_fill(0.5, array[1536])::real[]")
    before = table(found, "memories")
    terminal = Terminal(server, found.info.dbname, monkeypatch)

    done = terminal.run("move", "--to", "behavior_patterns", "--delete-source")

    assert done.exit_code == 1
    assert "1 moved, 0 already there, 3 left, 1 deleted" in done.stdout
    assert "its content is no JSON" in done.stdout
    assert "its metadata has a value of another kind" in done.stdout
    assert "CheckViolation, behavior_patterns_provenance_check" in done.stdout
    assert "canary" not in done.output
    [row] = rows(found, "select to_jsonb(t) from public.behavior_patterns t")
    assert row[0]["provenance"]["memory"] == {
        "content": {"notes": [1.50, None]},
        "metadata": {"tags": ["x"], "deep": {"a": None}},
        "columns": {"tags": ["a", "b"]},
    }
    assert row[0]["embedding_model"] == "unknown"
    assert row[0]["updated_at"].startswith("2026-02-02")
    assert [each for each in before if each in table(found, "memories")] == table(found, "memories")
    assert len(table(found, "memories")) == 4


@pytest.mark.parametrize("storage", ["behavior_patterns"], indirect=True)
def test_without_memories_there_is_nothing_to_move(owner: psycopg.Connection, terminal: Terminal) -> None:
    """To make an empty table for it would be a surprise."""
    assert "no table public.memories" in str(terminal.refused("move", "--to", "behavior_patterns"))
    assert ask(owner, "select to_regclass('public.memories')") is None


# Rollback

SHAPE = ("--schema-only",)


def test_rollback_leaves_the_ground_as_it_was(
    server: Server, owner: psycopg.Connection, fresh: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """Whoever tries us out on a database that matters gets it back; only the right that all have on Supabase stays."""
    for migration in migrations():
        fresh.execute(migration.file.read_bytes())
    fresh.execute("grant usage on schema public to authenticated, service_role")

    told = terminal.told("rollback", storage=storage)

    assert told == {"storage": storage, "rows": 0, "backup": None}
    assert dump(server, owner.info.dbname, *SHAPE) == dump(server, fresh.info.dbname, *SHAPE)
    assert rows(owner, "select version from behavior.migrations") == rows(
        fresh, "select version from behavior.migrations"
    )
    assert migrate(owner, storage) == [each.file.name for each in migrations(storage) if each.version > 100]


def test_rollback_runs_twice_and_where_nothing_is(
    owner: psycopg.Connection, terminal: Terminal, storage: Storage
) -> None:
    """A script that failed half-way is run again."""
    for _ in range(2):
        terminal.told("rollback", storage=storage)
    for other in STORAGES:
        owner.execute(script("rollback", other))

    assert ask(owner, f"select to_regclass('public.{storage}')") is None


def test_rollback_refuses_where_there_are_rows_and_then_saves_them_first(
    server: Server, owner: psycopg.Connection, terminal: Terminal, storage: Storage, file: Path, own_home: Path
) -> None:
    """What was learned in months is not dropped for a mistyped word."""
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
    assert f"behavior db restore '{saved}'" in told.stdout
    assert ask(owner, f"select to_regclass('public.{storage}')") is None
    assert terminal.told("restore", str(saved), storage=storage)["restored"] == len(before)
    assert table(owner, storage) == before
    assert terminal.told("rollback", "--with-rows", "--backup", str(file), storage=storage)["backup"] == str(file)


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


@memories_only
def test_memories_that_no_backup_holds_are_not_dropped(
    both: psycopg.Connection, terminal: Terminal, own_home: Path
) -> None:
    """Other programs may have theirs in a table that we made."""
    keep_foreign(both, user_of(both, LOGIN), type="note")

    refused = terminal.refused("rollback", "--with-rows", storage="memories")

    assert f"1 of {2 * len(TEXTS) + 1} rows are no patterns" in str(refused)
    assert len(table(both, "memories")) == 2 * len(TEXTS) + 1
    assert list((own_home / "behavior" / "backups").iterdir()) == []


def test_rollback_leaves_a_table_of_another_program_as_it_was(
    server: Server, found: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there before us, and so were its rows."""
    keep_foreign(found, UUID(A))
    before = dump(server, found.info.dbname)
    migrate(found, "memories")
    with_us = dump(server, found.info.dbname)

    told = Terminal(server, found.info.dbname, monkeypatch).told("rollback", storage="memories")

    assert told == {"storage": "memories", "rows": 0, "backup": None}
    assert with_us != before
    assert dump(server, found.info.dbname) == before
