"""Rows that are hard to copy, and the commands that copy them: for the tests of backup, move and rollback."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.types.json import Jsonb

from behavior_plugin.cli import cli
from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.model import Outcome
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.maintenance.rows import as_owner, export_rows
from behavior_plugin.store.sql_files import migrations
from tests.database import LOGIN, A, make_memories, make_user, member_store, rows
from tests.factories import make_action, make_pattern

OTHER = "behavior_other"
MODEL = "offline"
TEXTS = [
    "Fix the failing test",
    "it's '; drop table public.memories; -- $$ %s \\ \\u0041",
    'a "quoted" <b>name</b>\r\n\ttab \u2028 \u0001 end',
    "שלום 🧵 e\u0301 \U0001f9f5",
]
# JSON numbers that Python would change.
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


def fill(server: Server, owner: psycopg.Connection, storage: Storage, *, each: int = 0) -> None:
    """Save patterns of two users, with and without vectors and with difficult values, and `each` more per user."""
    numbers = random.Random(7)
    for login in (LOGIN, OTHER):
        with member_store(owner, server, login, storage) as store:
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
    with as_owner(owner):
        return list(export_rows(owner, storage, everyone=True))


def user_of(owner: psycopg.Connection, login: str) -> UUID:
    found = owner.execute("select user_id from behavior.members where login = %s", [login]).fetchone()
    assert found
    return UUID(str(found[0]))


class Terminal:
    """The command `behavior` with a given login, on the test's own database."""

    def __init__(self, server: Server, dbname: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server, self._dbname, self._monkeypatch = server, dbname, monkeypatch

    def run(self, *words: str, login: str = "postgres", storage: Storage = "behavior_patterns") -> Result:
        self._monkeypatch.setenv("BEHAVIOR_DATABASE_URL", self._server.conninfo(login, self._dbname))
        self._monkeypatch.setenv("BEHAVIOR_STORAGE", storage)
        return CliRunner().invoke(cli, ["db", *words])

    def run_json(self, *words: str, status: int = 0, **choices: Any) -> Any:
        """Run with --json; returns the parsed output."""
        done = self.run(*words, "--json", **choices)
        assert done.exit_code == status, (done.output, done.exception)
        return json.loads(done.stdout)

    def refused(self, *words: str, **choices: Any) -> BehaviorError:
        done = self.run(*words, **choices)
        assert isinstance(done.exception, BehaviorError), (done.output, done.exception)
        return done.exception


def insert_foreign(owner: psycopg.Connection, user: UUID, **changes: Any) -> None:
    given = {**FOREIGN, "type": "workflow", **changes}
    owner.execute(
        "insert into public.memories (user_id, type, content, metadata) values (%s, %s, %s, %s)",
        [user, given["type"], given["content"], Jsonb(given["metadata"])],
    )


def found_memories(fresh: psycopg.Connection) -> psycopg.Connection:
    """Create another program's table of memories in a new database, with the shared migrations."""
    for migration in migrations():
        fresh.execute(migration.file.read_bytes())
    make_memories(fresh)
    make_user(fresh, A)
    return fresh
