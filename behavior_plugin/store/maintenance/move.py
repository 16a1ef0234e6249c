"""Move patterns out of a memories table into behavior_patterns: a batch at a time, each of them kept at once.

Interrupted, it continues where it stopped; run twice, it does nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import psycopg

from behavior_plugin.errors import SchemaError
from behavior_plugin.store.connection import value
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.maintenance.rows import BATCH, Skipped, Tally, as_owner, import_rows
from behavior_plugin.store.migrate import migrate
from behavior_plugin.store.sql_files import query

_DIFFERS = "behavior_patterns has it in another version, or not at all"


def prepare(owner: psycopg.Connection) -> tuple[int, int]:
    """Make the table that patterns move to; returns how many are still to be moved, and how many are there already.

    Raises:
        SchemaError: there is no table of memories, or it cannot be read or used.
    """
    with translate_errors("public.memories"):
        if value(owner, "select to_regclass('public.memories')") is None:
            raise SchemaError("There is no table public.memories to move patterns from.", hint="Nothing was changed.")
    for storage in ("memories", "behavior_patterns"):
        migrate(owner, storage)
    with as_owner(owner):
        [(patterns, unmoved)] = owner.execute(query("count_unmoved", "memories"))
    return unmoved, patterns - unmoved


def move(owner: psycopg.Connection) -> Iterator[Tally]:
    """Move everybody's patterns; yields what became of each batch once it is kept. Memories stay as they are."""
    # The keys are held by the server, beyond the transaction they were found in.
    with owner.cursor("unmoved", withhold=True) as cursor:
        with as_owner(owner):
            cursor.execute(query("find_unmoved", "memories"))
        while keys := cursor.fetchmany(BATCH):
            yield _move_batch(owner, keys)


def unreadable(owner: psycopg.Connection) -> list[Skipped]:
    """The workflows in memories that are not patterns of ours, and so cannot be moved."""
    with as_owner(owner):
        rows = owner.execute(query("find_unreadable", "memories"))
        return [Skipped(str(row_id), str(user_id), reason) for user_id, row_id, reason in rows]


def delete_moved(owner: psycopg.Connection) -> tuple[int, list[Skipped]]:
    """Delete the memories that behavior_patterns has; returns how many these were, and the patterns that stay."""
    with as_owner(owner):
        count = owner.execute(query("delete_moved", "memories")).rowcount
        rows = owner.execute(query("list_keys", "memories"))
        return count, [Skipped(str(row_id), str(user_id), _DIFFERS) for user_id, row_id in rows]


def _move_batch(owner: psycopg.Connection, keys: list[tuple[UUID, UUID]]) -> Tally:
    user_ids, ids = zip(*keys, strict=True)
    with as_owner(owner):
        rows = owner.execute(query("export_memories", "memories"), {"user_ids": list(user_ids), "ids": list(ids)})
        return import_rows(owner, "behavior_patterns", [line for (line,) in rows])
