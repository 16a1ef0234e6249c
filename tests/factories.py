"""Events and patterns with defaults, so that each test shows only the values it is about."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from behavior_plugin.agents.claude_code import transcript
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.model import Action, CallEnd, Context, DurationSource, Event, EventKind, EventSource, Outcome, Turn
from behavior_plugin.workflow import Digest, Episode, Judgement, Pattern, Step, StepKind, Workflow

PAYLOADS = Path(__file__).parent / "payloads"
TRANSCRIPTS = Path(__file__).parent / "transcripts"
# The recorded sessions, each with its subagents.
SESSIONS = {
    "print-fix-and-follow-up": (),
    "print-subagents": ("a6747a4b1259f8dcf", "a1a578ecf73e36bf7"),
    "interactive-interrupts-and-compaction": (),
}
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_ticks = itertools.count()


def payload(name: str, **changes: Any) -> dict[str, Any]:
    """A real payload as Claude Code sent it, with changes."""
    recorded = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    return {**recorded, **changes}


def make_action(tool: str = "Bash", *, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Action:
    defaults: dict[str, Any] = {"parameters": {"command": "make test"}, "timestamp": START, "duration_ms": 100}
    return Action(**{"tool": tool, "outcome": outcome, **defaults, **changes})


def make_turn(prompt: str = "Fix the failing test", *actions: Action, **changes: Any) -> Turn:
    """Make a turn, one second later than the previous one; its kind is that of its prompt."""
    tick = next(_ticks)
    files = changes.pop("files", ())
    defaults: dict[str, Any] = {
        "source_key": f"key-{tick}",
        "session_id": "session",
        "prompt_kind": read_prompt(prompt)["prompt_kind"],
        "started_at": START + timedelta(seconds=tick),
        "context": Context(directory="/home/dev/project", project="/home/dev/project", files_touched=files),
    }
    return Turn(**{"prompt": prompt, "actions": actions, **defaults, **changes})


def make_event(kind: str, **changes: Any) -> Event:
    """Make an event, one second later than the previous one."""
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
    """Make a prompt event as the readers do: classified, and with its key."""
    return make_event("prompt", **{**read_prompt(text), **changes})


def make_call_end(call_id: str = "t1", *, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Event:
    """Make the end of a background call; `duration_ms` belongs to the end, other changes to the event."""
    end = CallEnd(call_id=call_id, outcome=outcome, duration_ms=changes.pop("duration_ms", None))
    return make_event("call_end", call_end=end, **changes)


def make_call(tool: str = "Bash", *, outcome: Outcome = Outcome.SUCCESS, **changes: Any) -> Event:
    """Make an event with an action; changes to fields of `Action` belong to the action, others to the event."""
    of_action = {name: changes.pop(name) for name in Action.model_fields if name in changes}
    event = make_event("action", **changes)
    action = make_action(tool, outcome=outcome, **{"timestamp": event.at, **of_action})
    return event.model_copy(update={"action": action})


def transcript_lines(session: str, actor: str = "main") -> list[bytes]:
    """The lines of a transcript that the real Claude Code wrote."""
    main = str(TRANSCRIPTS / f"{session}.jsonl")
    path = main if actor == "main" else transcript.subagent_file(main, actor)
    return Path(path or "").read_bytes().splitlines(keepends=True)


def recorded_events(session: str) -> list[Event]:
    """The events of a recorded session and its subagents, from the transcripts."""
    actors = ("main", *SESSIONS[session])
    return [
        event
        for actor in actors
        for event in transcript.read(transcript_lines(session, actor), session_id=session, actor=actor)
    ]


def reported_events(recorded: Iterable[Event]) -> list[Event]:
    """The same events as hooks would have reported them: completed calls only, each at its end."""
    reported = [event for event in recorded if not _is_unreported(event)]
    started = make_event("session_start", at=reported[0].at - timedelta(seconds=1), agent_pid=7, order=0)
    return [started, *(_as_reported(event) for event in reported)]


def _is_unreported(event: Event) -> bool:
    action = event.action
    if action is None:
        return False
    is_refused = (action.error or "").startswith(("Error: No such tool", "String to replace"))
    return action.actor == "user" or is_refused or action.outcome is Outcome.PARTIAL


def _as_reported(event: Event) -> Event:
    action, at = event.action, event.at + timedelta(milliseconds=30)
    if action:
        duration_ms = max(0, (action.duration_ms or 0) - 20)
        started_at = at
        at += timedelta(milliseconds=duration_ms)
        measured = {"duration_ms": duration_ms, "duration_source": DurationSource.AGENT, "timestamp": started_at}
        action = action.model_copy(update=measured)
    return event.model_copy(
        update={
            "source": EventSource.HOOK,
            "machine": "laptop",
            "at": at,
            "order": int((at - START).total_seconds() * 1e9),
            "agent_pid": 7,
            "context": Context(directory="/home/dev/project", root="/home/dev/project", project="remote/project"),
            "action": action,
        }
    )


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


def make_step(text: str = "make test", kind: StepKind = StepKind.CHECK, **changes: Any) -> Step:
    return Step(**{"kind": kind, "text": text, **changes})


def make_workflow(job: str = "fix and check", **changes: Any) -> Workflow:
    defaults: dict[str, Any] = {
        "steps": (make_step(),),
        "triggers": ("Fix the failing test",),
        "times": 8,
        "worked": 7,
        "sessions": 5,
        "typical_ms": 180_000,
        "last_at": START,
    }
    return Workflow(**{"job": job, **defaults, **changes})


def make_work(**changes: Any) -> Turn:
    """Make a turn with one call."""
    return make_turn(**{"actions": (make_action(),), **changes})


def make_episode(*turns: Turn, outcome: Outcome = Outcome.SUCCESS, job: str = "fix", **changes: Any) -> Episode:
    """Make an episode of these turns; without any, changes to fields of `Turn` belong to its only one."""
    of_turn = {} if turns else {name: changes.pop(name) for name in Turn.model_fields if name in changes}
    turns = turns or (make_work(**of_turn),)
    defaults: dict[str, Any] = {
        "source_key": turns[0].source_key,
        "turns": turns,
        "judgement": Judgement(outcome=outcome, because="the last check passed"),
        "digest": Digest(version=2, job=job),
    }
    return Episode(**{**defaults, **changes})
