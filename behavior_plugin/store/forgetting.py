"""Forget the evidence of one user that fits a selection, and whatever says something of it, within one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from psycopg.rows import DictRow

from behavior_plugin.model import Turn
from behavior_plugin.store import Forgotten, Selection, Work
from behavior_plugin.store.marks import marks_of

# Episodes that one statement looks through, or deletes: a query has five seconds.
BATCH = 500
SALT_BYTES = 16

# The key of the pattern of a job in a project.
NativeKey = Callable[[str, str], str]


class Fetch(Protocol):
    """Runs a query and returns its rows; with `is_of_storage` the query that each storage has of its own."""

    def __call__(self, name: str, values: dict[str, Any], *, is_of_storage: bool = False) -> list[DictRow]: ...


class Forgetting:
    """Finds and deletes what fits a selection. `fetch` runs in an open transaction with the lock on the evidence."""

    def __init__(self, fetch: Fetch, selection: Selection) -> None:
        self._fetch = fetch
        self._chosen = selection

    def work(self) -> list[Work]:
        """The episodes that fit, in the order of their keys."""
        return [
            Work(
                source_key=row["source_key"],
                part_of=row["part_of"],
                session_id=row["session_id"],
                project=row["project"],
                pattern_key=row["pattern_key"],
                trigger=row["trigger"],
                started_at=row["started_at"],
            )
            for row in self._pages()
        ]

    def run(self, found: Sequence[Work], *, native_key: NativeKey, is_marked: bool) -> Forgotten:
        """Delete these episodes, and the remarks and written patterns that fit or lose what they are about.

        With `is_marked` their turns are marked, so that no log brings them back.
        """
        keys = [each.source_key for each in found]
        rows = [row for some in _batches(keys) for row in self._fetch("forget_episodes", {"source_keys": some})]
        written = self._fetch("forget_written", self._values(), is_of_storage=True)
        gone = self._gone_patterns(rows, native_key) | {row["source_key"] for row in written}
        remarks = self._fetch("forget_remarks", self._values_of_remarks(rows, gone, native_key))
        if self._chosen.is_everything:
            self._fetch("delete_marks", {})
        elif is_marked:
            told = ((key, _moment(at), str(prompt)) for row in rows for key, at, prompt in row["turns"] if key)
            Marks(self._fetch).add([*told, *((row["source_key"], None, "") for row in rows)])
        wholes = [row for row in rows if not row["part_of"]]
        return Forgotten(
            episodes=len(wholes),
            turns=len({turn[0] for row in rows for turn in row["turns"]}),
            remarks=len(remarks),
            written_keys={row["source_key"] for row in written},
            # Those that lose some evidence and keep some have to be computed again.
            projects={row["project"] for row in rows},
            pattern_keys={row["pattern_key"] for row in (*rows, *remarks)} - {""},
            gone_patterns=gone,
            sessions={(row["machine"] or "", row["session_id"]) for row in rows},
        )

    def _pages(self) -> Iterator[DictRow]:
        after, values = "", self._values()
        while rows := self._fetch("find_chosen_episodes", {**values, "after": after, "limit": BATCH}):
            yield from rows
            after = rows[-1]["source_key"]

    def _gone_patterns(self, rows: Sequence[DictRow], native_key: NativeKey) -> set[str]:
        """The patterns that no evidence is left of, under the keys of their jobs and those they were merged into.

        One that is named counts too: it may have lost its evidence before.
        """
        named = {self._chosen.pattern_key} if self._chosen == Selection(pattern_key=self._chosen.pattern_key) else set()
        left = self._fetch("find_jobs_left", {"projects": list({row["project"] for row in rows})})
        return (_keys(rows, native_key) | named) - _keys(left, native_key) - {""}

    def _values(self) -> dict[str, Any]:
        chosen = self._chosen
        return {
            "pattern_key": chosen.pattern_key or None,
            "session_id": chosen.session_id or None,
            "project": chosen.project,
            "since": chosen.since,
            "until": chosen.until,
            "text": chosen.text or None,
            "is_everything": chosen.is_everything,
        }

    def _values_of_remarks(self, rows: Sequence[DictRow], gone: set[str], native_key: NativeKey) -> dict[str, Any]:
        chosen, sessions = self._chosen, {row["session_id"] for row in rows} - {""}
        left = self._fetch("find_sessions_left", {"session_ids": list(sessions)})
        keys: list[str] | None = [chosen.pattern_key] if chosen.pattern_key else None
        if chosen.project is not None and not keys:
            of_project = self._fetch("find_jobs_left", {"projects": [chosen.project]})
            keys = list(_keys(rows, native_key) | _keys(of_project, native_key))
        return {
            **self._values(),
            "gone_patterns": list(gone),
            "gone_sessions": list(sessions - {row["session_id"] for row in left}),
            "pattern_keys": keys,
        }


class Marks:
    """The marks of forgotten turns. `fetch` runs in an open transaction."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def add(self, turns: Iterable[tuple[str, datetime | None, str]]) -> None:
        """Mark turns, each by its key, when it began, if that is known, and its prompt."""
        salt = next(iter(self._salts()), secrets.token_hex(SALT_BYTES))
        marks = {mark for key, at, prompt in turns for mark in marks_of(str(key), at, prompt, salt=salt)}
        for some in _batches(sorted(marks)):
            self._fetch("add_marks", {"marks": some, "salt": salt})

    def forgotten(self, turns: Sequence[Turn]) -> set[str]:
        """The keys of those of these turns that were forgotten."""
        keys = {
            mark: turn.source_key
            for salt in self._salts()
            for turn in turns
            for mark in marks_of(turn.source_key, turn.started_at, turn.prompt, salt=salt)
        }
        return {keys[row["mark"]] for row in self._fetch("find_marks", {"marks": list(keys)})} if keys else set()

    def _salts(self) -> list[str]:
        """The salts that there are: one, unless evidence of several databases came together."""
        found = [row["salt"] for row in self._fetch("find_salts", {})]
        return sorted(salt for salt in found if salt and _is_salt(salt))


def _keys(rows: Iterable[DictRow], native_key: NativeKey) -> set[str]:
    """The keys of the patterns that these rows stand for."""
    jobs = {native_key(row["project"], row["job"]) for row in rows if row["job"]}
    return jobs | {row["pattern_key"] for row in rows} - {""}


def _is_salt(salt: str) -> bool:
    try:
        return 0 < len(bytes.fromhex(salt)) <= SALT_BYTES
    except ValueError:
        return False


def _moment(text: object) -> datetime | None:
    """A time in a stored turn; None if a version that we do not know wrote it otherwise."""
    try:
        found = datetime.fromisoformat(str(text))
        return found if found.tzinfo else None
    except ValueError:
        return None


def _batches(values: Sequence[str]) -> Iterator[list[str]]:
    return (list(values[start : start + BATCH]) for start in range(0, len(values), BATCH))
