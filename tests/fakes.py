"""A store and an embedder that need neither a database nor a model, for tests of the steps between them."""

from __future__ import annotations

import math
import uuid
import zlib
from collections.abc import Sequence
from uuid import UUID

from behavior_plugin.errors import EmbedError
from behavior_plugin.model import Match, Pattern, Saved, StoredPattern
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
    """A list of patterns. It has none of the rules that a database enforces: `known` and `save` go by the key alone."""

    def __init__(self) -> None:
        self.rows: list[tuple[StoredPattern, Sequence[float] | None, str | None]] = []
        self.used: list[UUID] = []
        self.queries: list[str] = []

    @property
    def patterns(self) -> list[StoredPattern]:
        return [pattern for pattern, _, _ in self.rows]

    def save(self, pattern: Pattern, embedding: Sequence[float] | None, model: str | None) -> Saved:
        if pattern.source_key in {each.source_key for each in self.patterns}:
            return Saved.UNCHANGED
        stored = StoredPattern(**pattern.model_dump(), id=uuid.uuid4(), use_count=0, created_at=START)
        self.rows.append((stored, embedding, model))
        return Saved.ADDED

    def known(self, patterns: Sequence[Pattern], *, with_embedding: bool) -> set[str]:
        return {pattern.source_key for pattern in patterns} & {pattern.source_key for pattern in self.patterns}

    def nearest(
        self, embedding: Sequence[float], model: str, *, min_similarity: float, project: str | None, limit: int
    ) -> list[Match]:
        found = [
            Match(pattern=pattern, similarity=sum(a * b for a, b in zip(vector, embedding, strict=True)))
            for pattern, vector, made_by in self.rows
            if vector and made_by == model
        ]
        return _best([match for match in found if match.similarity >= min_similarity], project, limit)

    def sharing_words(self, text: str, *, project: str | None, limit: int) -> list[Match]:
        self.queries.append(text)
        asked = _words(text)
        found = [
            Match(pattern=pattern, similarity=len(asked & _words(pattern.trigger)) / len(asked))
            for pattern in self.patterns
        ]
        return _best(found, project, limit)

    def newest(self, *, project: str | None, limit: int) -> list[StoredPattern]:
        found = [pattern for pattern in self.patterns if project in (None, pattern.context.project)]
        return sorted(found, key=lambda pattern: pattern.started_at, reverse=True)[:limit]

    def starting_with(self, id_start: str) -> list[StoredPattern]:
        return [pattern for pattern in self.patterns if str(pattern.id).startswith(id_start)][:2]

    def count_use(self, pattern_id: UUID) -> bool:
        self.used.append(pattern_id)
        return pattern_id in {pattern.id for pattern in self.patterns}

    def count(self) -> int:
        return len(self.rows)

    def forget_session(self, session_id: str) -> int:
        before = len(self.rows)
        self.rows = [row for row in self.rows if row[0].session_id != session_id]
        return before - len(self.rows)


def _words(text: str) -> set[str]:
    return set(text.lower().split())


def _best(found: Sequence[Match], project: str | None, limit: int) -> list[Match]:
    inside = [match for match in found if project in (None, match.pattern.context.project)]
    return sorted(inside, key=lambda match: match.similarity, reverse=True)[:limit]
