"""The sum of a replay: each figure is of the right cases, and says how many there were."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.measure.intervals import MIN_CASES
from behavior_plugin.measure.lessons import LessonsMet
from behavior_plugin.measure.replay import Lift, Replayed
from behavior_plugin.measure.report import report_of
from tests.unit.measure.history import at

MET = LessonsMet(sessions=MIN_CASES, failures=9, lessons=6, per_session=6 / MIN_CASES)


def replayed(*, sessions: int = 3, steps: int = 4, **changes: Any) -> Replayed:
    """A prompt that was answered: a bit and a half a step more than by chance, and all kinds instead of half."""
    fields = {"suggested": Lift(-4, 1, 1), "chance": Lift(-10, 0.5, 0.25), "usual": Lift(-6, 0.75, 0)}
    return Replayed(at(1), sessions, is_answered=True, steps=steps, **{**fields, **changes})


def silent(sessions: int = 0) -> Replayed:
    return Replayed(at(1), sessions, is_answered=False, steps=4)


def test_figures_are_of_answered_prompts_and_the_share_of_all() -> None:
    report = report_of([*[replayed()] * 30, *[silent()] * 10], MET)

    assert (report.answered.value, report.answered.cases) == (0.75, 40)
    assert (report.bits.value, report.bits.cases) == (1.5, 30)
    named, rare = report.named, report.rare
    assert [each.value for each in (named.suggested, named.chance, named.usual, named.gain)] == [1, 0.5, 0.75, 0.5]
    assert [each.value for each in (rare.suggested, rare.chance, rare.usual, rare.gain)] == [1, 0.25, 0, 0.75]
    assert report.lessons.per_session == pytest.approx(6 / MIN_CASES)


def test_bits_are_per_step() -> None:
    """Long work counts for more."""
    long, short = replayed(steps=10, suggested=Lift(0, 1, 1)), replayed(steps=2, suggested=Lift(-10, 1, 1))

    assert report_of([long, short] * 20, MET).bits.value == pytest.approx(10 / 12)


def test_rare_kinds_count_only_where_there_were_some() -> None:
    without = replayed(suggested=Lift(-4, 1, None), chance=Lift(-10, 0.5, None), usual=Lift(-6, 1, None))

    report = report_of([*[replayed()] * 30, *[without] * 5], MET)

    assert (report.named.suggested.cases, report.rare.suggested.cases, report.rare.suggested.value) == (35, 30, 1)


def test_nothing_is_claimed_from_few_cases() -> None:
    report = report_of([*[replayed()] * 29, silent()], LessonsMet(sessions=29, failures=1, lessons=1, per_session=None))

    assert report.answered.value == pytest.approx(29 / 30)
    assert report.bits.value is report.named.gain.value is report.rare.gain.low is None
    assert report.bits.cases == 29


def test_groups_follow_the_number_of_known_sessions() -> None:
    """They show whether it gets better the more is known."""
    report = report_of([*[silent(4)] * 30, *[replayed(sessions=5)] * 31, silent(10)], MET)

    assert [(each.sessions, each.answered.cases, each.answered.value) for each in report.by_sessions] == [
        (0, 30, 0),
        (5, 31, 1),
        (10, 1, None),
    ]
    assert [each.named.value for each in report.by_sessions] == [None, 1, None]
    assert report_of([], MET).by_sessions == ()
