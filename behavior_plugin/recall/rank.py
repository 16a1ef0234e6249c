"""Order recalled patterns, best first, and give the reason for each.

Similarity decides whether a pattern may be suggested at all; confidence and age only order the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from behavior_plugin.model import Context, Match, Outcome, StoredPattern, Suggestion

HALF_LIFE = timedelta(days=180)
# The share of the score that confidence and age may take away.
CONFIDENCE_SHARE = 0.2
AGE_SHARE = 0.1


def rank(matches: Sequence[Match], *, context: Context, now: datetime) -> list[Suggestion]:
    """Turn matches into suggestions, best first.

    Failed work is never suggested, but it counts in the odds of every suggestion.
    """
    offered = [match for match in matches if match.pattern.final_outcome is not Outcome.FAILED]
    suggestions = [_suggestion(match, matches, context, now) for match in offered]
    return sorted(suggestions, key=lambda suggestion: suggestion.score, reverse=True)


def _suggestion(match: Match, matches: Sequence[Match], context: Context, now: datetime) -> Suggestion:
    pattern = match.pattern
    return Suggestion(
        pattern=pattern,
        similarity=match.similarity,
        score=match.similarity * _weight(pattern, now),
        occurrences=len(matches),
        successes=sum(other.pattern.final_outcome is Outcome.SUCCESS for other in matches),
        last_seen_at=max(other.pattern.started_at for other in matches),
        reason=_reason(match, context),
    )


def _weight(pattern: StoredPattern, now: datetime) -> float:
    age = max(timedelta(0), now - pattern.started_at)
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
