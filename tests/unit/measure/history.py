"""Past work with defaults, for replays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from behavior_plugin.measure.past import PastWork
from behavior_plugin.model import Outcome
from tests.factories import START

TASK = "fix the parser of the invoice"


def at(hour: float) -> datetime:
    return START + timedelta(hours=hour)


def past(hour: float, prompt: str = TASK, *names: str, until: float | None = None, **changes: Any) -> PastWork:
    """Work that begins at an hour, in a session of its own, and ends a minute later or at the hour `until`."""
    fields: dict[str, Any] = {
        "source_key": f"work at {hour}",
        "pattern_key": f"job of {prompt}",
        "session_id": f"session at {hour}",
        "project": "shop",
        "prompt": prompt,
        "is_task": True,
        "outcome": Outcome.SUCCESS,
        "started_at": at(hour),
        "ended_at": at(until) if until is not None else at(hour) + timedelta(minutes=1),
        "names": names or ("edit", "make test"),
        "is_readable": False,
    }
    return PastWork(**{**fields, **changes})
