"""Confidence is a cautious estimate from how the work ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from behavior_plugin.model import Outcome
from behavior_plugin.patterns.confidence import confidence
from tests.factories import START

WORKED, PARTLY, FAILED = Outcome.SUCCESS, Outcome.PARTIAL, Outcome.FAILED


def test_better_outcomes_give_more_confidence() -> None:
    """Otherwise failed work would be suggested as readily as successful work."""
    assert confidence([WORKED]) > confidence([PARTLY]) > confidence([FAILED])


def test_more_successes_give_more_confidence() -> None:
    """Five successes are better evidence than one."""
    assert confidence([WORKED] * 5) > confidence([WORKED]) > confidence([])


def test_one_success_stays_below_the_prior() -> None:
    """Confidence is a lower bound: a single success proves little."""
    assert confidence([WORKED]) < 0.7


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], 0.435),
        ([WORKED], 0.6),
        ([PARTLY], 0.295),
        ([FAILED], 0.217),
        ([WORKED] * 10_000, 1.0),
        ([FAILED] * 10_000, 0.0),
    ],
)
def test_confidence_is_between_0_and_1(outcomes: list[Outcome], expected: float) -> None:
    """The table rejects other values; the prior weighs as much as two observations."""
    assert 0 <= confidence(outcomes) <= 1
    assert confidence(outcomes) == pytest.approx(expected, abs=0.001)


def test_partial_work_did_not_work() -> None:
    """It weighs half as much as a failure, and the same way."""
    assert confidence([WORKED, PARTLY, PARTLY]) == pytest.approx(confidence([WORKED, FAILED]))


def test_old_outcomes_weigh_less_than_new_ones() -> None:
    """A habit that failed last counts less than one that failed long ago."""
    old, new = START - timedelta(days=180), START

    assert confidence([FAILED, WORKED], [old, new]) == pytest.approx(0.467, abs=0.001)
    assert confidence([FAILED, WORKED], [new, old]) == pytest.approx(0.308, abs=0.001)
    assert confidence([FAILED, WORKED], [new, new]) == confidence([FAILED, WORKED])


def test_age_counts_from_the_newest() -> None:
    """The same evidence gives the same number on every day."""
    years = timedelta(days=3_650)

    assert confidence([WORKED], [START - years]) == confidence([WORKED], [START]) == confidence([WORKED])
