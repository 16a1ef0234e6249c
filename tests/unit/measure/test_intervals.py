"""Intervals are those of the literature, and no claim is made from few cases."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behavior_plugin.measure.intervals import (
    MIN_CASES,
    Share,
    difference_of,
    mean_of,
    ratio_of,
    share_of,
    wilson,
)

cases = st.integers(MIN_CASES, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_bounds(count: int, of: int, low: float, high: float) -> None:
    """Newcombe, Statistics in Medicine 17, 1998, 857-872, table I, method 3."""
    assert wilson(count, of) == pytest.approx((low, high), abs=0.0001)


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)],
)
def test_newcombe_gives_the_published_bounds(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Newcombe, Statistics in Medicine 17, 1998, 873-890, table II, method 10."""
    monkeypatch.setattr("behavior_plugin.measure.intervals.MIN_CASES", 1)
    found = difference_of(*(Share(count=count, cases=of) for count, of in (one, other)))

    assert (found.low, found.high) == pytest.approx((low, high), abs=0.0001)
    assert found.value == pytest.approx(one[0] / one[1] - other[0] / other[1])
    assert found.cases == min(one[1], other[1])


@given(cases, cases)
def test_intervals_contain_their_estimate(one: tuple[int, int], other: tuple[int, int]) -> None:
    share, second = share_of(*one), share_of(*other)
    difference = difference_of(share, second)

    for each in (share, second, difference):
        assert each.low is not None
        assert each.value is not None
        assert each.high is not None
        assert each.low - 1e-9 <= each.value <= each.high + 1e-9
    opposite = difference_of(second, share)
    assert (opposite.low, opposite.high) == pytest.approx((-(difference.high or 0), -(difference.low or 0)))


def test_nothing_is_claimed_from_few_cases() -> None:
    """Shares of 29 cases differ by twenty points by chance."""
    few, enough = share_of(20, MIN_CASES - 1), share_of(20, MIN_CASES)

    assert (few.count, few.cases, few.value, few.low, few.high) == (20, MIN_CASES - 1, None, None, None)
    assert enough.value == 20 / MIN_CASES
    assert difference_of(few, enough).value is difference_of(enough, few).low is None
    assert mean_of([1.0] * (MIN_CASES - 1)).value is None
    assert mean_of([1.0] * MIN_CASES).value == 1


def test_a_ratio_is_that_of_the_sums() -> None:
    """Long work has more steps, and each step counts the same."""
    found = ratio_of([(1.0, 1.0), (0.0, 9.0)] * 20)

    assert found.value == pytest.approx(0.1)
    assert found.cases == 40
    assert found.low is not None
    assert found.high is not None
    # Of 40 pairs about half have a step each: 20 of 200, with a standard deviation of 3.2 steps, and 25 of the sum.
    assert 0.05 < found.low < 0.08
    assert 0.14 < found.high < 0.20


def test_a_bootstrap_is_the_same_each_time_and_narrows() -> None:
    """A figure that changes from run to run is hard to believe."""
    values = [float(number % 2) for number in range(40)]

    few, again, many = mean_of(values), mean_of(values), mean_of(values * 25)

    assert few == again
    assert (few.high or 0) - (few.low or 0) == pytest.approx(4 * 0.5 / 40**0.5, abs=0.05)
    assert (many.high or 0) - (many.low or 0) < 0.25 * ((few.high or 0) - (few.low or 0))
