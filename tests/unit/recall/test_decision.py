"""The decision on a prompt: the fate of each pattern that was found, and the verdict on all of them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from behavior_plugin.model import Outcome
from behavior_plugin.recall.decision import MAX_CONSIDERED, Considered, Fate, Verdict, consider, verdict_on
from behavior_plugin.recall.explain import Candidate, Factor, Ranking
from behavior_plugin.workflow import StoredPattern
from tests.factories import START, make_pattern, make_workflow

KEYS = ("a", "b")


def candidate(key: str, odds: float = 0.6, trigger: str = "ship it") -> Candidate:
    factors = (Factor(name="cosine", value=0.5, contribution=2.0),)
    return Candidate(
        pattern_key=key,
        project="/p",
        trigger=trigger,
        outcome=Outcome.SUCCESS,
        started_at=START,
        odds=odds,
        likelihood=odds,
        agreement=0.0,
        factors=factors,
    )


def ranking(*candidates: Candidate, known: int = 9) -> Ranking:
    return Ranking(known=known, compared=len(candidates), candidates=candidates, odds=0.6)


def stored(key: str, *, number: int = 1, confidence: float = 0.6, **workflow: Any) -> StoredPattern:
    made = make_pattern(source_key=key, workflow=make_workflow(**workflow), confidence=confidence)
    return StoredPattern(**made.model_dump(), id=uuid.UUID(int=number), use_count=0, created_at=START)


def considered(*candidates: Candidate, patterns: tuple[StoredPattern, ...] = (), **changes: Any) -> list[Considered]:
    known = patterns or tuple(stored(key, number=number) for number, key in enumerate(KEYS, start=1))
    by_key = {each.source_key: each for each in known}
    return [*consider(ranking(*candidates), by_key, **{"min_odds": 0.3, **changes})]


def test_each_pattern_has_its_best_piece_of_work() -> None:
    """One row for a way of working, however often it was done."""
    found = considered(candidate("a"), candidate("a", 0.5, "again"), candidate("b", 0.4), chosen=["a"])

    assert [(each.candidate.trigger, each.fate) for each in found] == [
        ("ship it", Fate.SHOWN),
        ("ship it", Fate.NOT_FIRST),
    ]
    assert found[0].pattern_id == uuid.UUID(int=1)
    assert found[0].job == make_workflow().job


@pytest.mark.parametrize(
    ("pattern", "fate"),
    [
        (stored("a", is_hidden=True), Fate.HIDDEN),
        (stored("a", worked=0), Fate.NEVER_WORKED),
        (stored("a", worked=3, confidence=0.1), Fate.DISTRUSTED),
        (stored("another"), Fate.MISSING),
    ],
)
def test_a_pattern_that_is_not_offered_has_a_reason(pattern: StoredPattern, fate: Fate) -> None:
    """The user may have hidden it long ago. A pattern below the threshold needs no other reason."""
    [found] = considered(candidate("a"), patterns=(pattern,))
    [unlikely] = considered(candidate("a", 0.2), patterns=(pattern,))

    assert found.fate is fate
    assert unlikely.fate is Fate.BELOW
    assert verdict_on(ranking(candidate("a")), [found]) is Verdict.NOT_OFFERED


def test_a_person_who_asks_is_offered_failed_work() -> None:
    """But nothing hidden."""
    failed, hidden = stored("a", worked=0), stored("b", worked=0, is_hidden=True, number=2)

    found = considered(candidate("a"), candidate("b"), patterns=(failed, hidden), with_failed=True, chosen=["a"])

    assert [each.fate for each in found] == [Fate.SHOWN, Fate.HIDDEN]


def test_a_pattern_that_was_shown_before_differs_from_one_below_the_threshold() -> None:
    """The second is new to the session, and not likely enough."""
    found = considered(candidate("a"), candidate("b", 0.2), shown_before={str(uuid.UUID(int=1))})

    assert [each.fate for each in found] == [Fate.ALREADY_SHOWN, Fate.BELOW]
    assert verdict_on(ranking(candidate("a")), found) is Verdict.ALREADY_SHOWN


def test_late_work_has_its_own_verdict_if_it_was_likely() -> None:
    """The verdict names the delay only where it cost a note."""
    late, unlikely = considered(candidate("a"), is_late=True), considered(candidate("a", 0.1), is_late=True)

    assert verdict_on(ranking(candidate("a")), late) is Verdict.LATE
    assert verdict_on(ranking(candidate("a")), unlikely) is Verdict.BELOW


def test_a_suggestion_that_was_withheld_differs_from_one_that_was_shown() -> None:
    """Else silence by the user's own setting would look like a fault."""
    [first, second] = considered(
        candidate("a"), candidate("b"), patterns=(stored("a"), stored("b", number=2)), chosen={"a"}, is_withheld=True
    )

    assert [first.fate, second.fate] == [Fate.WITHHELD, Fate.NOT_FIRST]
    assert verdict_on(ranking(), [first, second]) is Verdict.WITHHELD


def test_nothing_known_is_not_the_same_as_nothing_like_it() -> None:
    """The first is a new project."""
    assert verdict_on(ranking(known=0), []) is Verdict.NOTHING_KNOWN
    assert verdict_on(ranking(known=9), []) is Verdict.NOTHING_LIKE_IT
    assert verdict_on(ranking(candidate("a")), considered(candidate("a"), chosen=["a"])) is Verdict.SHOWN


def test_only_the_best_are_kept_and_the_one_that_was_chosen() -> None:
    """The first ones may have been shown before."""
    keys = [f"key {number}" for number in range(3 * MAX_CONSIDERED)]
    patterns = tuple(stored(key, number=number) for number, key in enumerate(keys, start=1))

    found = considered(*map(candidate, keys), patterns=patterns, chosen=keys[-1:])

    assert [each.candidate.pattern_key for each in found] == [*keys[:MAX_CONSIDERED], keys[-1]]
    assert found[-1].fate is Fate.SHOWN
