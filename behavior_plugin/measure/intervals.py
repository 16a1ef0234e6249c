"""Shares and ratios with intervals that contain the true value in 95 of 100 such samples."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from pydantic import Field

from behavior_plugin.model import Frozen

# Below so many cases nothing is claimed: an interval is then wider than most effects.
MIN_CASES = 30
# Of the normal distribution, 95 % lies within so many standard deviations.
Z = 1.959964
RESAMPLES, SEED = 2_000, 20_260


class Estimate(Frozen):
    """A figure from `cases`, with its interval; without the three numbers where the cases are too few to say."""

    cases: int = Field(ge=0)
    value: float | None = None
    low: float | None = None
    high: float | None = None


class Share(Estimate):
    """The share of `cases` that are counted."""

    count: int = Field(ge=0)


def share_of(count: int, cases: int) -> Share:
    """A share with Wilson's score interval (Wilson, JASA 22, 1927), which is right for small shares too."""
    if cases < MIN_CASES:
        return Share(count=count, cases=cases)
    low, high = wilson(count, cases)
    return Share(count=count, cases=cases, value=count / cases, low=low, high=high)


def difference_of(one: Share, other: Share) -> Estimate:
    """How much greater one share is than another, of other cases (Newcombe's hybrid score interval, method 10:
    Statistics in Medicine 17, 1998, 873-890). `cases` are those of the smaller group.
    """
    cases = min(one.cases, other.cases)
    if cases < MIN_CASES:
        return Estimate(cases=cases)
    first, second = one.count / one.cases, other.count / other.cases
    (low, high), (other_low, other_high) = wilson(one.count, one.cases), wilson(other.count, other.cases)
    value = first - second
    return Estimate(
        cases=cases,
        value=value,
        low=value - sqrt((first - low) ** 2 + (other_high - second) ** 2),
        high=value + sqrt((high - first) ** 2 + (second - other_low) ** 2),
    )


def ratio_of(pairs: Sequence[tuple[float, float]]) -> Estimate:
    """The sum of the first numbers divided by that of the second, which are positive.

    The interval is the percentile bootstrap over the pairs (Efron and Tibshirani, 1993, 13.3), with a fixed seed.
    """
    if len(pairs) < MIN_CASES:
        return Estimate(cases=len(pairs))
    # Imported here: it takes a tenth of a second, and most commands need no bootstrap.
    import numpy

    table = numpy.array(pairs, dtype=numpy.float64)
    random = numpy.random.default_rng(SEED)
    # One sample at a time: all at once they would take 16 bytes for each pair of each.
    sums = numpy.array([table[random.integers(0, len(table), len(table))].sum(axis=0) for _ in range(RESAMPLES)])
    low, high = numpy.percentile(sums[:, 0] / sums[:, 1], [2.5, 97.5])
    value = table[:, 0].sum() / table[:, 1].sum()
    return Estimate(cases=len(pairs), value=float(value), low=float(low), high=float(high))


def mean_of(values: Sequence[float]) -> Estimate:
    """The mean, with the interval of `ratio_of`."""
    return ratio_of([(value, 1.0) for value in values])


def wilson(count: int, cases: int) -> tuple[float, float]:
    """The bounds of a share; `cases` is not 0."""
    share, square = count / cases, Z * Z
    middle = share + square / (2 * cases)
    margin = Z * sqrt(share * (1 - share) / cases + square / (4 * cases * cases))
    scale = 1 + square / cases
    return max(0.0, (middle - margin) / scale), min(1.0, (middle + margin) / scale)
