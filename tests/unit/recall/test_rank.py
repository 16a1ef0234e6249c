"""The order of suggestions, and what is said with each."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.model import Context, Match, Outcome, StoredPattern
from behavior_plugin.recall.rank import rank
from tests.factories import START, make_pattern

HERE = Context(directory="/home/dev/project", project="/home/dev/project", branch="main")


def make_match(similarity: float = 0.8, **changes: Any) -> Match:
    stored = {"id": uuid.uuid4(), "use_count": 0, "created_at": START}
    pattern = StoredPattern(**{**make_pattern(**{"started_at": START, **changes}).model_dump(), **stored})
    return Match(pattern=pattern, similarity=similarity)


def test_the_nearest_comes_first() -> None:
    """Similarity leads; the rest only weighs."""
    near, far = make_match(0.9), make_match(0.7)

    suggestions = rank([far, near], context=HERE, now=START)

    assert [suggestion.pattern for suggestion in suggestions] == [near.pattern, far.pattern]


def test_of_equals_the_surer_and_the_fresher_come_first() -> None:
    """Old habits give way to what has held up lately."""
    sure, unsure = make_match(confidence=0.9), make_match(confidence=0.2)
    fresh, stale = make_match(started_at=START), make_match(started_at=START - timedelta(days=400))

    by_confidence = rank([unsure, sure], context=HERE, now=START)
    by_age = rank([stale, fresh], context=HERE, now=START)

    assert by_confidence[0].pattern == sure.pattern
    assert by_age[0].pattern == fresh.pattern


def test_confidence_takes_at_most_a_fifth_of_the_score() -> None:
    """An unproven pattern that fits much better wins; one that fits little better does not."""
    [certain], [hopeless] = (rank([make_match(0.5, confidence=c)], context=HERE, now=START) for c in (1.0, 0.0))
    proven, fits_better = make_match(0.8, confidence=1.0), make_match(0.99, confidence=0.1)
    fits_little_better = make_match(0.82, confidence=0.1)

    assert certain.score == pytest.approx(0.5)
    assert hopeless.score == pytest.approx(0.5 * 0.8)
    assert rank([proven, fits_better], context=HERE, now=START)[0].pattern == fits_better.pattern
    assert rank([proven, fits_little_better], context=HERE, now=START)[0].pattern == proven.pattern


@pytest.mark.parametrize(("age_days", "lost"), [(0, 0.0), (180, 0.05), (360, 0.075), (36_500, 0.1)])
def test_age_takes_a_tenth_of_the_score_half_of_it_in_half_a_year(age_days: int, lost: float) -> None:
    """Old work stays of use, so its age never weighs more than that."""
    match = make_match(1.0, confidence=1.0, started_at=START - timedelta(days=age_days))

    [suggestion] = rank([match], context=HERE, now=START)

    assert suggestion.score == pytest.approx(1 - lost)


def test_failed_work_is_not_offered_but_counts_in_the_odds() -> None:
    """A way that failed is no suggestion; hiding that it failed would be dishonest."""
    worked, failed = make_match(0.7), make_match(0.9, final_outcome=Outcome.FAILED)

    [suggestion] = rank([worked, failed], context=HERE, now=START)

    assert suggestion.pattern == worked.pattern
    assert (suggestion.successes, suggestion.occurrences) == (1, 2)


def test_the_reason_names_what_matched() -> None:
    """Who reads a suggestion must be able to judge it."""
    here = make_match(0.83, context=HERE)

    [suggestion] = rank([here], context=HERE, now=START)

    assert suggestion.reason == "the prompts are 83% alike, same project, same branch main"


def test_a_clock_that_was_set_back_does_no_harm() -> None:
    """A pattern of the future is simply fresh."""
    ahead = make_match(started_at=START + timedelta(days=3650))

    [suggestion] = rank([ahead], context=HERE, now=START)

    assert 0 < suggestion.score <= 1
