"""Order the candidates for a prompt, and compute the odds that the first one is right.

The order is that of least regret: the first is the likely candidate whose work is most like that of the other likely
ones, because the single nearest is often work of its own kind. The odds decide whether anything is suggested at all.
`benchmarks/weights.py` fits the weights of both, which are in `weights.json`.
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
# Work with more newer pieces than this is not treated as older still.
_MAX_NEWER = 1_000.0
# A store with more pieces of work than this is not treated as larger still.
_MAX_KNOWN = 1_000
# The names of the columns of `signals_of`.
_SIGNALS = ("cosine", "words", "age", "same_command")
_SIGNALS_BY_LETTERS = ("cosine", "letters", "age", "same_command")
# The names of a constant and of the numbers of `odds_signals`.
_ODDS = ("constant", "cosine", "words", "merit", "known", "other_intent")
_ODDS_BY_LETTERS = ("constant", "cosine", "letters", "merit", "known", "other_intent")


@dataclass(frozen=True)
class Weights:
    """The numbers of the ranking and of the odds.

    `signals` are the weights of the columns of `signals_of`. `none` is the weighted sum of "no candidate is right",
    which competes with the candidates. `agreement` is how much a candidate gains from another one with the very same
    work, as a share of the other's likelihood. `odds` has a constant and the weights of `odds_signals`;
    `odds_by_letters` has the same for prompts that are compared by their letters.
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
    """The candidates, best first. The odds of each are those of the first, scaled by the ratio of their merits."""
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
    """A row for each candidate: cosine, words, age, and whether it is the same command.

    The age, 0 to 1, is the logarithm of the number of newer pieces of work.
    """
    age = numpy.log1p(numpy.minimum(candidates.newer, _MAX_NEWER)) / numpy.log1p(_MAX_NEWER)
    return numpy.stack([candidates.cosines, candidates.words, age, candidates.is_same_command], axis=1)


def likelihoods(candidates: Candidates, weights: Weights) -> Scores:
    """The likelihood of each candidate, 0 to 1: a softmax over their weighted sums and that of "no candidate is right".

    Without the last, the only piece of work of a new project would be certain. It is left out when letters are
    compared, because their sums are on another scale.
    """
    none = -math.inf if candidates.is_by_letters else weights.none
    shares = softmax(numpy.append(signals_of(candidates) @ numpy.array(weights.signals), none))
    return shares[:-1]


def merits_of(candidates: Candidates, weights: Weights) -> Scores:
    """The merit of each candidate: its likelihood, plus a share of the likelihood of others that did like work.

    The candidate with the highest merit is the one of least regret.
    """
    likely = likelihoods(candidates, weights)
    others = candidates.likeness - numpy.diag(numpy.diag(candidates.likeness))
    merits: Scores = likely + weights.agreement * (others @ likely)
    return merits


def odds_signals(candidates: Candidates, merits: Scores) -> Scores:
    """Cosine, words and merit of the first, the logarithm of the work known, and whether the first has another intent.

    Shape (5,). The last is 0 or 1.
    """
    first = _order(merits)[0]
    alike = [candidates.cosines[first], candidates.words[first], merits[first]]
    return numpy.array([*alike, numpy.log1p(min(candidates.known, _MAX_KNOWN)), candidates.is_other_intent[first]])


def odds_of(candidates: Candidates, merits: Scores, weights: Sequence[float]) -> float:
    """The odds that the first candidate is right, 0 to 1. `weights` are `Weights.odds`, or those by letters."""
    constant, *others = weights
    return logistic(constant + float(odds_signals(candidates, merits) @ numpy.array(others)))


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
