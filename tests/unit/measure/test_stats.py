"""The counts of suggestions, and the comparison of those that were shown with those that were withheld."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from behavior_plugin.measure.intervals import MIN_CASES
from behavior_plugin.measure.stats import MAX_MONTHS, MAX_WEEKS, Summary, Totals, summary_of
from behavior_plugin.model import Outcome
from behavior_plugin.workflow import PastSuggestion, Remark, RemarkKind

TOTALS = Totals(patterns=1, episodes=2, sessions=3, projects=4)
# A Wednesday at noon, which is the same day in every time zone but a few.
WEDNESDAY = datetime(2026, 3, 4, 12, tzinfo=UTC)
SHOWN, WITHHELD = RemarkKind.SHOWN, RemarkKind.WITHHELD
_sessions = count()


def made(
    kind: RemarkKind = SHOWN,
    *,
    followed: bool | None = True,
    outcome: Outcome | None = Outcome.SUCCESS,
    holdout: float = 0.5,
    days: float = 0,
    **work: Any,
) -> PastSuggestion:
    remark = Remark(
        pattern_key="key",
        kind=kind,
        made_at=WEDNESDAY + timedelta(days=days),
        session_id=f"session {next(_sessions)}",
        is_followed=followed,
        outcome=outcome if followed is not None else None,
        holdout=holdout,
    )
    return PastSuggestion(remark, **work)


def many(number: int, kind: RemarkKind = SHOWN, **changes: Any) -> list[PastSuggestion]:
    return [made(kind, **changes) for _ in range(number)]


def summary(*suggestions: PastSuggestion) -> Summary:
    return summary_of(suggestions, TOTALS)


def test_shares_are_of_the_suggestions_with_work_after_them() -> None:
    """The others may still be followed."""
    shown = summary(
        *many(20),
        *many(10, outcome=Outcome.FAILED),
        *many(5, followed=False),
        *many(5, followed=False, outcome=Outcome.PARTIAL),
        *many(9, followed=None),
    ).shown

    assert shown.suggestions == 49
    assert (shown.followed.count, shown.followed.cases, shown.followed.value) == (30, 40, 0.75)
    assert (shown.worked.count, shown.worked.cases, shown.worked.value) == (25, 40, 0.625)


def test_only_suggestions_that_might_have_been_withheld_are_compared() -> None:
    """Those of another time may have been easier."""
    found = summary(
        *many(30),
        *many(30, WITHHELD, followed=False),
        *many(50, followed=False, holdout=0),
    ).comparison

    assert (found.shown.suggestions, found.withheld.suggestions) == (30, 30)
    assert (found.followed.value, found.worked.value) == (1, 0)
    assert found.followed.low is not None
    assert 0.8 < found.followed.low < 1
    assert found.worked.low is not None
    assert found.worked.low < 0


@pytest.mark.parametrize(("shown", "withheld"), [(MIN_CASES, MIN_CASES - 1), (MIN_CASES - 1, MIN_CASES)])
def test_no_claim_below_enough_cases_in_each_arm(shown: int, withheld: int) -> None:
    few = summary(*many(shown), *many(withheld, WITHHELD), *many(9, WITHHELD, followed=None)).comparison

    assert few.followed.value is few.worked.low is None
    enough = summary(*many(MIN_CASES), *many(MIN_CASES, WITHHELD)).comparison
    assert enough.followed.value == 0


def test_a_pattern_is_compared_once_in_a_session() -> None:
    """A worker that was started anew has forgotten that it suggested it."""
    shown, withheld = many(3, holdout=0.5), many(3, WITHHELD)

    found = summary(*shown, *shown, *withheld, *withheld)

    assert (found.comparison.shown.suggestions, found.comparison.withheld.suggestions) == (3, 3)
    assert found.shown.suggestions == 6


def test_medians_are_of_the_work_after() -> None:
    arms = summary(
        *[made(steps=number, took_ms=1000 * number) for number in range(1, 32)],
        *many(9, steps=99, followed=None),
    )
    few = summary(*many(MIN_CASES - 1, steps=3))

    assert (arms.shown.steps, arms.shown.took_ms) == (16, 16_000)
    assert (few.shown.steps, few.shown.took_ms) == (None, None)


def test_weeks_begin_on_monday_and_none_is_left_out() -> None:
    found = summary(made(), made(followed=False, days=1), made(WITHHELD), made(days=14, outcome=Outcome.FAILED))

    assert found.by == "week"
    assert [f"{each.begins_on}" for each in found.periods] == ["2026-03-02", "2026-03-09", "2026-03-16"]
    counts = [(each.shown, each.followed, each.worked, each.withheld) for each in found.periods]
    assert counts == [(2, 1, 2, 1), (0, 0, 0, 0), (1, 1, 0, 0)]


def test_a_long_time_is_counted_by_months() -> None:
    within, beyond = summary(made(), made(days=7 * MAX_WEEKS)), summary(made(), made(days=7 * MAX_WEEKS + 1))
    years = summary(made(days=-100_000), made(), made(days=200_000))

    assert (within.by, len(within.periods)) == ("week", MAX_WEEKS + 1)
    assert beyond.by == "month"
    assert [f"{each.begins_on:%m-%d}" for each in beyond.periods] == ["03-01", "04-01", "05-01", "06-01"]
    assert len(years.periods) == MAX_MONTHS
    assert years.periods[-1].shown == 1


def test_no_suggestions() -> None:
    empty = summary()

    assert (empty.periods, empty.shown.suggestions, empty.comparison.followed.cases) == ((), 0, 0)
    assert empty.totals == TOTALS
