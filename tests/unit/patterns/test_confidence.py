"""Confidence is read cautiously from how the work ended."""

from __future__ import annotations

from behavior_plugin.model import Outcome
from behavior_plugin.patterns.confidence import confidence

WORKED, PARTLY, FAILED = Outcome.SUCCESS, Outcome.PARTIAL, Outcome.FAILED


def test_better_endings_give_more_confidence() -> None:
    """Otherwise a failed way would be offered as gladly as one that worked."""
    assert confidence([WORKED]) > confidence([PARTLY]) > confidence([FAILED])


def test_evidence_adds_up() -> None:
    """What worked five times is surer than what worked once."""
    assert confidence([WORKED] * 5) > confidence([WORKED]) > confidence([])


def test_one_success_stays_below_the_prior() -> None:
    """A lower bound: one good ending is no proof yet."""
    assert confidence([WORKED]) < 0.7


def test_confidence_is_a_share() -> None:
    """The table refuses anything else."""
    assert all(0 <= confidence([outcome] * n) <= 1 for outcome in Outcome for n in (0, 1, 10, 10_000))
