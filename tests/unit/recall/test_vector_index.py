"""Vectors are held with a byte a number, and the nearest of many are found by their signs."""

from __future__ import annotations

import numpy
import pytest
from numpy.typing import NDArray

from behavior_plugin.recall import vector_index
from behavior_plugin.recall.vector_index import VectorIndex

RANDOM = numpy.random.default_rng(7)


def unit(*numbers: float) -> NDArray[numpy.float32]:
    vector = numpy.array(numbers, dtype=numpy.float32)
    return vector / numpy.float32(numpy.linalg.norm(vector))


def near_to(vector: NDArray[numpy.float32], distance: float) -> NDArray[numpy.float32]:
    return unit(*(vector + RANDOM.normal(0, distance / len(vector) ** 0.5, len(vector))))


def none_of(many: VectorIndex) -> NDArray[numpy.bool_]:
    return numpy.zeros(len(many), dtype=bool)


def test_cosines_are_right_to_half_a_hundredth() -> None:
    """A byte has fewer digits than the number that it stands for."""
    texts = [unit(*RANDOM.normal(size=384)) for _ in range(50)]
    question = near_to(texts[7], 0.7)

    cosines = VectorIndex(texts).cosines(question, none_of(VectorIndex(texts)))

    assert cosines == pytest.approx(numpy.array(texts) @ question, abs=0.005)
    assert cosines.argmax() == 7


def test_of_many_vectors_the_near_ones_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """To compare all of them would read 38 MB for each prompt."""
    monkeypatch.setattr(vector_index, "MAX_COMPARED", 100)
    subjects = [unit(*RANDOM.normal(size=384)) for _ in range(100)]
    texts = [near_to(subject, 0.8) for subject in subjects for _ in range(20)]
    question = near_to(subjects[30], 0.8)
    many = VectorIndex(texts)

    cosines = many.cosines(question, none_of(many))

    exact = numpy.array(texts) @ question
    assert set(numpy.argsort(-cosines)[:20]) == set(numpy.argsort(-exact)[:20])
    assert numpy.count_nonzero(cosines) == 100


def test_a_far_vector_is_compared_if_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be that of a trigger with the same words."""
    monkeypatch.setattr(vector_index, "MAX_COMPARED", 1)
    many = VectorIndex([unit(1, 1, 1, 1), unit(-1, 1, 1, 3)])
    wanted = none_of(many)
    wanted[1] = True

    assert many.cosines(unit(1, 1, 1, 1), none_of(many)).round(2).tolist() == [1, 0]
    assert many.cosines(unit(1, 1, 1, 1), wanted).round(2).tolist() == [1, 0.58]


def test_an_empty_index_and_a_vector_of_zeros_are_no_errors() -> None:
    """A model may give a text nothing but zeros."""
    assert len(VectorIndex([])) == 0
    assert VectorIndex([numpy.zeros(3, dtype=numpy.float32)]).cosines(unit(1, 1, 1), numpy.ones(1, dtype=bool)) == [0]


def test_the_length_of_a_vector_does_not_count() -> None:
    """Other programs may store vectors that are not of unit length."""
    question, far = unit(1, 0), numpy.array([10, 99], dtype=numpy.float32)

    cosines = VectorIndex([far]).cosines(question, numpy.zeros(1, dtype=bool))

    assert cosines == pytest.approx([0.1], abs=0.005)
