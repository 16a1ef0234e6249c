"""Confidence is a cautious estimate from how the work ended."""

from __future__ import annotations

import pytest

from behavior_plugin.model import Outcome
from behavior_plugin.patterns.confidence import confidence

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
        ([PARTLY], 0.392),
        ([FAILED], 0.217),
        ([WORKED] * 10_000, 1.0),
        ([FAILED] * 10_000, 0.0),
    ],
)
def test_confidence_is_between_0_and_1(outcomes: list[Outcome], expected: float) -> None:
    """The table rejects other values; the prior weighs as much as two observations."""
    assert 0 <= confidence(outcomes) <= 1
    assert confidence(outcomes) == pytest.approx(expected, abs=0.001)
