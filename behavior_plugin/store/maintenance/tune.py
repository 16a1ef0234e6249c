"""Choose the vector index by size: none for most databases, HNSW if one user has very many patterns.

Without it a search reads the bits of all patterns of one user, side by side in a b-tree, and compares the vectors of
the nearest: exact enough at every size, and fast for tens of thousands. Beyond that the index is faster; the function
find_similar_patterns counts for each search which of the two it uses. The index is built on existing rows, never by a
migration: on an empty table the lists of ivfflat are random, and it finds a third.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import psutil
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from behavior_plugin.config import Storage
from behavior_plugin.errors import StoreError
from behavior_plugin.store.connection import value
from behavior_plugin.store.errors import translate_errors
from behavior_plugin.store.maintenance.rows import NOT_THE_OWNER
from behavior_plugin.store.sql_files import query

Kind = Literal["none", "hnsw", "ivfflat"]

UNTUNED = "Patterns are stored in a memories table, where searches are exact; there is nothing to tune."
UNTUNED_HINT = "Beyond some thousand patterns of one user, `behavior db move --to behavior_patterns`."

INDEX = "behavior_patterns_trigger_bits_idx"
# As in 0401_workflows.sql, which explains how they were measured.
MIN_PATTERNS = 20_000
WASTED_CANDIDATES = 15_000
# The memory of the graph while it is built, with a margin; a build that fits into memory is ten times as fast.
BYTES_PER_ROW = 2_000
MIN_MEMORY = 64 << 20
# For another machine, whose memory we do not know.
DEFAULT_MEMORY = 512 << 20
# On this machine: the share of the free memory.
SHARE_OF_FREE = 0.25
# Not the lock of the migrations: those would wait for minutes.
LOCK = 7236430166542122


@dataclass(frozen=True)
class Index:
    """The index over all users' bits, if there is one. `bytes` is its size on disk."""

    kind: Kind = "none"
    is_valid: bool = True
    bytes: int = field(default=0, compare=False)
    lists: int | None = None
    probes: int | None = None


@dataclass(frozen=True)
class Tuning:
    """The present index and the wanted one; `is_due` if they differ."""

    patterns: int
    largest_user: int
    present: Index
    wanted: Index

    @property
    def is_due(self) -> bool:
        return self.present != self.wanted


@dataclass(frozen=True)
class Progress:
    """The progress of a build: the phase in the server's words, and its completed share from 0 to 1."""

    phase: str
    share: float


def check(owner: psycopg.Connection, storage: Storage, kind: Kind | None = None) -> Tuning:
    """Measure the table and choose the index that fits, or plan one of the given kind.

    Raises:
        StoreError: patterns are stored in a memories table, or in a partitioned one: these have no such index.
        SchemaError: the login does not see all users' patterns.
        StoreUnavailableError: the connection was lost, or the server is short of resources for now.
    """
    if storage != "behavior_patterns":
        raise StoreError(UNTUNED, hint=UNTUNED_HINT)
    with translate_errors("The table cannot be measured", hint=NOT_THE_OWNER), owner.transaction():
        owner.execute(query("bypass_row_security"))
        [size] = _rows(owner, query("table_stats", storage))
        present = _present(owner)
    fits = "none" if size["is_split"] else choose_kind(size["patterns"], size["largest_user"], present)
    if size["is_split"] and kind not in (None, "none"):
        raise StoreError("The table is split by user; no index can be built over its parts.", hint="docs/team.md")
    return Tuning(size["patterns"], size["largest_user"], present, plan_index(size["patterns"], kind or fits))


def choose_kind(patterns: int, largest_user: int, present: Index) -> Kind:
    """The kind that fits: none as long as reading all bits of one user is faster, for every user."""
    if largest_user <= max(MIN_PATTERNS, math.isqrt(WASTED_CANDIDATES * patterns)):
        return "none"
    return "ivfflat" if present.kind == "ivfflat" else "hnsw"  # somebody chose it


def plan_index(patterns: int, kind: Kind) -> Index:
    """The index of this kind for that many patterns."""
    if kind != "ivfflat":
        return Index(kind)
    # As pgvector advises, rounded to a power of two so that a little growth requires no rebuild.
    lists = max(1, patterns // 1000 if patterns <= 1_000_000 else math.isqrt(patterns))
    lists = 1 << (lists.bit_length() - 1)
    # For vectors the square root is advised; bits are more alike, and a third of the lists is needed to find as much.
    return Index(kind, lists=lists, probes=max(1, math.isqrt(lists), lists // 3))


def memory_for(*, is_local: bool) -> int:
    """The memory in bytes that a server on this machine, or on another one, may use for a build."""
    return int(psutil.virtual_memory().available * SHARE_OF_FREE) if is_local else DEFAULT_MEMORY


def apply(owner: psycopg.Connection, tuning: Tuning, *, memory: int = DEFAULT_MEMORY) -> Index:
    """Build the wanted index while the table is in use; returns the present index. May be run again at any time.

    The rest of an interrupted build is dropped first. `memory` is the server's limit for the build, in bytes; `owner`
    must be in autocommit mode.

    Raises:
        StoreError: another session is building it.
        SchemaError: the server refused.
        StoreUnavailableError: the connection was lost, or the server is short of resources for now.
    """
    with translate_errors("The index cannot be built"), _locked(owner):
        # As in the migrations: find pgvector in whichever of the usual schemas it is installed.
        owner.execute("set search_path = pg_catalog, public, extensions")
        owner.execute("select '[1]'::vector")  # loads pgvector, which defines its settings
        # Look again: another session may have built it since the table was measured.
        if not _is_usable(_present(owner), tuning.wanted):
            owner.execute(sql.SQL("drop index concurrently if exists public.{}").format(sql.Identifier(INDEX)))
            _create(owner, tuning, memory)
        _set_probes(owner, tuning.wanted.probes)
        return _present(owner)


def progress(connection: psycopg.Connection) -> Progress | None:
    """The progress of a build, on a connection of its own; None if none is running."""
    if not (rows := _rows(connection, query("watch_index", "behavior_patterns"))):
        return None
    row = rows[0]
    total, done = row["tuples_total"] or row["blocks_total"], row["tuples_done"] or row["blocks_done"]
    return Progress(row["phase"], min(done / total, 1.0) if total else 0.0)


def _present(owner: psycopg.Connection) -> Index:
    rows = _rows(owner, query("inspect_index", "behavior_patterns"))
    return Index(**rows[0]) if rows else Index()


def _is_usable(present: Index, wanted: Index) -> bool:
    return present.is_valid and (present.kind, present.lists) == (wanted.kind, wanted.lists)


def _create(owner: psycopg.Connection, tuning: Tuning, memory: int) -> None:
    wanted = tuning.wanted
    if wanted.kind == "none":
        return
    needed = max(MIN_MEMORY, min(tuning.patterns * BYTES_PER_ROW, memory))
    owner.execute(sql.SQL("set maintenance_work_mem = {}").format(sql.Literal(f"{needed >> 10}kB")))
    owner.execute(
        sql.SQL(
            "create index concurrently {name} on public.behavior_patterns using {kind} (trigger_bits bit_hamming_ops) "
            "{options}"
        ).format(
            name=sql.Identifier(INDEX),
            kind=sql.Identifier(wanted.kind),
            options=sql.SQL("with (lists = {})").format(wanted.lists) if wanted.lists else sql.SQL(""),
        )
    )


def _set_probes(owner: psycopg.Connection, probes: int | None) -> None:
    """Store it with the function's other settings, so that it applies to every caller."""
    change = sql.SQL("set ivfflat.probes = {}").format(probes) if probes else sql.SQL("reset ivfflat.probes")
    owner.execute(sql.SQL("alter function public.find_similar_patterns {}").format(change))


@contextmanager
def _locked(owner: psycopg.Connection) -> Iterator[None]:
    """Exclude other builds. Do not wait for the lock: a build waits for all waiting sessions, and would never end."""
    is_ours = value(owner, "select pg_try_advisory_lock(%s)", [LOCK])
    try:
        if not is_ours or progress(owner):
            raise StoreError(
                "The index is being built already.", hint="Wait until that build has ended, then try again."
            )
        yield
    finally:
        if is_ours and not owner.closed:
            owner.execute("reset search_path")
            owner.execute("reset maintenance_work_mem")
            owner.execute("select pg_advisory_unlock(%s)", [LOCK])


def _rows(connection: psycopg.Connection, asked: sql.SQL) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(asked).fetchall()
