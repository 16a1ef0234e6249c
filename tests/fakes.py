"""A store and an embedder that need neither a database nor a model, for tests of the steps between them."""

from __future__ import annotations

import math
import uuid
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy

from behavior_plugin.errors import EmbedError
from behavior_plugin.model import Turn
from behavior_plugin.patterns.evidence import occurrence_of, trigger_of
from behavior_plugin.store import Amounts, Computed, Forgotten, Run, Selection, Size, StoredTrigger, ToRedact, Work
from behavior_plugin.workflow import (
    SUGGESTED,
    Episode,
    Lesson,
    Occurrence,
    PastSuggestion,
    Pattern,
    Remark,
    StoredPattern,
    Trigger,
)
from tests.factories import START

DIMENSIONS = 512


class FakeEmbedder:
    """A bag of words: each word counts in the dimension that its hash names. Remembers the texts it was given."""

    model = "bag-of-words"
    numbers = DIMENSIONS
    unrelated = 0.0

    def __init__(self) -> None:
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.texts += texts
        return [self._vector(text) for text in texts]

    def can_read(self, text: str) -> bool:
        return True

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * DIMENSIONS
        for word in _words(text):
            vector[zlib.crc32(word.encode()) % DIMENSIONS] += 1
        if not any(vector):
            raise EmbedError("The text has no words.")
        return [number / math.hypot(*vector) for number in vector]


class FakeStore:
    """Lists of episodes and patterns, without any of the rules that a database enforces. It is its own `Evidence`."""

    def __init__(self) -> None:
        self.told: dict[str, Episode] = {}
        self.vectors: dict[str, tuple[Sequence[float] | None, str]] = {}
        self.keys: dict[str, str] = {}
        self.unfolded: set[str] = set()
        self.rows: list[tuple[StoredPattern, Sequence[float] | None, str | None]] = []
        self.said: list[Remark] = []
        # The keys of forgotten turns.
        self.marks: set[str] = set()
        self.redacted: set[str] = set()
        self.redacted_remarks: set[UUID | None] = set()

    @property
    def patterns(self) -> list[StoredPattern]:
        return [pattern for pattern, _, _ in self.rows]

    def add(self, pattern: Pattern, embedding: Sequence[float] | None = None, model: str | None = None) -> None:
        """Add a row as a caller would write it."""
        known = next((each for each in self.patterns if each.source_key == pattern.source_key), None)
        self.rows = [row for row in self.rows if row[0] is not known]
        fields = {**dict(pattern), "id": known.id if known else uuid.uuid4(), "use_count": 0, "created_at": START}
        self.rows.append((StoredPattern(**fields), embedding, model))

    @contextmanager
    def evidence(self) -> Iterator[FakeStore]:
        yield self

    def episodes(self, session_ids: Iterable[str], like: Sequence[Turn] = ()) -> list[Episode]:
        sessions, moments = set(session_ids), {turn.started_at for turn in like}
        found = [
            episode
            for episode in self.told.values()
            if episode.session_id in sessions or moments & {turn.started_at for turn in episode.turns}
        ]
        return sorted((each for each in found if not each.part_of), key=lambda each: (each.started_at, each.source_key))

    def replace_sessions(self, session_ids: Iterable[str], episodes: Sequence[Episode]) -> None:
        sessions, wanted = set(session_ids), {episode.source_key: episode for episode in episodes}
        others = {key: each for key, each in self.told.items() if each.session_id not in sessions}
        before, self.told = self.told, {**others, **wanted}
        changed = [
            each
            for each in [*before.values(), *episodes]
            if self.told.get(each.source_key) != before.get(each.source_key)
        ]
        self.unfolded |= {each.context.project for each in changed}
        self.vectors = {
            key: vector
            for key, vector in self.vectors.items()
            if key in self.told and key in before and self.told[key].trigger == before[key].trigger
        }

    def occurrences(self, project: str) -> list[Occurrence]:
        return [occurrence_of(each) for each in self.told.values() if each.context.project == project]

    def remarks(self, pattern_keys: Iterable[str]) -> list[Remark]:
        wanted = set(pattern_keys)
        return sorted((each for each in self.said if each.pattern_key in wanted), key=lambda each: each.made_at)

    def suggested(self, session_ids: Iterable[str]) -> list[Remark]:
        sessions = set(session_ids)
        return [each for each in self.said if each.kind in SUGGESTED and each.session_id in sessions]

    def judge(self, remark: Remark) -> None:
        self.said = [remark if each.id == remark.id else each for each in self.said]

    def runs(self, source_keys: Iterable[str]) -> list[Run]:
        wanted = set(source_keys)
        return [
            Run(episode, *self.vectors.get(key, (None, None))) for key, episode in self.told.items() if key in wanted
        ]

    def replace_patterns(self, project: str, patterns: Sequence[Computed], pattern_keys: Mapping[str, str]) -> None:
        self.unfolded.discard(project)
        self.keys |= pattern_keys
        wanted = {each.pattern.source_key for each in patterns}
        self.rows = [
            row
            for row in self.rows
            if row[0].workflow is None or row[0].context.project != project or row[0].source_key in wanted
        ]
        for each in patterns:
            self.add(each.pattern, each.embedding, each.model)

    def take_old_patterns(self) -> int:
        return 0

    def stale_sessions(self, version: int, *, after: str = "") -> list[str]:
        stale = {each.session_id for each in self.told.values() if each.digest.version < version}
        return sorted(each for each in stale if each > after)

    def sessions_to_redact(self, *, after: str = "") -> list[str]:
        older = {each.session_id for each in self.told.values() if each.source_key not in self.redacted}
        return sorted(each for each in older if each > after)

    def to_redact(self) -> ToRedact:
        return ToRedact(len(self.sessions_to_redact()), len(self.remarks_to_redact()))

    def mark_redacted(self, source_keys: Iterable[str]) -> None:
        self.redacted |= set(source_keys)

    def remarks_to_redact(self) -> list[Remark]:
        return [each for each in self.said if each.id not in self.redacted_remarks]

    def mark_remarks_redacted(self, remarks: Iterable[Remark]) -> None:
        self.redacted_remarks |= {each.id for each in remarks}

    def save_redacted(self, remark: Remark) -> None:
        self.judge(remark)

    def unfolded_projects(self) -> list[str]:
        return sorted(self.unfolded)

    def unembedded(self, limit: int) -> list[StoredTrigger]:
        return [each for each in self._newest() if each.source_key not in self.vectors][:limit]

    def newest_triggers(self, project: str, *, limit: int) -> list[str]:
        return [each.text for each in self._newest() if each.project == project][:limit][::-1]

    def embedded(self) -> list[tuple[str, str, int]]:
        models = Counter(
            (each.project, self.vectors[each.source_key][1])
            for each in self._newest()
            if each.source_key in self.vectors
        )
        return [(project, model, count) for (project, model), count in sorted(models.items())]

    def embedded_by(
        self, model: str, *, project: str, limit: int, before: StoredTrigger | None = None
    ) -> list[StoredTrigger]:
        found = [
            each
            for each in self._newest()
            if each.project == project and self.vectors.get(each.source_key, (None, ""))[1] == model
        ]
        if before:
            found = [
                each for each in found if (each.started_at, each.source_key) < (before.started_at, before.source_key)
            ]
        return found[:limit]

    def refold(self, project: str) -> None:
        self.unfolded.add(project)

    def _newest(self) -> list[StoredTrigger]:
        found = [
            StoredTrigger(key, each.trigger, each.context.project, each.started_at)
            for key, each in self.told.items()
            if each.digest.job
        ]
        return sorted(found, key=lambda each: (each.started_at, each.source_key), reverse=True)

    def save_embedding(self, source_key: str, trigger: str, embedding: Sequence[float] | None, model: str) -> None:
        self.vectors[source_key] = (embedding, model)

    def state(self, *, models: Sequence[str], project: str | None) -> tuple[object, ...]:
        triggers = self.triggers(models=dict.fromkeys(models, 1), project=project)
        return tuple((each.source_key, each.pattern_key, each.model) for each in triggers)

    def lessons_state(self, project: str) -> tuple[object, ...]:
        return tuple((pattern.source_key, repr(pattern.workflow)) for pattern in self.patterns)

    def triggers(
        self,
        *,
        models: Mapping[str, int],
        project: str | None,
        newest: int | None = None,
        near: tuple[str, Sequence[float]] | None = None,
    ) -> list[Trigger]:
        told = [self._trigger(key, models) for key in self.told if self.keys.get(key)]
        written = [
            Trigger(
                source_key=pattern.source_key,
                pattern_key=pattern.source_key,
                session_id=pattern.session_id,
                project=pattern.context.project,
                text=pattern.trigger,
                outcome=pattern.final_outcome,
                started_at=pattern.started_at,
                **_vector((vector, made_by), models),
            )
            for pattern, vector, made_by in self.rows
            if pattern.workflow is None
        ]
        found = [each for each in (*told, *written) if project in (None, each.project)]
        found.sort(key=lambda each: (each.started_at, each.source_key))
        return found if newest is None else found[len(found) - min(newest, len(found)) :]

    def lessons(self, project: str) -> list[Lesson]:
        found = [each.workflow for each in self.patterns if each.workflow and each.context.project == project]
        return list(dict.fromkeys(each for workflow in found if not workflow.is_hidden for each in workflow.lessons))

    def patterns_with(self, source_keys: Iterable[str]) -> list[StoredPattern]:
        wanted = set(source_keys)
        return [pattern for pattern in self.patterns if pattern.source_key in wanted]

    def newest(self, *, project: str | None, limit: int) -> list[StoredPattern]:
        found = [pattern for pattern in self.patterns if project in (None, pattern.context.project)]
        return sorted(found, key=lambda pattern: pattern.started_at, reverse=True)[:limit]

    def starting_with(self, id_start: str) -> list[StoredPattern]:
        return [pattern for pattern in self.patterns if str(pattern.id).startswith(id_start)][:2]

    def newest_episodes(self, *, project: str | None, limit: int) -> list[Episode]:
        found = [each for each in self.told.values() if project in (None, each.context.project) and not each.part_of]
        return sorted(found, key=lambda each: each.started_at, reverse=True)[:limit]

    def episodes_of(self, pattern_key: str, *, limit: int) -> list[Episode]:
        return [each for key, each in self.told.items() if self.keys.get(key) == pattern_key][:limit]

    def work_after(
        self, source_key: str, *, models: Mapping[str, int], project: str | None, limit: int
    ) -> list[tuple[Episode, Trigger]]:
        found = sorted(key for key, each in self.told.items() if project in (None, each.context.project))
        return [(self.told[key], self._trigger(key, models)) for key in found if key > source_key][:limit]

    def suggestions(self, since: datetime | None) -> list[PastSuggestion]:
        return [
            PastSuggestion(each)
            for each in self.said
            if each.kind in SUGGESTED and (since is None or each.made_at >= since)
        ]

    def amounts(self) -> Amounts:
        wholes = [each for each in self.told.values() if not each.part_of]
        return Amounts(
            episodes=len(wholes),
            sessions=len({each.session_id for each in wholes}),
            projects=len({each.context.project for each in wholes}),
        )

    def episodes_with(self, source_keys: Iterable[str]) -> list[Episode]:
        return [self.told[key] for key in source_keys if key in self.told]

    def projects(self) -> list[str]:
        count = Counter(each.context.project for key, each in self.told.items() if self.keys.get(key))
        return [project for project, _ in count.most_common()]

    def add_remark(self, remark: Remark) -> None:
        self.said.append(remark.model_copy(update={"id": uuid.uuid4()}))
        if remark.kind in SUGGESTED:
            return
        self.unfolded |= {
            each.context.project for key, each in self.told.items() if self.keys.get(key) == remark.pattern_key
        }

    def _trigger(self, key: str, models: Mapping[str, int]) -> Trigger:
        trigger = trigger_of(self.told[key], pattern_key=self.keys.get(key, ""), embedding=None)
        return replace(trigger, **_vector(self.vectors.get(key), models))

    def count(self) -> int:
        return len(self.rows)

    def forgotten(self, turns: Sequence[Turn]) -> set[str]:
        return {turn.source_key for turn in turns if turn.source_key in self.marks}

    def mark_forgotten(self, turns: Sequence[Turn]) -> None:
        self.marks |= {turn.source_key for turn in turns}

    def chosen(self, selection: Selection) -> list[Work]:
        """By session, text or all: what the worker's tests need."""
        return [
            Work(key, each.part_of, each.session_id, each.context.project, self.keys.get(key, ""), each.trigger, START)
            for key, each in self.told.items()
            if selection.session_id in ("", each.session_id) and selection.text in each.trigger
        ]

    def forget_work(
        self, selection: Selection, work: Sequence[Work], *, native_key: Callable[[str, str], str], is_marked: bool
    ) -> Forgotten:
        for each in work:
            del self.told[each.source_key]
        if is_marked and not selection.is_everything:
            self.marks |= {each.source_key for each in work}
        self.unfolded |= {each.project for each in work}
        left = {self.keys.get(key, "") for key in self.told}
        keys = {each.pattern_key for each in work} - {""}
        return Forgotten(
            episodes=len(work),
            turns=len(work),
            remarks=0,
            written_keys=set(),
            projects={each.project for each in work},
            pattern_keys=keys,
            gone_patterns=keys - left,
            sessions={("", each.session_id) for each in work},
        )

    def known_projects(self) -> list[str]:
        return list(dict.fromkeys(each.context.project for each in self.told.values()))

    def has_work_before(self, moment: datetime) -> bool:
        return any(each.started_at < moment for each in self.told.values())

    def size(self, limit: int | None = None) -> Size:
        """Each episode takes one byte."""
        newest = sorted((each.started_at for each in self.told.values()), reverse=True)
        return Size(len(newest), None if limit is None or len(newest) <= limit else newest[limit])

    def forget_session(self, session_id: str) -> int:
        forgotten = self.episodes([session_id])
        self.replace_sessions([session_id], [])
        return len(forgotten)


def _words(text: str) -> set[str]:
    return set(text.lower().split())


def _vector(stored: tuple[Sequence[float] | None, str | None] | None, models: Mapping[str, int]) -> dict[str, Any]:
    """The fields of a trigger for its vector, if one of these models made it."""
    vector, made_by = stored or (None, None)
    numbers = models.get(made_by or "")
    found = numpy.array(vector[:numbers], dtype=numpy.float32) if vector and numbers else None
    return {"embedding": found, "model": made_by or ""}
