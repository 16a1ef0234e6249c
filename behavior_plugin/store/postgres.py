"""Store patterns in Postgres and find them again, as the login's user and under row level security."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from typing import Any

import orjson
import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

from behavior_plugin.config import Storage
from behavior_plugin.errors import StoreError, StoreUnavailableError
from behavior_plugin.model import REDACTION_VERSION
from behavior_plugin.store import Amounts, Size, StoredTrigger, ToRedact
from behavior_plugin.store.connection import TIMEOUT_S, TimedConnection
from behavior_plugin.store.errors import as_store_error
from behavior_plugin.store.evidence import PostgresEvidence
from behavior_plugin.store.rows import (
    read_episode,
    read_lessons,
    read_pattern,
    read_rows,
    read_suggestion,
    read_trigger,
    vector_text,
)
from behavior_plugin.store.sql_files import query
from behavior_plugin.workflow import Episode, Lesson, PastSuggestion, Remark, StoredPattern, Trigger

# Sessions that are computed again in one go, after an update of the rules.
MAX_SESSIONS = 50
# Triggers that are fetched in one go.
MAX_ROWS = 1_000
# The width of the column with the signs of a vector.
SIGNS = 1536
# Patterns of earlier versions that one statement makes evidence of: 10,000 of them would take longer than a query may.
MAX_TAKEN = 500
# The newest patterns of a project whose lessons are read: each has a few, and most projects have fewer patterns.
MAX_WITH_LESSONS = 200


class PostgresStore:
    """The patterns of the login's user, in Postgres. `Store` documents the methods and their errors."""

    def __init__(self, conninfo: str, storage: Storage = "behavior_patterns") -> None:
        self._storage = storage
        self._refusal = ""
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
            configure=_configure,
            open=True,
        )

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def evidence(self) -> Iterator[PostgresEvidence]:
        with self._transaction() as connection:
            connection.execute(query("lock_evidence"))
            yield PostgresEvidence(connection, self._storage)

    def take_old_patterns(self) -> int:
        total = 0
        while taken := self._take_some():
            total += taken
        return total

    def stale_sessions(self, version: int, *, after: str = "") -> list[str]:
        rows = self._fetch("find_stale_sessions", {"version": version, "after": after, "limit": MAX_SESSIONS})
        return [row["session_id"] for row in rows]

    def sessions_to_redact(self, *, after: str = "") -> list[str]:
        values = {"version": REDACTION_VERSION, "after": after, "limit": MAX_SESSIONS}
        return [row["session_id"] for row in self._fetch("find_sessions_to_redact", values)]

    def to_redact(self) -> ToRedact:
        [row] = self._fetch("count_to_redact", {"version": REDACTION_VERSION})
        return ToRedact(**row)

    def unfolded_projects(self) -> list[str]:
        return [row["project"] for row in self._fetch("find_unfolded", {})]

    def unembedded(self, limit: int) -> list[StoredTrigger]:
        return [StoredTrigger(**row) for row in self._fetch("find_unembedded", {"limit": limit})]

    def newest_triggers(self, project: str, *, limit: int) -> list[str]:
        rows = self._fetch("find_newest_triggers", {"project": project, "limit": limit})
        return [row["text"] for row in reversed(rows)]

    def embedded(self) -> list[tuple[str, str, int]]:
        return [(row["project"], row["model"], row["triggers"]) for row in self._fetch("count_embedded", {})]

    def embedded_by(
        self, model: str, *, project: str, limit: int, before: StoredTrigger | None = None
    ) -> list[StoredTrigger]:
        values = {
            "model": model,
            "project": project,
            "limit": limit,
            "before": before.started_at if before else None,
            "key": before.source_key if before else "",
        }
        return [StoredTrigger(**row) for row in self._fetch("find_embedded", values)]

    def refold(self, project: str) -> None:
        with self.evidence() as evidence:
            evidence.refold(project)

    def save_embedding(self, source_key: str, trigger: str, embedding: Sequence[float] | None, model: str) -> None:
        values = {"source_key": source_key, "trigger": trigger, "embedding": vector_text(embedding), "model": model}
        with self._transaction() as connection:
            connection.execute(query("save_embedding"), values)

    def state(self, *, models: Sequence[str], project: str | None) -> tuple[object, ...]:
        values = {"models": list(models), "project": project}
        with self._transaction() as connection:
            evidence = connection.execute(query("read_evidence_state"), values).fetchall()
            patterns = connection.execute(query("read_patterns_state", self._storage), values).fetchall()
        return tuple(value for row in (*evidence, *patterns) for value in row.values())

    def lessons_state(self, project: str) -> tuple[object, ...]:
        [row] = self._fetch("read_lessons_state", {"project": project}, self._storage)
        return tuple(row.values())

    def triggers(
        self,
        *,
        models: Mapping[str, int],
        project: str | None,
        newest: int | None = None,
        near: tuple[str, Sequence[float]] | None = None,
    ) -> list[Trigger]:
        near_model, numbers = near or ("", ())
        values = {
            "models": list(models),
            "numbers": list(models.values()),
            "project": project,
            "newest": newest,
            "near_model": near_model,
            "near": "".join("01"[number > 0] for number in numbers).ljust(SIGNS, "0"),
        }
        with self._transaction() as connection:
            told = _in_pieces(connection, query("find_triggers"), values)
            written = _in_pieces(connection, query("find_written_triggers", self._storage), values)
            return sorted(chain(told, written), key=lambda trigger: trigger.started_at)

    def lessons(self, project: str) -> list[Lesson]:
        rows = self._fetch("find_lessons", {"project": project, "limit": MAX_WITH_LESSONS}, self._storage)
        return list(dict.fromkeys(lesson for lessons in read_rows(read_lessons, rows) for lesson in lessons))

    def patterns_with(self, source_keys: Iterable[str]) -> list[StoredPattern]:
        rows = self._fetch("find_patterns_by_key", {"source_keys": list(source_keys)}, self._storage)
        return read_rows(read_pattern, rows)

    def newest(self, *, project: str | None, limit: int) -> list[StoredPattern]:
        values = {"project": project, "limit": limit}
        return read_rows(read_pattern, self._fetch("list_patterns", values, self._storage))

    def starting_with(self, id_start: str) -> list[StoredPattern]:
        return [read_pattern(row) for row in self._fetch("find_patterns_by_id", {"id": id_start}, self._storage)]

    def newest_episodes(self, *, project: str | None, limit: int) -> list[Episode]:
        return read_rows(read_episode, self._fetch("list_episodes", {"project": project, "limit": limit}))

    def episodes_of(self, pattern_key: str, *, limit: int) -> list[Episode]:
        values = {"pattern_key": pattern_key, "limit": limit}
        return read_rows(read_episode, self._fetch("find_episodes_of_pattern", values))

    def work_after(
        self, source_key: str, *, models: Mapping[str, int], project: str | None, limit: int
    ) -> list[tuple[Episode, Trigger]]:
        values = {
            "after": source_key,
            "models": list(models),
            "numbers": list(models.values()),
            "project": project,
            "limit": limit,
        }
        with self._transaction() as connection:
            rows = connection.execute(query("list_work"), values, binary=True).fetchall()
        return read_rows(lambda row: (read_episode(row), read_trigger(row)), rows)

    def suggestions(self, since: datetime | None) -> list[PastSuggestion]:
        return read_rows(read_suggestion, self._fetch("list_suggestions", {"since": since}))

    def amounts(self) -> Amounts:
        [row] = self._fetch("count_evidence", {})
        return Amounts(**row)

    def episodes_with(self, source_keys: Iterable[str]) -> list[Episode]:
        return read_rows(read_episode, self._fetch("find_episodes_by_key", {"source_keys": list(source_keys)}))

    def projects(self) -> list[str]:
        return [row["project"] for row in self._fetch("list_projects", {})]

    def add_remark(self, remark: Remark) -> None:
        # With the lock: a worker that is computing the pattern has read the remarks, and would mark it as computed.
        with self.evidence() as evidence:
            evidence.add_remark(remark)

    def count(self) -> int:
        return int(self._fetch("count_patterns", {}, self._storage)[0]["patterns"])

    def forget_session(self, session_id: str) -> int:
        with self.evidence() as evidence:
            return evidence.forget(session_id)

    def known_projects(self) -> list[str]:
        return [row["project"] for row in self._fetch("list_known_projects", {})]

    def has_work_before(self, moment: datetime) -> bool:
        return bool(self._fetch("has_work_before", {"moment": moment})[0]["is_there"])

    def size(self, limit: int | None = None) -> Size:
        [row] = self._fetch("find_size_limit", {"limit": limit})
        return Size(**row)

    def _take_some(self) -> int:
        with self.evidence() as evidence:
            return evidence.take_patterns(MAX_TAKEN)

    def _fetch(self, name: str, values: dict[str, Any], storage: Storage | None = None) -> list[DictRow]:
        with self._transaction() as connection:
            return connection.execute(query(name, storage), values).fetchall()

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


def _in_pieces(connection: psycopg.Connection[DictRow], query: sql.SQL, values: dict[str, Any]) -> Iterator[Trigger]:
    """The triggers that a query finds: each piece comes in time, and none needs much memory.

    In binary, vectors are read as they are, without parsing each number.
    """
    with connection.cursor(name="triggers") as rows:
        rows.itersize = MAX_ROWS
        rows.execute(query, values, binary=True)
        yield from read_rows(read_trigger, rows)


def _configure(connection: psycopg.Connection[DictRow]) -> None:
    set_json_loads(_read_json, connection)
    # Whoever has waited for the lock on the evidence must see what the other worker has stored meanwhile.
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED


def _read_json(text: str | bytes) -> Any:
    """Parse JSON; None if Python cannot, as with a number of 5,000 digits. Then only that row is left out."""
    for loads in (orjson.loads, json.loads):  # the fast one refuses numbers of more than 64 bits
        with suppress(ValueError, RecursionError):
            return loads(text)
    return None
