"""How much a workflow says about work: small cases by hand, and properties that hold for any work."""

from __future__ import annotations

from collections.abc import Sequence
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behavior_plugin.measure.lift import Bigrams, bits_of, named_share, rare_kinds, usual_kinds

names = st.lists(st.sampled_from("abcdef"), max_size=8)
histories = st.lists(names, max_size=5)


def bigrams(*works: Sequence[str]) -> Bigrams:
    made = Bigrams()
    for work in works:
        made.add(work)
    return made


def test_likelihoods_are_those_computed_by_hand() -> None:
    """Of "a b": two kinds and one that never was; each level weighs as one observation."""
    project = bigrams("ab")

    assert project.likelihood("a", "") == pytest.approx((1 + 4 / 9) / 2)
    assert project.likelihood("b", "a") == pytest.approx((1 + 4 / 9) / 2)
    assert project.likelihood("b", "") == pytest.approx((4 / 9) / 2)
    assert project.likelihood("c", "b") == pytest.approx(1 / 9)
    assert bigrams().likelihood("a", "") == 1


def test_bits_are_those_computed_by_hand() -> None:
    """The hint "b" for the work "b": a bigram over its unigram over the project's 2/9; half of it is the project's."""
    hinted = (1 + (1 + 2 / 9) / 2) / 2

    assert bits_of("b", "b", bigrams("ab")) == pytest.approx(log2(0.5 * 2 / 9 + 0.5 * hinted))
    # A hint of two that has it elsewhere: the beginning leads to "a".
    elsewhere = ((1 + 2 / 9) / 3) / 2
    assert bits_of("b", "ab", bigrams("ab")) == pytest.approx(log2(0.5 * 2 / 9 + 0.5 * elsewhere))
    assert bits_of("b", "", bigrams("ab")) == pytest.approx(log2(2 / 9))
    assert bits_of("", "ab", bigrams("ab")) == 0


@given(histories, st.sampled_from(["", *"abcdef"]))
def test_likelihoods_of_all_kinds_sum_to_one(works: list[list[str]], before: str) -> None:
    """Else bits of different workflows could not be compared. The unknown kind stands for all unknown ones."""
    project = bigrams(*works)
    known = {name for work in works for name in work}

    assert sum(project.likelihood(name, before) for name in [*known, "unknown"]) == pytest.approx(1)


@given(histories, names.filter(bool))
def test_the_very_work_tells_more_than_work_without_a_step_of_it(works: list[list[str]], done: list[str]) -> None:
    project = bigrams(*works)
    other = [name.upper() for name in done]

    assert bits_of(done, done, project) > bits_of(done, other, project)


@given(histories, names, names)
def test_a_wrong_hint_costs_at_most_a_bit_a_step(works: list[list[str]], done: list[str], hint: list[str]) -> None:
    project = bigrams(*works)

    assert bits_of(done, hint, project) >= bits_of(done, "", project) - len(done) - 1e-9


def test_the_order_of_a_hint_counts() -> None:
    """Checking before editing is another way of working."""
    project = bigrams("abc", "cba", "bca")

    assert bits_of("abc", "abc", project) > bits_of("abc", "cba", project)


def test_named_share_counts_kinds_once() -> None:
    assert named_share(["a", "a", "b", "c"], ["c", "a", "x"]) == pytest.approx(2 / 3)
    assert named_share(["a"], []) == 0
    assert named_share([], ["a"]) is None


def test_usual_kinds_are_those_of_most_pieces_of_work() -> None:
    """A step that one piece of work repeats is not usual for that."""
    project = bigrams("aaaab", "bc", "bc")

    assert usual_kinds(project, 1) == ["b"]
    assert usual_kinds(project, 2) == ["b", "c"]


def test_of_equally_usual_kinds_the_earliest_come_first() -> None:
    """The order of a set would give other figures in each process."""
    kinds = [f"kind {number}" for number in range(30)]

    assert usual_kinds(bigrams(kinds), 10) == kinds[:10]


def test_rare_kinds_are_in_a_tenth_of_the_work_and_known() -> None:
    """Nobody could name one that never was."""
    project = bigrams("ab", "ac", *["a"] * 18)

    assert rare_kinds("abcx", project) == {"b", "c"}
    assert rare_kinds("ab", bigrams("ab", *["a"] * 8)) == set()
    assert rare_kinds("ab", bigrams("ab", *["a"] * 9)) == {"b"}
