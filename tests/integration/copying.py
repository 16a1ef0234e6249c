"""Rows that are hard to copy, and the commands that copy them: for the tests of backup, move and rollback."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.types.json import Jsonb

from behavior_plugin.cli import cli
from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.model import Outcome, Turn
from behavior_plugin.store import Computed
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.maintenance.rows import as_owner, export_rows
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import migrations
from behavior_plugin.workflow import Digest, Episode, Judgement, Lesson, Step, StepKind, Variant, Workflow
from tests.database import LOGIN, A, make_memories, make_user, member_store, rows, save
from tests.factories import START, make_action, make_pattern
from tests.settings import configure

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
# The numbers of one user's rows.
PATTERNS = len(TEXTS)
EPISODES = len(TEXTS) + 1
REMARKS = 2
EVIDENCE = EPISODES + REMARKS
EACH = PATTERNS + EVIDENCE
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
FULL_EPISODE = """
update behavior.episodes
   set use_count = 9, last_used_at = '2026-01-02 03:04:05.678901+02', created_at = '1999-12-31 23:59:59.999999+00',
       updated_at = '2001-01-01 00:00:00.000001+00', schema_version = 3, started_at = '0044-03-15 12:00:00+00',
       turn_starts = array['0044-03-15 12:00:00+00', '2026-01-01 00:00:00.000001+00']::timestamptz[],
       turns = jsonb_set(turns, '{0,actions,0,parameters}', %s::jsonb), digest = digest || '{"from": "the future"}'
 where trigger = %s
"""
# For each user a suggestion that was followed, and an edit.
ADD_REMARKS = """
insert into behavior.remarks (user_id, pattern_key, kind, session_id, is_followed, outcome, note, details, made_at)
select user_id, 'key', kind, kind, is_followed, outcome, %(text)s, %(details)s, '1999-12-31 23:59:59.999999+00'
  from behavior.members, (values ('shown', true, 'partial'), ('edit', null, null)) as made (kind, is_followed, outcome)
 where login = any (%(logins)s)
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
    """Save patterns and evidence of two users, with and without vectors and with difficult values.

    `each` is how many times more patterns each user gets. Every second pattern is a workflow.
    """
    numbers = random.Random(7)
    for login in (LOGIN, OTHER):
        with member_store(owner, server, login, storage) as store:
            for number, text in enumerate(TEXTS * (1 + each)):
                action = make_action(parameters={"command": text}, error=text)
                pattern = make_pattern(
                    trigger=f"{text} {number}",
                    actions=(action,),
                    final_outcome=Outcome.PARTIAL,
                    workflow=make_workflow(text) if number % 2 else None,
                )
                save(store, pattern, _vector(numbers) if number % 3 else None, MODEL)
            _save_evidence(store, numbers)
    full = FULL_B if storage == "behavior_patterns" else FULL_A
    assert owner.execute(full.encode(), [EXACT, f"{TEXTS[0]} 0"]).rowcount == 2
    remarks = {"text": "".join(TEXTS[1:3]), "details": f'{{"steps": {EXACT}}}', "logins": [LOGIN, OTHER]}
    assert owner.execute(ADD_REMARKS, remarks).rowcount == 2 * REMARKS
    # With the trigger, the date of the last change would be that of the test.
    owner.execute("alter table behavior.episodes disable trigger episodes_updated_at")
    assert owner.execute(FULL_EPISODE, [EXACT, f"{TEXTS[0]} 0"]).rowcount == 2
    owner.execute("alter table behavior.episodes enable trigger episodes_updated_at")


def _save_evidence(store: PostgresStore, numbers: random.Random) -> None:
    """An episode for each text, and a part of the last one; the patterns of some are computed."""
    episodes = [make_episode(f"told-{number}", f"{text} {number}") for number, text in enumerate(TEXTS)]
    part = make_episode("part", "commit it", part_of=episodes[-1].source_key)
    told = [*episodes, part]
    with store.evidence() as evidence:
        evidence.replace_sessions([episode.session_id for episode in told], told)
        evidence.replace_patterns("project", [], {episode.source_key: "key" for episode in episodes[1:]})
    for number, episode in enumerate(episodes):
        store.save_embedding(episode.source_key, episode.trigger, _vector(numbers) if number % 2 else None, MODEL)


def _vector(numbers: random.Random) -> list[float]:
    return [numbers.uniform(-1, 1) * 10 ** numbers.randint(-20, 3) for _ in range(1536)]


def make_workflow(text: str = "make test") -> Workflow:
    step = Step(kind=StepKind.CHECK, text=text, times=2, took_ms=1500)
    lesson = Lesson(failed=text, worked="make", error=text, failures=3)
    variant = Variant(steps=(step,), times=2, worked=1)
    return Workflow(job="check", steps=(step,), lessons=(lesson,), variants=(variant,), triggers=(text,), last_at=START)


def make_episode(
    key: str, trigger: str = "Fix the failing test", *, part_of: str = "", project: str = "project"
) -> Episode:
    """An episode of two turns, in a session of its own."""
    pattern = make_pattern()
    context = pattern.context.model_copy(update={"project": project})
    first = Turn(
        source_key=key,
        session_id=f"session of {key}",
        prompt=trigger,
        started_at=pattern.started_at,
        context=context,
        actions=(make_action(parameters={"command": trigger}, error=trigger),),
        closing=trigger,
    )
    then = first.model_copy(update={"source_key": f"{key}-2", "started_at": first.started_at + timedelta(minutes=1)})
    return Episode(
        source_key=key,
        turns=(first, then),
        judgement=Judgement(outcome=Outcome.PARTIAL, because=trigger),
        digest=Digest(version=2, job="check", steps=make_workflow(trigger).steps, commands=(trigger,), took_ms=5),
        part_of=part_of,
    )


def learn(store: PostgresStore, key: str) -> None:
    """Save an episode and its pattern in one transaction."""
    episode, pattern = make_episode(key), make_pattern(source_key=key, workflow=make_workflow())
    with store.evidence() as evidence:
        evidence.replace_sessions([episode.session_id], [episode])
        evidence.save_pattern(Computed(pattern))


def learned(store: PostgresStore) -> list[str]:
    """The keys of what `learn` has saved: each as a whole."""
    patterns = sorted(pattern.source_key for pattern in store.newest(project=None, limit=10_000))
    assert patterns == sorted(each.source_key for each in store.newest_episodes(project=None, limit=10_000))
    return patterns


def table(owner: psycopg.Connection, storage: Storage) -> list[tuple[Any, ...]]:
    return rows(owner, f"select to_jsonb(t) from public.{storage} t order by user_id, id")


def told(owner: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Episodes and remarks, without the mark that their patterns are computed: a restore removes it."""
    episodes = rows(owner, "select to_jsonb(e) - 'is_folded' from behavior.episodes e order by user_id, source_key")
    return [*episodes, *rows(owner, "select to_jsonb(r) from behavior.remarks r order by user_id, id")]


def everything(owner: psycopg.Connection, storage: Storage) -> list[tuple[Any, ...]]:
    """The patterns and their evidence."""
    return [*table(owner, storage), *told(owner)]


def folded(owner: psycopg.Connection) -> int:
    """The number of episodes whose patterns count as computed."""
    [(count,)] = rows(owner, "select count(*) from behavior.episodes where is_folded")
    return int(count)


def clear(owner: psycopg.Connection, storage: Storage) -> None:
    for name in (f"public.{storage}", "behavior.episodes", "behavior.remarks"):
        owner.execute(f"delete from {name}".encode())


def rewrite(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    """Change the lines of a backup between the first and the last, as somebody might by hand."""
    header, *lines, _ = gzip.decompress(file.read_bytes()).decode().rstrip("\n").split("\n")
    changed = change(lines)
    text = "\n".join([header, *changed, json.dumps({"rows": len(changed)}), ""])
    file.write_bytes(gzip.compress(text.encode("utf-8", "surrogatepass")))


def lines_of(file: Path) -> list[dict[str, Any]]:
    """The header and the rows of a backup."""
    *lines, _ = gzip.decompress(file.read_bytes()).decode().rstrip("\n").split("\n")
    return [json.loads(line) for line in lines]


def exported(owner: psycopg.Connection, storage: Storage) -> list[str]:
    with as_owner(owner):
        return list(export_rows(owner, storage, everyone=True))


def canonical(owner: psycopg.Connection, storage: Storage) -> list[str]:
    """The exported rows, without the mark that their patterns are computed."""
    return [line.replace('"is_folded": true', '"is_folded": false') for line in exported(owner, storage)]


def user_of(owner: psycopg.Connection, login: str) -> UUID:
    found = owner.execute("select user_id from behavior.members where login = %s", [login]).fetchone()
    assert found
    return UUID(str(found[0]))


class Terminal:
    """The command `behavior` with a given login, on the test's own database."""

    def __init__(self, server: Server, dbname: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server, self._dbname, self._monkeypatch = server, dbname, monkeypatch

    def run(self, *words: str, login: str = "postgres", storage: Storage = "behavior_patterns") -> Result:
        configure(database_url=self._server.conninfo(login, self._dbname), storage=storage)
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
    """Create another program's table of memories in a new database, with our roles, users and pgvector."""
    for migration in migrations():
        if migration.version < 100:
            fresh.execute(migration.file.read_bytes())
    make_memories(fresh)
    make_user(fresh, A)
    return fresh
