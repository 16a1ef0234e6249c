"""Order the candidates for a prompt, and say how likely the first is right.

The order is that of least regret: the first is the likely candidate with the work most like that of the other likely
ones. The single nearest is often work of its own kind. The odds decide another question: whether
anything is suggested. The weights of both are in `weights.json`, which `benchmarks/weights.py` makes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from behavior_plugin.recall.explain import Candidate, Factor, Ranking
from behavior_plugin.recall.index import Candidates, Matrix
from behavior_plugin.recall.words import Scores
from behavior_plugin.workflow import Trigger

WEIGHTS_FILE = Path(__file__).with_name("weights.json")
# Beyond a thousand newer pieces of work age makes no more difference.
_OLD = 1_000.0
# Nor does it make a difference how large a large store is.
_LARGE = 1_000
# The columns of `signals_of`, and the numbers of `odds_signals` behind the constant; with letters instead of words.
_SIGNALS, _SIGNALS_BY_LETTERS = (("cosine", each, "age", "same_command") for each in ("words", "letters"))
_ODDS, _ODDS_BY_LETTERS = (
    ("constant", "cosine", each, "merit", "known", "other_intent") for each in ("words", "letters")
)


@dataclass(frozen=True)
class Weights:
    """The numbers of the ranking and of the odds.

    `signals` are the weights of the columns of `signals_of`. A candidate whose weighted sum is `none` is as likely as
    that none of them is right. `agreement` is how much a candidate gains from another one with the very same work, as a
    share of the other's likelihood. `odds` has a constant, and the weights of `odds_signals`; `odds_by_letters` is the
    same for prompts that are compared by their letters.
    """

    signals: tuple[float, ...]
    none: float
    agreement: float
    odds: tuple[float, ...]
    odds_by_letters: tuple[float, ...]

    @classmethod
    def of(cls, values: dict[str, Any]) -> Weights:
        return cls(
            signals=tuple(values["signals"].values()),
            none=values["none"],
            agreement=values["agreement"],
            odds=tuple(values["odds"].values()),
            odds_by_letters=tuple(values["odds_by_letters"].values()),
        )


WEIGHTS = Weights.of(json.loads(WEIGHTS_FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Ranked:
    """A candidate with its odds, 0 to 1, and its similarity: the cosine, or else the share of letters."""

    trigger: Trigger
    odds: float
    similarity: float


def rank(candidates: Candidates, weights: Weights = WEIGHTS) -> list[Ranked]:
    """The candidates, best first. The others are as much less likely than the first as they would be more regretted."""
    if not candidates.triggers:
        return []
    merits = merits_of(candidates, weights)
    odds = odds_of(candidates, merits, weights.odds_by_letters if candidates.is_by_letters else weights.odds)
    nearness = candidates.words if candidates.is_by_letters else candidates.cosines
    shares = odds * merits / merits.max()
    return [
        Ranked(candidates.triggers[place], float(shares[place]), float(min(1.0, nearness[place])))
        for place in _order(merits)
    ]


def explain(candidates: Candidates, weights: Weights = WEIGHTS, *, limit: int = 5) -> Ranking:
    """The factors behind the order of `rank`, for the best `limit` candidates, and those behind the odds."""
    ranked = rank(candidates, weights)
    is_by_letters = candidates.is_by_letters
    if not ranked:
        return Ranking(known=candidates.known, is_by_letters=is_by_letters)
    signals, merits = signals_of(candidates), merits_of(candidates, weights)
    likely = likelihoods(candidates, weights)
    names = _SIGNALS_BY_LETTERS if is_by_letters else _SIGNALS
    explained = [
        _explained(each, likely[place], merits[place], _factors(names, signals[place], weights.signals))
        for each, place in zip(ranked[:limit], _order(merits), strict=False)
    ]
    values = numpy.array([1.0, *odds_signals(candidates, merits)])
    odds_names, odds = (_ODDS_BY_LETTERS, weights.odds_by_letters) if is_by_letters else (_ODDS, weights.odds)
    return Ranking(
        known=candidates.known,
        compared=len(ranked),
        is_by_letters=is_by_letters,
        candidates=tuple(explained),
        odds=ranked[0].odds,
        odds_factors=_factors(odds_names, values, odds),
    )


def signals_of(candidates: Candidates) -> Matrix:
    """A row for each candidate: cosine, words, age in newer pieces of work, and whether it is the same command."""
    age = numpy.log1p(numpy.minimum(candidates.newer, _OLD)) / numpy.log1p(_OLD)
    return numpy.stack([candidates.cosines, candidates.words, age, candidates.is_same_command], axis=1)


def likelihoods(candidates: Candidates, weights: Weights) -> Scores:
    """How likely each candidate is the right one, beside the others and beside none of them.

    Without "none of them" the only piece of work of a new project would be certain. It does not count by letters, whose
    sums are on another scale.
    """
    none = -math.inf if candidates.is_by_letters else weights.none
    shares = softmax(numpy.append(signals_of(candidates) @ numpy.array(weights.signals), none))
    return shares[:-1]


def merits_of(candidates: Candidates, weights: Weights) -> Scores:
    """How little each candidate would be regretted: its likelihood, and its part of the others' by like work."""
    likely = likelihoods(candidates, weights)
    others = candidates.likeness - numpy.diag(numpy.diag(candidates.likeness))
    merits: Scores = likely + weights.agreement * (others @ likely)
    return merits


def odds_signals(candidates: Candidates, merits: Scores) -> Scores:
    """Cosine, words and merit of the first, how much is known, and whether the first is of another intent."""
    first = _order(merits)[0]
    alike = [candidates.cosines[first], candidates.words[first], merits[first]]
    return numpy.array([*alike, numpy.log1p(min(candidates.known, _LARGE)), candidates.is_other_intent[first]])


def odds_of(candidates: Candidates, merits: Scores, factors: Sequence[float]) -> float:
    """How likely the first candidate is right."""
    return logistic(factors[0] + float(odds_signals(candidates, merits) @ numpy.array(factors[1:])))


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def softmax(values: Scores) -> Scores:
    powers = numpy.exp(values - values.max())
    shares: Scores = powers / powers.sum()
    return shares


def _order(merits: Scores) -> list[int]:
    """The places of the candidates, best first; of equals the newest."""
    return sorted(range(len(merits)), key=lambda place: (-merits[place], -place))


def _explained(ranked: Ranked, likelihood: float, merit: float, factors: tuple[Factor, ...]) -> Candidate:
    return Candidate(
        pattern_key=ranked.trigger.pattern_key,
        project=ranked.trigger.project,
        trigger=ranked.trigger.text,
        outcome=ranked.trigger.outcome,
        started_at=ranked.trigger.started_at,
        odds=ranked.odds,
        likelihood=float(likelihood),
        agreement=float(merit - likelihood),
        factors=factors,
    )


def _factors(names: Sequence[str], values: Scores, weights: Sequence[float]) -> tuple[Factor, ...]:
    numbers = zip(names, values.tolist(), weights, strict=True)
    return tuple(Factor(name=name, value=value, contribution=value * weight) for name, value, weight in numbers)
