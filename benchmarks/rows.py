"""The rows of the searches that `benchmarks.store` measures: patterns, or episodes with the patterns made of them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import psycopg
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from benchmarks.designs import Layout
from benchmarks.vectors import Numbers, Vectors

MODEL = "benchmark"
COLUMN = 1536
CALL = {"tool": "Bash", "outcome": "success", "timestamp": "2026-01-01T00:00:00Z", "duration_ms": 100}
ACTIONS = [{**CALL, "parameters": {"command": f"make step-{step}"}} for step in range(6)]
STEPS = [{"kind": "run", "text": f"make step-{step}"} for step in range(6)]
# The number of patterns, as a share of the number of prompts.
FOLDED = 0.03
PATTERN = {
    "user_id": "uuid",
    "source_key": "text",
    "trigger": "text",
    "trigger_embedding": "vector",
    "embedding_model": "text",
    "actions": "jsonb",
    "final_outcome": "text",
    "workflow": "jsonb",
}
EPISODE = {
    "user_id": "uuid",
    "source_key": "text",
    "trigger": "text",
    "trigger_embedding": "vector",
    "embedding_model": "text",
    "turns": "jsonb",
    "outcome": "text",
    "digest": "jsonb",
    "pattern_key": "text",
    "is_folded": "boolean",
    "started_at": "timestamptz",
}


def grouped(owners: Numbers) -> Numbers:
    """The pattern of each row, as the number of the first row in it; a few patterns have most of a user's rows."""
    random = np.random.default_rng(10)
    groups = np.empty_like(owners)
    for own in np.split(np.argsort(owners, kind="stable"), np.flatnonzero(np.diff(np.sort(owners))) + 1):
        drawn = (len(own) * FOLDED * random.random(len(own)) ** 2).astype(np.int64)
        _, first, belongs = np.unique(drawn, return_index=True, return_inverse=True)
        groups[own] = own[first][belongs]
    return groups


def load(owner: psycopg.Connection, layout: Layout, owners: Numbers, stored: Vectors) -> None:
    users = [user(number) for number in range(int(owners.max()) + 1)]
    owner.execute("insert into auth.users (id) select unnest(%s::uuid[])", [users])
    owner.execute("set search_path = public, extensions")
    register_vector(owner)
    if layout.is_folded:
        _load_evidence(owner, owners, stored)
        return
    columns = {"user_id": "uuid", "trigger": "text", "trigger_embedding": "vector", "actions": "jsonb"}
    columns |= {"final_outcome": "text"} if layout.is_guide else {"final_outcome": "text", "embedding_model": "text"}
    rest = (Jsonb(ACTIONS), "success") if layout.is_guide else (Jsonb(ACTIONS), "success", MODEL)
    rows = zip(owners.tolist(), stored, strict=True)
    _copy(
        owner,
        "public.behavior_patterns",
        columns,
        ((users[user], str(number), padded(vector), *rest) for number, (user, vector) in enumerate(rows)),
    )


def _load_evidence(owner: psycopg.Connection, owners: Numbers, stored: Vectors) -> None:
    """Every row is an episode, and the first of each group stands for its pattern."""
    groups, now = grouped(owners), datetime.now(UTC)
    rows = list(enumerate(zip(owners.tolist(), groups.tolist(), strict=True)))
    work = (Jsonb([{"actions": ACTIONS}]), "success", Jsonb({"version": 2, "job": "work"}))
    _copy(
        owner,
        "behavior.episodes",
        EPISODE,
        (
            (user(user), str(number), str(number), padded(stored[number]), MODEL, *work, str(group), True, now)
            for number, (user, group) in rows
        ),
    )
    workflow = Jsonb({"job": "work", "last_at": now.isoformat(), "steps": STEPS})
    _copy(
        owner,
        "public.behavior_patterns",
        PATTERN,
        (
            (user(user), str(number), str(number), padded(stored[number]), MODEL, Jsonb(ACTIONS), "success", workflow)
            for number, (user, group) in rows
            if number == group
        ),
    )


def _copy(owner: psycopg.Connection, table: str, columns: dict[str, str], rows: Iterable[tuple[Any, ...]]) -> None:
    statement = f"copy {table} ({', '.join(columns)}) from stdin (format binary)"
    with owner.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        copy.set_types(list(columns.values()))
        for row in rows:
            copy.write_row(row)
    owner.execute(f"vacuum (analyze) {table}".encode())


def user(number: int) -> UUID:
    return UUID(int=number + 1)


def padded(some: Vectors) -> Vectors:
    missing = COLUMN - some.shape[-1]
    return np.pad(some, [*[(0, 0)] * (some.ndim - 1), (0, missing)])
