"""The confidence of a pattern: a cautious estimate from how the work ended.

The lower bound of a Beta posterior: its mean less one standard deviation. The prior has the mean that the schema
names as default (0.7) and the weight of two observations, so one good ending is no proof yet.
"""

from __future__ import annotations

from math import sqrt

from behavior_plugin.model import Outcome

PRIOR_WORKED, PRIOR_FAILED = 1.4, 0.6
_WORKED = {Outcome.SUCCESS: 1.0, Outcome.PARTIAL: 0.5, Outcome.FAILED: 0.0}


def confidence(outcomes: list[Outcome]) -> float:
    """0 to 1, from the outcomes of the same work."""
    worked = PRIOR_WORKED + sum(_WORKED[outcome] for outcome in outcomes)
    failed = PRIOR_FAILED + sum(1 - _WORKED[outcome] for outcome in outcomes)
    total = worked + failed
    deviation = sqrt(worked * failed / (total * total * (total + 1)))
    return max(0.0, worked / total - deviation)
