"""The confidence of a pattern: a cautious estimate from how the work ended.

The lower bound of a Beta posterior: its mean less one standard deviation. The prior has the mean that the schema
names as default (0.7) and the weight of two observations, so one good ending is no proof yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import sqrt

from behavior_plugin.model import Outcome

PRIOR_WORKED, PRIOR_FAILED = 1.4, 0.6
# How much an ending weighs, for or against. Partial and failed are hard to tell apart, and neither worked; but a
# partial one is often only broken off, so it weighs half.
_WEIGHTS = {Outcome.SUCCESS: 1.0, Outcome.PARTIAL: 0.5, Outcome.FAILED: 1.0}
# Half a year makes evidence count half: habits last for months, and tool chains change within a year.
HALF_LIFE = timedelta(days=180)


def confidence(
    outcomes: Sequence[Outcome], times: Sequence[datetime] = (), *, support: float = 0.0, doubt: float = 0.0
) -> float:
    """0 to 1, from the outcomes of the same work; `times` says when each was.

    `support` and `doubt` weigh what became of suggestions and what the user said, in outcomes.

    Age counts from the newest of them and not from today, so the same evidence always gives the same number.
    """
    ages = _ages(times) or [1.0] * len(outcomes)
    weighed = [(outcome, _WEIGHTS[outcome] * age) for outcome, age in zip(outcomes, ages, strict=True)]
    worked = PRIOR_WORKED + support + sum(weight for outcome, weight in weighed if outcome is Outcome.SUCCESS)
    failed = PRIOR_FAILED + doubt + sum(weight for outcome, weight in weighed if outcome is not Outcome.SUCCESS)
    total = worked + failed
    deviation = sqrt(worked * failed / (total * total * (total + 1)))
    return max(0.0, worked / total - deviation)


def _ages(times: Sequence[datetime]) -> list[float]:
    """The weight of each time: 1 for the newest."""
    newest = max(times, default=None)
    return [0.5 ** ((newest - time) / HALF_LIFE) for time in times] if newest else []
