"""Events and patterns with defaults, so that a test shows only what matters to it."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from behavior_plugin.model import Action, Context, Event, EventKind, Outcome, Pattern

PAYLOADS = Path(__file__).parent / "payloads"
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_ticks = itertools.count()


def payload(name: str, **changes: Any) -> dict[str, Any]:
    """A real payload, as the client sent it, with changes."""
    recorded = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return {**recorded, **changes}


def make_action(tool: str = "Bash", *, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Action:
    defaults: dict[str, Any] = {"parameters": {"command": "make test"}, "timestamp": START, "duration_ms": 100}
    return Action(**{"tool": tool, "outcome": outcome, **defaults, **changes})


def make_event(kind: str, **changes: Any) -> Event:
    """An event; each one is a second later than the one made before it."""
    tick = next(_ticks)
    defaults: dict[str, Any] = {
        "name": kind,
        "session_id": "session",
        "machine": "laptop",
        "at": START + timedelta(seconds=tick),
        "order": tick,
        "context": Context(directory="/home/dev/project", project="/home/dev/project"),
    }
    return Event(**{"kind": EventKind(kind), **defaults, **changes})


def make_prompt(text: str, **changes: Any) -> Event:
    return make_event("prompt", prompt=text, **changes)


def make_call(tool: str = "Bash", *, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Event:
    """An action's event; what an action has goes to its action, the rest to the event."""
    of_action = {name: changes.pop(name) for name in Action.model_fields if name in changes}
    return make_event("action", action=make_action(tool, outcome=outcome, **of_action), **changes)


def make_pattern(**changes: Any) -> Pattern:
    tick = next(_ticks)
    defaults: dict[str, Any] = {
        "source_key": f"key-{tick}",
        "trigger": "Fix the failing test",
        "context": Context(directory="/home/dev/project", project="/home/dev/project"),
        "actions": (make_action(),),
        "final_outcome": Outcome.SUCCESS,
        "confidence": 0.6,
        "started_at": START + timedelta(seconds=tick),
        "session_id": "session",
    }
    return Pattern(**{**defaults, **changes})
