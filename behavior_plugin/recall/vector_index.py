"""Hold many vectors with one byte a number, and compare the nearest of them with a question.

Of many vectors only those whose signs are most like the question's are compared, as in the database
(docs/performance.md): a comparison of signs reads an eighth of the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy
from numpy.typing import NDArray

# The number of vectors that are compared whole.
MAX_COMPARED = 2_000
_LARGEST = 127

Numbers = NDArray[numpy.float32]


class VectorIndex:
    """Vectors with the same number of numbers. A cosine with a question is off by .005 at most.

    Vectors that other programs wrote need not be of unit length.
    """

    def __init__(self, vectors: Sequence[Numbers]) -> None:
        size = len(vectors[0]) if vectors else 0
        self._bytes = numpy.empty((len(vectors), size), dtype=numpy.int8)
        self._scales = numpy.empty(len(vectors), dtype=numpy.float32)
        self._signs = numpy.empty((math.ceil(size / 64), len(vectors)), dtype=numpy.uint64)
        for place, vector in enumerate(vectors):
            scale = float(numpy.abs(vector).max()) / _LARGEST or 1.0
            self._bytes[place] = numpy.rint(vector / scale)
            self._scales[place] = scale / (float(numpy.linalg.norm(vector)) or 1.0)
            self._signs[:, place] = _signs(vector)

    def __len__(self) -> int:
        return len(self._scales)

    def cosines(self, question: Numbers, wanted: NDArray[numpy.bool_]) -> NDArray[numpy.float64]:
        """The cosine of each vector with a question of unit length, if it is near or `wanted`; zero for the others."""
        cosines = numpy.zeros(len(self._scales))
        places = numpy.flatnonzero(wanted | self._is_near(question))
        cosines[places] = (self._bytes[places].astype(numpy.float32) @ question) * self._scales[places]
        return cosines

    def _is_near(self, question: Numbers) -> NDArray[numpy.bool_]:
        """Which vectors may be among the nearest; all of them, unless there are many."""
        if len(self._scales) <= MAX_COMPARED:
            return numpy.ones(len(self._scales), dtype=bool)
        differences = numpy.bitwise_count(self._signs ^ _signs(question)[:, None]).sum(axis=0, dtype=numpy.uint16)
        is_near = numpy.zeros(len(self._scales), dtype=bool)
        is_near[numpy.argpartition(differences, MAX_COMPARED)[:MAX_COMPARED]] = True
        return is_near


def _signs(vector: Numbers) -> NDArray[numpy.uint64]:
    """A bit for each number, zeros up to a whole word of 64."""
    bits = numpy.packbits(vector > 0)
    return numpy.pad(bits, (0, -len(bits) % 8)).view(numpy.uint64)
