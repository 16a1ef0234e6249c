"""Insert many patterns into the embedded server in bulk, a thousand times as fast as through the store.

The vectors are real ones, of the prompts in prompts.py. Embedding 10,000 texts would take a minute, so the vectors are
repeated with a small random change (a cosine of about 0.9, as between two prompts for the same work).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from behavior_plugin import config
from behavior_plugin.embed.offline import OfflineEmbedder
from behavior_plugin.store.opening import open_as_owner, own_user
from benchmarks import prompts
from benchmarks.scratch import shown
from benchmarks.vectors import Vectors

# all-MiniLM-L6-v2's, which the product pads with zeros.
OFFLINE = 384
STRAY = 0.48
CALL = {"tool": "Bash", "outcome": "success", "timestamp": "2026-01-01T00:00:00Z", "duration_ms": 100}
ACTIONS = [{**CALL, "parameters": {"command": f"make step-{step}"}} for step in range(6)]
COLUMNS = {
    "user_id": "uuid",
    "session_id": "text",
    "project": "text",
    "trigger": "text",
    "trigger_embedding": "vector",
    "embedding_model": "text",
    "context": "jsonb",
    "actions": "jsonb",
    "final_outcome": "text",
    "started_at": "timestamptz",
}


def fill(count: int, *, project: str) -> None:
    """Insert this many patterns of one project for the current user. No worker may be running."""
    stored = _strayed(_embedded(min(count, prompts.MAX_TASKS)), count)
    with open_as_owner(config.load()) as owner:
        user = own_user(owner, config.load())
        owner.execute("set search_path = public, extensions")
        register_vector(owner)
        _copy(owner, _rows(stored, project), user)
        owner.execute("vacuum (analyze) public.behavior_patterns")


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


def _rows(stored: Vectors, project: str) -> Iterator[tuple[Any, ...]]:
    context, actions, now = Jsonb({"directory": project, "project": project}), Jsonb(ACTIONS), datetime.now(UTC)
    for number, vector in enumerate(stored):
        trigger = prompts.task(number)
        yield f"old-{number}", project, trigger, vector, OfflineEmbedder.model, context, actions, "success", now


def _copy(owner: psycopg.Connection, rows: Iterable[tuple[Any, ...]], user: object) -> None:
    statement = f"copy public.behavior_patterns ({', '.join(COLUMNS)}) from stdin (format binary)"
    with owner.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(list(COLUMNS.values()))
        for row in rows:
            copy.write_row((user, *row))
