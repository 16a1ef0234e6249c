"""Order recalled patterns, best first, and give the reason for each.

Similarity decides whether a pattern may be suggested at all. The first suggestion is the likely pattern that would be
regretted least: its steps are most like those of the other likely ones. The single nearest is often work of its own
kind. Confidence and age then count a little.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from behavior_plugin.model import Context, Outcome
from behavior_plugin.patterns.alignment import identities, similarity
from behavior_plugin.recall.wording import workflow_of
from behavior_plugin.workflow import Match, Pattern, StoredPattern, Suggestion

# A trigger that is nearer by a tenth is twice as likely to be the right one.
SHARPNESS = 7.0
# How much a pattern gains from another one with the very same steps, as a share of the other's likelihood.
AGREEMENT = 0.87
HALF_LIFE = timedelta(days=180)
# Below it a pattern has been ignored, refused or harmful too often to be suggested.
MIN_CONFIDENCE = 0.2
# The share of the score that confidence and age may take away.
CONFIDENCE_SHARE = 0.2
AGE_SHARE = 0.1


def rank(matches: Sequence[Match], *, context: Context, now: datetime, with_failed: bool = False) -> list[Suggestion]:
    """Turn matches into suggestions, best first; work that never worked or failed too often only `with_failed`.

    Patterns that the user has hidden are never offered. The score of the first is the greatest similarity of all, less
    the shares of confidence and age; the others' are lower, as far as they are less likely.
    """
    seen = [match for match in matches if not (match.pattern.workflow and match.pattern.workflow.is_hidden)]
    offered = [match for match in seen if with_failed or _may_be_offered(match.pattern)]
    if not offered:
        return []
    chances = _chances(offered)
    unit = max(match.similarity for match in offered) / max(chances)
    suggestions = [
        _suggestion(match, unit * chance, context, now) for match, chance in zip(offered, chances, strict=True)
    ]
    return sorted(suggestions, key=lambda suggestion: suggestion.score, reverse=True)


def _chances(matches: Sequence[Match]) -> list[float]:
    """How likely each match is what is wanted, in itself and through others with like steps."""
    likelihoods = _likelihoods(matches)
    names = [identities(workflow_of(match.pattern).steps) for match in matches]
    return [
        sum(
            likelihood * (1 if other == own else AGREEMENT * similarity(names[own], names[other]))
            for other, likelihood in enumerate(likelihoods)
        )
        for own in range(len(names))
    ]


def _likelihoods(matches: Sequence[Match]) -> list[float]:
    """The share of each match in the nearest triggers, of which nearer ones count more; together 1."""
    nearest = max(match.similarity for match in matches)
    masses = [
        sum(math.exp(SHARPNESS * (each - nearest)) for each in match.similarities or (match.similarity,))
        for match in matches
    ]
    return [mass / sum(masses) for mass in masses]


def _may_be_offered(pattern: Pattern) -> bool:
    """Whether there is a run of it that may be shown as a way."""
    if pattern.workflow:
        return pattern.workflow.worked > 0 and pattern.confidence >= MIN_CONFIDENCE
    return pattern.final_outcome is not Outcome.FAILED


def _suggestion(match: Match, score: float, context: Context, now: datetime) -> Suggestion:
    pattern = match.pattern
    workflow = pattern.workflow
    return Suggestion(
        pattern=pattern,
        similarity=match.similarity,
        score=score * _weight(pattern, now),
        trigger=match.trigger or pattern.trigger,
        occurrences=workflow.times if workflow else 1,
        successes=workflow.worked if workflow else int(pattern.final_outcome is Outcome.SUCCESS),
        last_seen_at=_last_at(pattern),
        reason=_reason(match, context),
    )


def _last_at(pattern: Pattern) -> datetime:
    return pattern.workflow.last_at if pattern.workflow else pattern.started_at


def _weight(pattern: StoredPattern, now: datetime) -> float:
    age = max(timedelta(0), now - _last_at(pattern))
    staleness = 1 - math.exp2(-(age / HALF_LIFE))
    return 1 - CONFIDENCE_SHARE * (1 - pattern.confidence) - AGE_SHARE * staleness


def _reason(match: Match, context: Context) -> str:
    reasons = [f"the prompts are {match.similarity:.0%} alike"]
    theirs = match.pattern.context
    if theirs.project and theirs.project == context.project:
        reasons.append("same project")
    if theirs.branch and theirs.branch == context.branch:
        reasons.append(f"same branch {theirs.branch}")
    return ", ".join(reasons)
