"""Generate vectors like those of prompts: topics, subtopics, and prompts that are near a stored one.

They are seeded, so that every run measures the same. The spread is that of real prompts: different topics have a cosine
of about 0.3, similar prompts about 0.9.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TOPICS = 400
SUBTOPICS = 15
# The distance of each level from the one above, as a share of a vector's length.
COMMON, TOPIC, SUBTOPIC, PROMPT, ASKED = 0.55, 0.55, 0.4, 0.48, 0.45

Vectors = NDArray[np.float32]
Numbers = NDArray[np.int64]


def stored(rows: int, dimensions: int, *, seed: int = 7) -> Vectors:
    """Vectors of unit length, one a row."""
    random = np.random.default_rng(seed)
    topics = _strayed(_strayed(np.zeros((1, dimensions), np.float32), COMMON, random).repeat(TOPICS, 0), TOPIC, random)
    subtopics = _strayed(topics.repeat(SUBTOPICS, axis=0), SUBTOPIC, random)
    belongs = random.integers(0, len(subtopics), rows)
    found = np.empty((rows, dimensions), np.float32)
    for some in np.array_split(np.arange(rows), rows // 50_000 + 1):  # a million at once would need 15 GB
        found[some] = _unit(_strayed(subtopics[belongs[some]], PROMPT, random))
    return found


def asked(some: Vectors, count: int, *, seed: int = 8) -> Vectors:
    """Vectors of unit length, each near one of the given ones."""
    random = np.random.default_rng(seed)
    return _unit(_strayed(some[random.integers(0, len(some), count)], ASKED, random))


def nearest(some: Vectors, question: Vectors, count: int) -> Numbers:
    """The indices of the `count` vectors nearest to each question: the ground truth for recall."""
    similarity = question @ some.T
    count = min(count, len(some))
    return np.argpartition(-similarity, count - 1, axis=1)[:, :count].astype(np.int64)


def _strayed(vectors: Vectors, far: float, random: np.random.Generator) -> Vectors:
    return np.asarray(vectors + _unit(random.standard_normal(vectors.shape, dtype=np.float32)) * far, np.float32)


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)
