"""Move patterns from a memories table into behavior_patterns, in batches that are committed one by one.

After an interruption it continues where it stopped; a second run moves nothing. The evidence is the same for both
tables, and stays where it is.
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

_DIFFERS = "behavior_patterns has another version of it, or none"


def prepare(owner: psycopg.Connection) -> tuple[int, int]:
    """Create the target table; returns the numbers of patterns to move and of patterns that are there already.

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
    """Move all users' patterns; yields the tally of each committed batch. Memories stay as they are.

    In the end all patterns are due to be computed again, in the table that the next worker uses: if it worked on in one
    of the two after an earlier move, the other has older ones.
    """
    # The server keeps the result after the transaction that found the keys has ended.
    with owner.cursor("unmoved", withhold=True) as cursor:
        with as_owner(owner):
            cursor.execute(query("find_unmoved", "memories"))
        while keys := cursor.fetchmany(BATCH):
            yield _move_batch(owner, keys)
    with as_owner(owner):
        owner.execute(query("unfold_all"))


def unreadable(owner: psycopg.Connection) -> list[Skipped]:
    """The workflows in memories that are not our patterns and cannot be moved."""
    with as_owner(owner):
        rows = owner.execute(query("find_unreadable", "memories"))
        return [Skipped(str(row_id), str(user_id), reason) for user_id, row_id, reason in rows]


def delete_moved(owner: psycopg.Connection) -> tuple[int, list[Skipped]]:
    """Delete the memories that behavior_patterns has; returns their number, and the patterns that stay."""
    with as_owner(owner):
        count = owner.execute(query("delete_moved", "memories")).rowcount
        rows = owner.execute(query("list_keys", "memories"))
        return count, [Skipped(str(row_id), str(user_id), _DIFFERS) for user_id, row_id in rows]


def _move_batch(owner: psycopg.Connection, keys: list[tuple[UUID, UUID]]) -> Tally:
    user_ids, ids = zip(*keys, strict=True)
    with as_owner(owner):
        rows = owner.execute(query("export_memories", "memories"), {"user_ids": list(user_ids), "ids": list(ids)})
        return import_rows(owner, "behavior_patterns", [line for (line,) in rows])
