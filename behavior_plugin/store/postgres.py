"""Store patterns in Postgres and find them again, as the login's user and under row level security."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from pgvector import Vector
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb, set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout
from pydantic import ValidationError

from behavior_plugin.config import Storage
from behavior_plugin.errors import StoreError, StoreUnavailableError
from behavior_plugin.model import Action, Match, Pattern, Saved, StoredPattern
from behavior_plugin.store.connection import TIMEOUT_S, TimedConnection
from behavior_plugin.store.errors import as_store_error
from behavior_plugin.store.sql_files import query

log = logging.getLogger(__name__)

Read = TypeVar("Read")


class PostgresStore:
    """The patterns of the login's user, in Postgres. `Store` documents the methods and their errors."""

    def __init__(self, conninfo: str, storage: Storage = "behavior_patterns") -> None:
        self._storage = storage
        self._refusal = ""
        # Two threads that save the same work of two sessions at once would not see each other's row.
        self._saving = threading.Lock()
        self._pool: ConnectionPool[psycopg.Connection[DictRow]] = ConnectionPool(
            conninfo,
            connection_class=TimedConnection[DictRow],
            min_size=1,
            max_size=4,
            timeout=TIMEOUT_S,
            # The pool's own backoff grows, so that it would reconnect late after an outage.
            reconnect_timeout=TIMEOUT_S,
            # Plan each query again: a plan made for small tables is wrong for large ones (and poolers forbid reuse).
            kwargs={
                "row_factory": dict_row,
                "prepare_threshold": None,
                "connect_timeout": TIMEOUT_S,
                "client_encoding": "utf8",
                "on_failure": self._note_failure,
            },
            configure=lambda connection: set_json_loads(_read_json, connection),
            open=True,
        )

    def close(self) -> None:
        self._pool.close()

    def save(self, pattern: Pattern, embedding: Sequence[float] | None, model: str | None) -> Saved:
        values = {
            "source_key": pattern.source_key,
            "session_id": pattern.session_id,
            "project": pattern.context.project,
            "trigger": pattern.trigger,
            "embedding": None if embedding is None else Vector(list(embedding)).to_text(),
            "embedding_model": None if embedding is None else model,
            "context": Jsonb(pattern.context.model_dump(mode="json")),
            "actions": Jsonb([action.model_dump(mode="json") for action in pattern.actions]),
            "calls": Jsonb(_calls(pattern)),
            "final_outcome": pattern.final_outcome.value,
            "confidence": pattern.confidence,
            "provenance": Jsonb(pattern.provenance.model_dump(mode="json")),
            "started_at": pattern.started_at,
        }
        with self._saving:
            changed = self._fetch("save_pattern", values)
        if not changed:
            return Saved.UNCHANGED
        return Saved.ADDED if changed[0]["is_new"] else Saved.UPDATED

    def known(self, patterns: Sequence[Pattern], *, with_embedding: bool) -> set[str]:
        values = {"patterns": Jsonb([_comparable(pattern) for pattern in patterns]), "with_embedding": with_embedding}
        return {row["source_key"] for row in self._fetch("find_known", values)}

    def nearest(
        self, embedding: Sequence[float], model: str, *, min_similarity: float, project: str | None, limit: int
    ) -> list[Match]:
        values = {
            "embedding": Vector(list(embedding)).to_text(),
            "embedding_model": model,
            "min_similarity": min_similarity,
            "project": project,
            "limit": limit,
        }
        return _read_rows(_match, self._fetch("find_similar_patterns", values))

    def sharing_words(self, text: str, *, project: str | None, limit: int) -> list[Match]:
        values = {"text": text, "project": project, "limit": limit}
        return _read_rows(_match, self._fetch("find_patterns_by_words", values))

    def newest(self, *, project: str | None, limit: int) -> list[StoredPattern]:
        return _read_rows(_stored, self._fetch("list_patterns", {"project": project, "limit": limit}))

    def starting_with(self, id_start: str) -> list[StoredPattern]:
        return [_stored(row) for row in self._fetch("find_patterns_by_id", {"id": id_start})]

    def count_use(self, pattern_id: UUID) -> bool:
        return bool(self._fetch("count_use", {"id": pattern_id})[0]["is_counted"])

    def count(self) -> int:
        return int(self._fetch("count_patterns", {})[0]["patterns"])

    def forget_session(self, session_id: str) -> int:
        with self._transaction() as connection:
            return connection.execute(query("delete_session", self._storage), {"session_id": session_id}).rowcount

    def _fetch(self, name: str, values: dict[str, Any]) -> list[DictRow]:
        with self._transaction() as connection:
            return connection.execute(query(name, self._storage), values).fetchall()

    def _note_failure(self, reason: str) -> None:
        """Save the reason why there is no connection: the pool's own error does not contain it."""
        self._refusal = reason

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[DictRow]]:
        try:
            with self._pool.connection() as connection, connection.transaction():
                self._refusal = ""
                connection.execute(query("become_user"))
                yield connection
        except PoolTimeout:
            raise StoreUnavailableError(self._refusal and f"The pattern store {self._refusal}.") from None
        except psycopg.Error as error:
            raise as_store_error(error) from None
        except UnicodeEncodeError:
            raise StoreError("The pattern store refused the request (text that has no UTF-8).") from None


def _calls(pattern: Pattern) -> list[dict[str, Any]]:
    """Identify work by its calls, whichever session reports it: each call by its id, or as a whole if it has none.

    Some models only number their calls, so the tool and the command have to be equal too.
    """
    return [_identity(action) if action.id else action.model_dump(mode="json") for action in pattern.actions]


def _identity(action: Action) -> dict[str, Any]:
    command = {name: action.parameters[name] for name in ("command",) if name in action.parameters}
    return {"id": action.id, "tool": action.tool, "parameters": command}


def _comparable(pattern: Pattern) -> dict[str, Any]:
    """The part of a pattern that decides whether it is known."""
    return {
        "source_key": pattern.source_key,
        "trigger": pattern.trigger,
        "started_at": pattern.started_at.isoformat(),
        "final_outcome": pattern.final_outcome.value,
        "action_count": len(pattern.actions),
        "calls": _calls(pattern),
    }


def _read_rows(read: Callable[[DictRow], Read], rows: Iterable[DictRow]) -> list[Read]:
    """The rows that this version can read: a row of a newer version must not hide the others."""
    readable = []
    for row in rows:
        try:
            readable.append(read(row))
        except StoreError as error:
            log.warning("left out: %s", error)
    return readable


def _read_json(text: str | bytes) -> Any:
    """Parse JSON; None if Python cannot, as with a number of 5,000 digits. Then only that row is left out."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _stored(row: DictRow) -> StoredPattern:
    try:
        return StoredPattern.model_validate(row)
    except ValidationError:
        raise StoreError(
            f"Pattern {row['id']} has a shape that this version does not know.",
            hint="Update the plugin: a newer version may have stored it.",
        ) from None


def _match(row: DictRow) -> Match:
    similarity = row.pop("similarity")
    return Match(pattern=_stored(row), similarity=similarity)
