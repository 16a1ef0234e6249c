"""The reasons for an order: factors that add up to it, in words."""

from __future__ import annotations

import math

import pytest

from behavior_plugin.recall.explain import Factor, Ranking, candidate_phrase, factors_phrase, odds_phrase
from behavior_plugin.recall.index import Index
from behavior_plugin.recall.rank import WEIGHTS, explain, rank
from behavior_plugin.workflow import Trigger
from tests.unit.recall.test_index import asked, make_trigger
from tests.unit.recall.test_rank import DOCS, SHIP, near

KNOWN = (
    make_trigger("ship the invoice", vector=near(0.6), **SHIP),
    make_trigger("publish the parser", vector=near(0.5), **SHIP),
    make_trigger("mention it in the docs", vector=near(0.4), **DOCS),
)


def explained(*triggers: Trigger, vector: tuple[float, ...] | None = (1, 0), limit: int = 5) -> Ranking:
    return explain(Index(triggers).candidates(asked("ship the parser", vector)), limit=limit)


def total(factors: tuple[Factor, ...]) -> float:
    return sum(factor.contribution for factor in factors)


@pytest.mark.parametrize("vector", [(1, 0), None])
def test_explanation_has_the_order_and_the_odds_of_the_ranking(vector: tuple[float, ...] | None) -> None:
    """It explains what was said, and nothing else."""
    candidates = Index(KNOWN).candidates(asked("ship the parser", vector))

    found, ranked = explain(candidates), rank(candidates)

    assert len(ranked) > 1
    assert [each.trigger for each in found.candidates] == [each.trigger.text for each in ranked]
    assert [each.odds for each in found.candidates] == [each.odds for each in ranked]
    assert (found.known, found.compared, found.odds) == (3, len(ranked), ranked[0].odds)


@pytest.mark.parametrize("vector", [(1, 0), None])
def test_contributions_add_up_to_the_odds_and_the_likelihoods(vector: tuple[float, ...] | None) -> None:
    """To the odds by the logistic function, to the likelihoods by a softmax, which has "none" only by meaning."""
    found = explained(*KNOWN, vector=vector)

    assert 1 / (1 + math.exp(-total(found.odds_factors))) == pytest.approx(found.odds)
    powers = [math.exp(total(each.factors)) for each in found.candidates]
    none = math.exp(WEIGHTS.none) if vector else 0
    shares = [power / (sum(powers) + none) for power in powers]
    assert shares == pytest.approx([each.likelihood for each in found.candidates])
    merit = next(factor.value for factor in found.odds_factors if factor.name == "merit")
    assert found.candidates[0].likelihood + found.candidates[0].agreement == pytest.approx(merit)


def test_agreement_comes_from_like_work() -> None:
    """Work that is like no other has the least."""
    agreement = {each.trigger: each.agreement for each in explained(*KNOWN).candidates}

    assert agreement["publish the parser"] > 5 * agreement["mention it in the docs"]


def test_only_the_best_candidates_are_explained() -> None:
    """All of them are counted."""
    found = explained(*KNOWN, limit=1)

    assert (len(found.candidates), found.compared) == (1, 3)
    assert explained() == Ranking(known=0, is_by_letters=True)


def test_factors_that_count_are_put_into_words() -> None:
    """Each has its part of the sum and its value."""
    by_meaning, by_letters = explained(*KNOWN), explained(*KNOWN, vector=None)

    [first, *_] = by_meaning.candidates
    assert "+2.55 alike in meaning (0.60)" in candidate_phrase(first)
    assert f"likelihood {first.likelihood:.0%}" in candidate_phrase(first)
    assert odds_phrase(by_meaning).startswith("-1.90 to begin with, ")
    assert odds_phrase(by_meaning).endswith(f"which is {first.odds:.0%}")
    assert "same command" not in candidate_phrase(first)
    assert "letters in common" in candidate_phrase(by_letters.candidates[0])
    assert "words" not in odds_phrase(by_letters)
    assert factors_phrase([Factor(name="new", value=1, contribution=0.5)]) == "+0.50 new (1.00)"
