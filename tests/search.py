"""Search as callers of the database do, by its own function: the plugin itself compares triggers in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg.sql
from psycopg.rows import DictRow

from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.rows import read_pattern, read_rows, vector_text
from behavior_plugin.workflow import StoredPattern

FUNCTIONS = {"behavior_patterns": "public.find_similar_patterns", "memories": "behavior.find_similar_workflows"}
_FIND = "select * from {}(%(embedding)s, %(model)s, %(least)s, %(limit)s::integer, %(project)s)"


@dataclass(frozen=True)
class Match:
    """A pattern, how similar the nearest of its triggers is, and those of its triggers among the nearest 40 of all."""

    pattern: StoredPattern
    similarity: float
    trigger: str
    similarities: tuple[float, ...]


def nearest(
    store: PostgresStore,
    embedding: Sequence[float],
    model: str,
    *,
    min_similarity: float = -1,
    project: str | None = None,
    limit: int = 5,
) -> list[Match]:
    """What the function of the store's table finds, as the store's own user."""
    values = {
        "embedding": vector_text(embedding),
        "model": model,
        "least": min_similarity,
        "limit": limit,
        "project": project,
    }
    name = psycopg.sql.Identifier(*FUNCTIONS[store._storage].split("."))
    with store._transaction() as connection:
        rows = connection.execute(psycopg.sql.SQL(_FIND).format(name), values).fetchall()
    return read_rows(_match, rows)


def _match(row: DictRow) -> Match:
    similarity, trigger = row.pop("similarity"), row.pop("nearest_trigger")
    similarities = tuple(row.pop("trigger_similarities") or ())
    return Match(read_pattern(row), similarity, trigger, similarities)
