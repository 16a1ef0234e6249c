"""The interface of the pattern store: everything that learning, recall and the worker ask of it.

Importing it is cheap. `postgres` implements it, `opening` opens it; both load a database driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from behavior_plugin.model import Turn
from behavior_plugin.workflow import (
    Episode,
    Lesson,
    Occurrence,
    PastSuggestion,
    Pattern,
    Remark,
    StoredPattern,
    Trigger,
)


class UndoError(Exception):
    """Raised within a transaction, it undoes everything that was done there. Whoever raises it catches it."""


@dataclass(frozen=True)
class Run:
    """An episode with the vector of its trigger, if a model has embedded it."""

    episode: Episode
    embedding: Sequence[float] | None = None
    model: str | None = None


@dataclass(frozen=True)
class Computed:
    """A pattern as computed from its episodes, with the vector of its trigger, and the counters of a new row."""

    pattern: Pattern
    embedding: Sequence[float] | None = None
    model: str | None = None
    use_count: int = 0
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class Amounts:
    """How much evidence there is. `episodes` are without parts, and `projects` without work outside of any."""

    episodes: int
    sessions: int
    projects: int


@dataclass(frozen=True)
class ToRedact:
    """How many sessions and remarks older rules for secrets have redacted."""

    sessions: int
    remarks: int


@dataclass(frozen=True)
class StoredTrigger:
    """A prompt that began work, by the key of its episode."""

    source_key: str
    text: str
    project: str
    started_at: datetime


@dataclass(frozen=True)
class Selection:
    """The work to forget: all that fits each of these. A field that is None or empty fits all; `until` is exclusive.

    A selection that names nothing chooses nothing, unless it `is_everything`.
    """

    pattern_key: str = ""
    session_id: str = ""
    project: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    is_everything: bool = False


@dataclass(frozen=True)
class Work:
    """One episode, or a part of one, that fits a selection."""

    source_key: str
    part_of: str
    session_id: str
    project: str
    pattern_key: str
    trigger: str
    started_at: datetime


@dataclass(frozen=True)
class Forgotten:
    """The numbers of deleted rows, and the keys of what they were about. `sessions` are pairs of machine and id.

    `written_keys` are those of the patterns that a caller wrote. `gone_patterns` have no evidence any more.
    """

    episodes: int
    turns: int
    remarks: int
    written_keys: set[str]
    projects: set[str]
    pattern_keys: set[str]
    gone_patterns: set[str]
    sessions: set[tuple[str, str]]


@dataclass(frozen=True)
class Size:
    """The bytes that the evidence takes, and the beginning of the newest work that is beyond the limit."""

    bytes: int
    beyond: datetime | None


class Evidence(Protocol):
    """The episodes of one user, within one transaction that excludes the user's other workers."""

    def episodes(self, session_ids: Iterable[str], like: Sequence[Turn] = ()) -> list[Episode]:
        """The episodes of some sessions, and others with a turn that may be a copy of one of these; no parts."""
        ...

    def replace_sessions(self, session_ids: Iterable[str], episodes: Sequence[Episode]) -> None:
        """Make these episodes all that is stored of the sessions. Unchanged ones keep their patterns and vectors.

        Their texts are redacted by the present rules, but for turns of rows that older rules have redacted: a session
        with such a row stays one of theirs.
        """
        ...

    def mark_redacted(self, source_keys: Iterable[str]) -> None:
        """Note that the present rules for secrets have redacted these episodes."""
        ...

    def remarks_to_redact(self) -> list[Remark]:
        """The remarks that older rules for secrets have redacted, the oldest first."""
        ...

    def mark_remarks_redacted(self, remarks: Iterable[Remark]) -> None:
        """Note that the present rules for secrets find nothing in these remarks."""
        ...

    def save_redacted(self, remark: Remark) -> None:
        """Save the texts of a remark as the present rules for secrets leave them. It gets another id."""
        ...

    def forgotten(self, turns: Sequence[Turn]) -> set[str]:
        """The keys of those of these turns that were forgotten, and must not come back."""
        ...

    def mark_forgotten(self, turns: Sequence[Turn]) -> None:
        """Note that these turns, which need not be stored, must not come back."""
        ...

    def chosen(self, selection: Selection) -> list[Work]:
        """The episodes that fit a selection; parts only where it names a pattern."""
        ...

    def forget_work(
        self, selection: Selection, work: Sequence[Work], *, native_key: Callable[[str, str], str], is_marked: bool
    ) -> Forgotten:
        """Delete this work of a selection with its parts, and the remarks and written patterns that fit too.

        With `is_marked` no log brings its turns back. `native_key` is the key of the pattern of a job in a project.
        """
        ...

    def occurrences(self, project: str) -> list[Occurrence]:
        """The episodes of one project, without their turns."""
        ...

    def remarks(self, pattern_keys: Iterable[str]) -> list[Remark]:
        """The remarks on these patterns, the oldest first."""
        ...

    def suggested(self, session_ids: Iterable[str]) -> list[Remark]:
        """The suggestions that these sessions got, and those that were withheld from them."""
        ...

    def judge(self, remark: Remark) -> None:
        """Save whether the work after a suggestion followed it. Each change to "followed" counts as a use."""
        ...

    def runs(self, source_keys: Iterable[str]) -> list[Run]:
        """The episodes with these keys."""
        ...

    def replace_patterns(self, project: str, patterns: Sequence[Computed], pattern_keys: Mapping[str, str]) -> None:
        """Make these patterns all the computed ones of a project.

        `pattern_keys` names the pattern of each of the project's episodes, by their keys; an empty one is none.
        Patterns that stay keep their counters, and rows that callers wrote are left alone.
        """
        ...


class Store(Protocol):
    """The evidence and the patterns of one user. Safe to use from several threads.

    Every method raises StoreUnavailableError if the server cannot be reached or is short of resources for now, and
    StoreError if it refuses the request. Neither error ever contains the row: its texts do not belong in logs.
    """

    def evidence(self) -> AbstractContextManager[Evidence]:
        """Read and change the evidence in one transaction, which an error undoes."""
        ...

    def take_old_patterns(self) -> int:
        """Make evidence of the patterns of earlier versions, which stored each prompt as one; returns their number."""
        ...

    def stale_sessions(self, version: int, *, after: str = "") -> list[str]:
        """The next sessions after this id whose digests an earlier version computed, in the order of their ids."""
        ...

    def sessions_to_redact(self, *, after: str = "") -> list[str]:
        """The next sessions after this id that older rules for secrets have redacted, in the order of their ids."""
        ...

    def to_redact(self) -> ToRedact:
        """How much older rules for secrets have redacted."""
        ...

    def unfolded_projects(self) -> list[str]:
        """The projects with episodes that have changed since their patterns were computed."""
        ...

    def unembedded(self, limit: int) -> list[StoredTrigger]:
        """Triggers that no model has embedded yet, the newest first."""
        ...

    def newest_triggers(self, project: str, *, limit: int) -> list[str]:
        """The newest triggers of a project, the oldest of them first."""
        ...

    def embedded(self) -> list[tuple[str, str, int]]:
        """Each project with each model that has embedded triggers of it, and the number of these."""
        ...

    def embedded_by(
        self, model: str, *, project: str, limit: int, before: StoredTrigger | None = None
    ) -> list[StoredTrigger]:
        """The triggers of a project that a model has embedded, the newest first, and with `before` only older ones."""
        ...

    def refold(self, project: str) -> None:
        """Have the patterns of a project computed again."""
        ...

    def save_embedding(self, source_key: str, trigger: str, embedding: Sequence[float] | None, model: str) -> None:
        """Save the vector of a trigger, 1536 numbers made by `model`; None if the model cannot embed it."""
        ...

    def state(self, *, models: Sequence[str], project: str | None) -> tuple[object, ...]:
        """A value that changes with the answer of `triggers`. It is cheap to read, and only good to be compared."""
        ...

    def triggers(
        self,
        *,
        models: Mapping[str, int],
        project: str | None,
        newest: int | None = None,
        near: tuple[str, Sequence[float]] | None = None,
    ) -> list[Trigger]:
        """The triggers of patterns, the oldest first, with the vectors that these models made.

        `models` has the count of numbers of each. All triggers, or only so many of the `newest`, and those whose
        vectors are like `near`: a model and its numbers.
        """
        ...

    def lessons(self, project: str) -> list[Lesson]:
        """The distinct lessons of a project's patterns that are not hidden."""
        ...

    def lessons_state(self, project: str) -> tuple[object, ...]:
        """A value that changes with the answer of `lessons`, and is cheap to read."""
        ...

    def patterns_with(self, source_keys: Iterable[str]) -> list[StoredPattern]:
        """The patterns with these keys."""
        ...

    def newest(self, *, project: str | None, limit: int) -> list[StoredPattern]:
        """The patterns whose work began last, newest first."""
        ...

    def starting_with(self, id_start: str) -> list[StoredPattern]:
        """At most two patterns whose id begins with `id_start`: one if it is long enough to be unique."""
        ...

    def newest_episodes(self, *, project: str | None, limit: int) -> list[Episode]:
        """The episodes with the newest turns, newest first; no parts."""
        ...

    def episodes_of(self, pattern_key: str, *, limit: int) -> list[Episode]:
        """The episodes that a pattern stands on, newest first."""
        ...

    def work_after(
        self, source_key: str, *, models: Mapping[str, int], project: str | None, limit: int
    ) -> list[tuple[Episode, Trigger]]:
        """Episodes, parts too, in the order of their keys after `source_key`, each with its trigger as in `triggers`.

        Their pattern may be none.
        """
        ...

    def suggestions(self, since: datetime | None) -> list[PastSuggestion]:
        """The suggestions that were made or withheld since then, the oldest first."""
        ...

    def amounts(self) -> Amounts:
        """How much evidence is stored."""
        ...

    def episodes_with(self, source_keys: Iterable[str]) -> list[Episode]:
        """The episodes with these keys, in any order."""
        ...

    def projects(self) -> list[str]:
        """The projects with computed patterns, those with most work first."""
        ...

    def add_remark(self, remark: Remark) -> None:
        """Save a remark, and have the pattern computed again; for a suggestion only once it is judged."""
        ...

    def count(self) -> int:
        """The number of stored patterns."""
        ...

    def forget_session(self, session_id: str) -> int:
        """Delete the evidence of one session; returns the number of its episodes.

        The patterns that stood on it are computed again with the next fold, or deleted if nothing is left of them.
        """
        ...

    def known_projects(self) -> list[str]:
        """The projects with evidence, those with most work first."""
        ...

    def has_work_before(self, moment: datetime) -> bool:
        """Whether there is evidence of work that began before a moment."""
        ...

    def size(self, limit: int | None = None) -> Size:
        """How much room the evidence takes, without indexes and the server's own share."""
        ...
