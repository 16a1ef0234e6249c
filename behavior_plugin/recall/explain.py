"""Say in words why past work was ranked as it was: each factor, and how much it counted.

`rank.explain` makes these types. They have no arrays, so commands can read and show them without numpy.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import AwareDatetime

from behavior_plugin.model import Frozen, Outcome, OwnText

# The factors in words; the names are those of `weights.json`.
_WORDS = {
    "cosine": "alike in meaning",
    "words": "words in common",
    "letters": "letters in common",
    "age": "age",
    "same_command": "same command",
    "constant": "to begin with",
    "merit": "agreement",
    "known": "how much is known",
    "other_intent": "another intent",
}


class Factor(Frozen):
    """A number that counts: its value, and its contribution, which is the value times its weight."""

    name: OwnText
    value: float
    contribution: float


class Candidate(Frozen):
    """A piece of past work that was compared with a prompt.

    `likelihood`, 0 to 1, comes from the sum of the contributions of its factors; the other candidates, and the chance
    that none of them is right, have the rest. `agreement` is what it gains from the likelihood of others that did like
    work. The candidates are ordered by the sum of both.
    """

    pattern_key: OwnText
    project: str
    trigger: str
    outcome: Outcome
    started_at: AwareDatetime
    odds: float
    likelihood: float
    agreement: float
    factors: tuple[Factor, ...]


class Ranking(Frozen):
    """A ranking, the best candidates first.

    `known` counts the pieces of work that were searched, and `compared` those that were candidates. `odds` belong to
    the first candidate, 0 to 1: the logistic function of the sum of the contributions of `odds_factors`.
    """

    known: int
    compared: int = 0
    is_by_letters: bool = False
    candidates: tuple[Candidate, ...] = ()
    odds: float = 0.0
    odds_factors: tuple[Factor, ...] = ()


def candidate_phrase(candidate: Candidate) -> str:
    """The factors of one candidate, its likelihood and its agreement, on one line."""
    return (
        f"{factors_phrase(candidate.factors)}: likelihood {candidate.likelihood:.0%}, "
        f"{candidate.agreement:+.0%} for like work of others"
    )


def odds_phrase(ranking: Ranking) -> str:
    """The factors of the odds of the first candidate, on one line."""
    total = sum(factor.contribution for factor in ranking.odds_factors)
    return f"{factors_phrase(ranking.odds_factors)}: {total:+.2f} in all, which is {ranking.odds:.0%}"


def factors_phrase(factors: Sequence[Factor]) -> str:
    """The factors that count, each with its contribution and its value: `+3.21 alike in meaning (0.76), …`."""
    return ", ".join(map(_phrase, (factor for factor in factors if factor.contribution)))


def _phrase(factor: Factor) -> str:
    value = "" if factor.name == "constant" else f" ({factor.value:.2f})"
    return f"{factor.contribution:+.2f} {_WORDS.get(factor.name, factor.name)}{value}"
