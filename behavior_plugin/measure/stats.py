"""Count the suggestions that were followed, and compare the work after shown and after withheld ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from statistics import median
from typing import Literal

from behavior_plugin.measure.intervals import MIN_CASES, Estimate, Share, difference_of, share_of
from behavior_plugin.model import Frozen, Outcome
from behavior_plugin.workflow import PastSuggestion, RemarkKind

# A longer time is counted by months, and of these the last ones.
MAX_WEEKS, MAX_MONTHS = 16, 60


class Totals(Frozen):
    """How much is known: pieces of work are counted without their parts."""

    patterns: int
    episodes: int
    sessions: int
    projects: int


class Arm(Frozen):
    """Suggestions of one kind. `followed` and `worked` are shares of those with work after them.

    Work worked if it ended in success, whether it followed the steps or not. `steps` and `took_ms` are medians of the
    pieces of work; None where they are too few.
    """

    suggestions: int
    followed: Share
    worked: Share
    steps: float | None = None
    took_ms: float | None = None


class Comparison(Frozen):
    """The suggestions that might have been withheld, beside those that were: chance alone separates the two.

    `followed` and `worked` are by how much the share of the shown ones is greater.
    """

    shown: Arm
    withheld: Arm
    followed: Estimate
    worked: Estimate


class Period(Frozen):
    """A week from Monday on, or a month, in local time. `followed` and `worked` count those of the shown ones."""

    begins_on: date
    shown: int = 0
    followed: int = 0
    worked: int = 0
    withheld: int = 0


class Summary(Frozen):
    """The record of all suggestions, or of those since a day. `min_cases` are the fewest that a claim is made from."""

    totals: Totals
    shown: Arm
    comparison: Comparison
    by: Literal["week", "month"]
    periods: tuple[Period, ...]
    min_cases: int = MIN_CASES


def summary_of(suggestions: Sequence[PastSuggestion], totals: Totals) -> Summary:
    """The record of these suggestions. Only those of a time when some were withheld are compared."""
    shown = [each for each in suggestions if each.remark.kind is RemarkKind.SHOWN]
    withheld = [each for each in suggestions if each.remark.kind is RemarkKind.WITHHELD]
    by, periods = _periods(suggestions)
    comparable = [each for each in _first_in_session(shown) if each.remark.holdout > 0]
    return Summary(
        totals=totals,
        shown=_arm(shown),
        comparison=_comparison(_arm(comparable), _arm(_first_in_session(withheld))),
        by=by,
        periods=tuple(periods),
    )


def _first_in_session(suggestions: Iterable[PastSuggestion]) -> list[PastSuggestion]:
    """Each pattern once in a session, where a worker that was started anew has suggested it again."""
    first: dict[tuple[str, str], PastSuggestion] = {}
    for each in suggestions:
        first.setdefault((each.remark.session_id, each.remark.pattern_key), each)
    return list(first.values())


def _comparison(shown: Arm, withheld: Arm) -> Comparison:
    return Comparison(
        shown=shown,
        withheld=withheld,
        followed=difference_of(shown.followed, withheld.followed),
        worked=difference_of(shown.worked, withheld.worked),
    )


def _arm(suggestions: Sequence[PastSuggestion]) -> Arm:
    judged = [each for each in suggestions if each.remark.is_followed is not None]
    return Arm(
        suggestions=len(suggestions),
        followed=share_of(sum(map(_is_followed, judged)), len(judged)),
        worked=share_of(sum(map(_is_worked, judged)), len(judged)),
        steps=_median(each.steps for each in judged),
        took_ms=_median(each.took_ms for each in judged),
    )


def _is_followed(suggestion: PastSuggestion) -> bool:
    return bool(suggestion.remark.is_followed)


def _is_worked(suggestion: PastSuggestion) -> bool:
    return suggestion.remark.outcome is Outcome.SUCCESS


def _median(numbers: Iterable[int | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return float(median(known)) if len(known) >= MIN_CASES else None


def _periods(suggestions: Sequence[PastSuggestion]) -> tuple[Literal["week", "month"], list[Period]]:
    """Each week or month from the first suggestion to the last, also those without any."""
    days = [_day(each.remark.made_at) for each in suggestions]
    if not days:
        return "week", []
    by: Literal["week", "month"] = "week" if max(days) - min(days) <= timedelta(weeks=MAX_WEEKS) else "month"
    begins = [_monday(day) if by == "week" else day.replace(day=1) for day in days]
    within: defaultdict[date, list[PastSuggestion]] = defaultdict(list)
    for begins_on, suggestion in zip(begins, suggestions, strict=True):
        within[begins_on].append(suggestion)
    return by, [_period(day, within[day]) for day in [*_days(min(begins), max(begins), by)][-MAX_MONTHS:]]


def _period(begins_on: date, suggestions: Sequence[PastSuggestion]) -> Period:
    shown = [each for each in suggestions if each.remark.kind is RemarkKind.SHOWN]
    return Period(
        begins_on=begins_on,
        shown=len(shown),
        followed=sum(map(_is_followed, shown)),
        worked=sum(map(_is_worked, shown)),
        withheld=len(suggestions) - len(shown),
    )


def _day(at: datetime) -> date:
    return at.astimezone().date()


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())


def _days(first: date, last: date, by: str) -> Iterator[date]:
    """The first days of all periods."""
    while first < last:
        yield first
        first = first + timedelta(weeks=1) if by == "week" else (first + timedelta(days=31)).replace(day=1)
    yield last
