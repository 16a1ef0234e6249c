"""The order of suggestions, with the odds and the reason of each."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.model import Context, Match, Outcome, StoredPattern
from behavior_plugin.recall.rank import HALF_LIFE, rank
from tests.factories import START, make_pattern

HERE = Context(directory="/home/dev/project", project="/home/dev/project", branch="main")


def make_match(similarity: float = 0.8, **changes: Any) -> Match:
    stored = {"id": uuid.uuid4(), "use_count": 0, "created_at": START}
    pattern = StoredPattern(**{**make_pattern(**{"started_at": START, **changes}).model_dump(), **stored})
    return Match(pattern=pattern, similarity=similarity)


def test_the_most_similar_pattern_comes_first() -> None:
    """Similarity decides between patterns that are otherwise equal."""
    near, far = make_match(0.9), make_match(0.7)

    suggestions = rank([far, near], context=HERE, now=START)

    assert [suggestion.pattern for suggestion in suggestions] == [near.pattern, far.pattern]


def test_higher_confidence_and_recent_work_break_ties() -> None:
    """Old habits give way to recently successful work."""
    sure, unsure = make_match(confidence=0.9), make_match(confidence=0.2)
    fresh, stale = make_match(started_at=START), make_match(started_at=START - timedelta(days=400))

    by_confidence = rank([unsure, sure], context=HERE, now=START)
    by_age = rank([stale, fresh], context=HERE, now=START)

    assert by_confidence[0].pattern == sure.pattern
    assert by_age[0].pattern == fresh.pattern


def test_confidence_weighs_a_fifth_and_age_a_tenth() -> None:
    """They only decide between matches of close similarity, so their shares of the score are small."""
    now = START + 100 * HALF_LIFE
    ideal = make_match(0.9, confidence=1.0, started_at=now)
    unsure = make_match(0.9, confidence=0.0, started_at=now)
    stale = make_match(0.9, confidence=1.0, started_at=START)
    aging = make_match(0.9, confidence=1.0, started_at=now - HALF_LIFE)

    suggestions = rank([unsure, stale, aging, ideal], context=HERE, now=now)

    assert [each.pattern for each in suggestions] == [each.pattern for each in (ideal, aging, stale, unsure)]
    assert [each.score for each in suggestions] == pytest.approx([0.9, 0.9 * 0.95, 0.9 * 0.9, 0.9 * 0.8])


@pytest.mark.parametrize(("age_days", "lost"), [(0, 0.0), (180, 0.05), (360, 0.075), (36_500, 0.1)])
def test_age_halves_its_effect_every_half_year(age_days: int, lost: float) -> None:
    """Old work stays useful, so its age never takes more than a tenth."""
    match = make_match(1.0, confidence=1.0, started_at=START - timedelta(days=age_days))

    [suggestion] = rank([match], context=HERE, now=START)

    assert suggestion.score == pytest.approx(1 - lost)


def test_failed_work_is_not_suggested_but_counts_in_the_odds() -> None:
    """Failed work is no example to follow, but leaving it out of the odds would be dishonest."""
    yesterday = START - timedelta(days=1)
    worked, failed = make_match(0.7, started_at=yesterday), make_match(0.9, final_outcome=Outcome.FAILED)

    [suggestion] = rank([worked, failed], context=HERE, now=START)

    assert suggestion.pattern == worked.pattern
    assert (suggestion.successes, suggestion.occurrences) == (1, 2)
    assert suggestion.last_seen_at == START


def test_the_reason_names_similarity_project_and_branch() -> None:
    """The reader of a suggestion must be able to judge it."""
    here = make_match(0.83, context=HERE)

    [suggestion] = rank([here], context=HERE, now=START)

    assert suggestion.reason == "the prompts are 83% alike, same project, same branch main"


def test_a_pattern_from_the_future_counts_as_new() -> None:
    """The clock may have been set back since it was stored."""
    ahead = make_match(started_at=START + timedelta(days=3650))

    [suggestion] = rank([ahead], context=HERE, now=START)

    [present] = rank([make_match(started_at=START)], context=HERE, now=START)
    assert suggestion.score == present.score
