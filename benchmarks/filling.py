"""Insert much evidence, and its patterns, into the embedded server in bulk, a thousand times as fast as by learning.

The vectors are real ones, of the prompts in prompts.py. Embedding 10,000 texts would take a minute, so the vectors are
repeated with a small random change (a cosine of about 0.9, as between two prompts for the same work).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from behavior_plugin import config
from behavior_plugin.embed.offline import OfflineEmbedder
from behavior_plugin.model import Action, Context, Outcome, Turn
from behavior_plugin.patterns.evidence import DIGEST_VERSION
from behavior_plugin.patterns.fold import MAX_TRIGGERS, pattern_key
from behavior_plugin.patterns.steps import known_commands
from behavior_plugin.store.opening import open_as_owner, own_user
from behavior_plugin.workflow import Digest, Step, StepKind, Workflow
from benchmarks import prompts
from benchmarks.scratch import shown
from benchmarks.vectors import Vectors

# all-MiniLM-L6-v2's, which the product pads with zeros.
OFFLINE = 384
STRAY = 0.48
# The number of patterns, as a share of the pieces of work.
FOLDED = 0.03
STEPS = tuple(Step(kind=StepKind.RUN, text=f"make step-{number}") for number in range(6))
EPISODE = {
    "user_id": "uuid",
    "source_key": "text",
    "session_id": "text",
    "project": "text",
    "trigger": "text",
    "trigger_embedding": "vector",
    "embedding_model": "text",
    "turns": "jsonb",
    "outcome": "text",
    "digest": "jsonb",
    "pattern_key": "text",
    "is_folded": "boolean",
    "turn_starts": "timestamptz[]",
    "schema_version": "int2",
    "started_at": "timestamptz",
}
PATTERN = {
    "user_id": "uuid",
    "source_key": "text",
    "session_id": "text",
    "project": "text",
    "trigger": "text",
    "trigger_embedding": "vector",
    "embedding_model": "text",
    "context": "jsonb",
    "actions": "jsonb",
    "final_outcome": "text",
    "workflow": "jsonb",
    "started_at": "timestamptz",
}


def fill(count: int, *, project: str) -> None:
    """Insert so many pieces of work of one project for the current user, as if learned. No worker may be running.

    They are of different jobs, each with a pattern: FOLDED of them all.
    """
    stored = _strayed(_embedded(min(count, prompts.MAX_TASKS)), count)
    jobs, now = max(1, round(count * FOLDED)), datetime.now(UTC)
    turns = [_turn(number, project, now) for number in range(count)]
    with open_as_owner(config.load()) as owner:
        user = own_user(owner, config.load())
        owner.execute("set search_path = public, extensions")
        register_vector(owner)
        episodes = (_episode(turn, stored[number], number % jobs) for number, turn in enumerate(turns))
        _copy(owner, "behavior.episodes", EPISODE, episodes, user)
        patterns = (_pattern(turns[job::jobs], stored[job], job) for job in range(min(jobs, count)))
        _copy(owner, "public.behavior_patterns", PATTERN, patterns, user)


def _embedded(count: int) -> Vectors:
    embedder = OfflineEmbedder()
    texts = shown(range(count), "embedding", total=count)
    return np.array([embedder.embed([prompts.task(number)])[0] for number in texts], np.float32)


def _strayed(some: Vectors, count: int) -> Vectors:
    """The given vectors, followed by changed copies up to the requested number."""
    random = np.random.default_rng(7)
    found = some[np.arange(count) % len(some)]
    noise = random.standard_normal((count - len(some), OFFLINE), np.float32)
    found[len(some) :, :OFFLINE] += STRAY * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def _turn(number: int, project: str, now: datetime) -> Turn:
    return Turn(
        source_key=f"old-{number}",
        session_id=f"old-{number}",
        prompt=prompts.task(number),
        started_at=now,
        context=Context(directory=project, root=project, project=project),
        actions=tuple(
            Action(tool="Bash", outcome=Outcome.SUCCESS, timestamp=now, parameters={"command": step.text})
            for step in STEPS
        ),
    )


def _episode(turn: Turn, vector: Vectors, job: int) -> tuple[Any, ...]:
    digest = Digest(version=DIGEST_VERSION, job=_job(job), steps=STEPS, commands=known_commands(STEPS))
    return (
        turn.source_key,
        turn.session_id,
        turn.context.project,
        turn.prompt,
        vector,
        OfflineEmbedder.model,
        Jsonb([turn.model_dump(mode="json")]),
        "success",
        Jsonb(digest.model_dump(mode="json")),
        pattern_key(turn.context.project, _job(job)),
        True,
        [turn.started_at],
        DIGEST_VERSION,
        turn.started_at,
    )


def _pattern(turns: Sequence[Turn], vector: Vectors, job: int) -> tuple[Any, ...]:
    """The pattern of the pieces of work of one job; the first stands for the others."""
    first = turns[0]
    workflow = Workflow(
        job=_job(job),
        steps=STEPS,
        triggers=tuple(turn.prompt for turn in turns[:MAX_TRIGGERS]),
        times=len(turns),
        worked=len(turns),
        sessions=len(turns),
        last_at=first.started_at,
    )
    return (
        pattern_key(first.context.project, _job(job)),
        first.session_id,
        first.context.project,
        first.prompt,
        vector,
        OfflineEmbedder.model,
        Jsonb(first.context.model_dump(mode="json")),
        Jsonb([action.model_dump(mode="json") for action in first.actions]),
        "success",
        Jsonb(workflow.model_dump(mode="json")),
        first.started_at,
    )


def _job(number: int) -> str:
    return f"work {number}"


def _copy(
    owner: psycopg.Connection, table: str, columns: dict[str, str], rows: Iterable[tuple[Any, ...]], user: object
) -> None:
    statement = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
    with owner.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row((user, *row))
    owner.execute(f"vacuum (analyze) {table}".encode())
