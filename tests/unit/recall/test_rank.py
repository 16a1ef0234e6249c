"""The order of suggestions, with the odds and the reason of each."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.model import Context, Outcome
from behavior_plugin.recall.rank import HALF_LIFE, MIN_CONFIDENCE, rank
from behavior_plugin.workflow import Match, StoredPattern, Workflow
from tests.factories import START, make_pattern, make_step, make_workflow

HERE = Context(directory="/home/dev/project", project="/home/dev/project", branch="main")


def make_match(similarity: float = 0.8, similarities: tuple[float, ...] = (), **changes: Any) -> Match:
    stored = {"id": uuid.uuid4(), "use_count": 0, "created_at": START}
    pattern = StoredPattern(**{**make_pattern(**{"started_at": START, **changes}).model_dump(), **stored})
    return Match(pattern=pattern, similarity=similarity, similarities=similarities)


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


def test_failed_work_is_offered_only_on_request() -> None:
    """It is no example to follow."""
    worked, failed = make_match(0.7), make_match(0.9, final_outcome=Outcome.FAILED)
    never = make_match(0.8, workflow=make_workflow(times=3, worked=0))
    doubted = make_match(0.8, workflow=make_workflow(), confidence=MIN_CONFIDENCE - 0.01)

    [suggestion] = rank([worked, failed, never, doubted], context=HERE, now=START)
    on_request = rank([worked, failed, never, doubted], context=HERE, now=START, with_failed=True)

    assert suggestion.pattern == worked.pattern
    assert len(on_request) == 4


def test_hidden_pattern_is_never_offered() -> None:
    """The user has said so."""
    hidden = make_match(0.9, workflow=make_workflow(is_hidden=True))

    assert rank([hidden], context=HERE, now=START, with_failed=True) == []


def test_odds_are_those_of_the_pattern() -> None:
    """They do not depend on the question."""
    [many] = rank([make_match(workflow=make_workflow(times=8, worked=7))], context=HERE, now=START)
    [one] = rank([make_match()], context=HERE, now=START)

    assert (many.successes, many.occurrences, many.last_seen_at) == (7, 8, START)
    assert (one.successes, one.occurrences) == (1, 1)


# Least regret


def workflow(*commands: str) -> Workflow:
    return make_workflow(steps=[make_step(command) for command in commands])


def test_pattern_whose_steps_the_likely_ones_share_comes_first() -> None:
    """The nearest is often work of its own kind, and the next five all do the same."""
    nearest = make_match(0.80, workflow=workflow("cargo run"))
    habits = [make_match(0.76, workflow=workflow("npm test", "npm run lint", f"npm run {name}")) for name in "abcde"]

    found = rank([nearest, *habits], context=HERE, now=START)

    assert found[-1].pattern == nearest.pattern
    assert rank([nearest, habits[0]], context=HERE, now=START)[0].pattern == nearest.pattern


def test_nearness_outweighs_agreement_where_it_is_clear() -> None:
    """A tenth nearer is twice as likely."""
    nearest = make_match(0.9, workflow=workflow("cargo run"))
    habits = [make_match(0.4, workflow=workflow("npm test", "npm run lint", f"npm run {name}")) for name in "abcde"]

    assert rank([nearest, *habits], context=HERE, now=START)[0].pattern == nearest.pattern


def test_patterns_with_many_near_triggers_gain() -> None:
    """Each prompt that began the work says that this is what such prompts ask for."""
    one, many = make_match(0.8), make_match(0.78, similarities=(0.78, 0.77, 0.76, 0.75))

    assert rank([one, many], context=HERE, now=START)[0].pattern == many.pattern
    assert rank([one, make_match(0.78)], context=HERE, now=START)[0].pattern == one.pattern


def test_first_has_the_greatest_similarity_as_its_score() -> None:
    """Whether to speak depends on how near the nearest is, not on how the candidates share."""
    sure: dict[str, Any] = {"confidence": 1.0, "workflow": make_workflow()}
    one, many = make_match(0.8, **sure), make_match(0.78, similarities=(0.78, 0.77, 0.76), **sure)

    first, second = rank([one, many], context=HERE, now=START)

    assert first.score == pytest.approx(0.8)
    assert second.score < 0.8


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
