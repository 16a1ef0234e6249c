"""A store and an embedder that need neither a database nor a model, for tests of the steps between them."""

from __future__ import annotations

import math
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from behavior_plugin.errors import EmbedError
from behavior_plugin.model import Turn
from behavior_plugin.patterns.evidence import occurrence_of
from behavior_plugin.store import Computed, Run
from behavior_plugin.workflow import Episode, Match, Occurrence, Pattern, Remark, RemarkKind, StoredPattern
from tests.factories import START

DIMENSIONS = 512


class FakeEmbedder:
    """A bag of words: each word counts in the dimension that its hash names. Remembers the texts it was given."""

    model = "bag-of-words"

    def __init__(self, min_similarity: float = 0.4) -> None:
        self.min_similarity = min_similarity
        self.texts: list[str] = []

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.texts += texts
        return [self._vector(text) for text in texts]

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
        self.queries: list[str] = []

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

    def shown(self, session_ids: Iterable[str]) -> list[Remark]:
        sessions = set(session_ids)
        return [each for each in self.said if each.kind is RemarkKind.SHOWN and each.session_id in sessions]

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

    def unfolded_projects(self) -> list[str]:
        return sorted(self.unfolded)

    def unembedded(self, limit: int) -> dict[str, str]:
        missing = {key: each.trigger for key, each in self.told.items() if key not in self.vectors and each.digest.job}
        return dict(list(missing.items())[:limit])

    def save_embedding(self, source_key: str, trigger: str, embedding: Sequence[float] | None, model: str) -> None:
        self.vectors[source_key] = (embedding, model)

    def nearest(
        self, embedding: Sequence[float], model: str, *, min_similarity: float, project: str | None, limit: int
    ) -> list[Match]:
        found = [
            Match(
                pattern=pattern, similarity=sum(a * b for a, b in zip(vector, embedding, strict=True)), trigger=trigger
            )
            for pattern, vector, made_by, trigger in self._triggers()
            if vector and made_by == model
        ]
        return _best(found, project, limit)

    def sharing_words(self, text: str, *, project: str | None, limit: int) -> list[Match]:
        self.queries.append(text)
        asked = _words(text)
        found = [
            Match(pattern=pattern, similarity=len(asked & _words(trigger)) / len(asked), trigger=trigger)
            for pattern, _, _, trigger in self._triggers()
        ]
        return _best(found, project, limit)

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

    def add_remark(self, remark: Remark) -> None:
        self.said.append(remark.model_copy(update={"id": uuid.uuid4()}))
        self.unfolded |= {
            each.context.project for key, each in self.told.items() if self.keys.get(key) == remark.pattern_key
        }

    def count(self) -> int:
        return len(self.rows)

    def forget_session(self, session_id: str) -> int:
        forgotten = self.episodes([session_id])
        self.replace_sessions([session_id], [])
        return len(forgotten)

    def _triggers(self) -> Iterator[tuple[StoredPattern, Sequence[float] | None, str | None, str]]:
        """Each pattern with each of its triggers and its vector."""
        for pattern, vector, model in self.rows:
            yield pattern, vector, model, pattern.trigger
            for episode in self.episodes_of(pattern.source_key, limit=1000):
                yield pattern, *self.vectors.get(episode.source_key, (None, None)), episode.trigger


def _words(text: str) -> set[str]:
    return set(text.lower().split())


def _best(found: Sequence[Match], project: str | None, limit: int) -> list[Match]:
    """Each pattern once, by the best of its triggers."""
    inside = [match for match in found if project in (None, match.pattern.context.project)]
    ranked = sorted(inside, key=lambda match: match.similarity, reverse=True)
    return list({match.pattern.id: match for match in reversed(ranked)}.values())[::-1][:limit]
