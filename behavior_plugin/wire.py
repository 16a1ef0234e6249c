"""Understand what the host sent: a spool record becomes an Event. The only place that knows the payloads' fields.

Tolerant on purpose: a field that is missing or of another type is absent, never an error; hosts change.
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

from behavior_plugin.model import Action, Context, Event, EventKind, Outcome

# What a payload may hold of one text. Redaction cuts much shorter; this only keeps whole files out of memory.
LONGEST_TEXT = 20_000
# Parameters nest two or three deep; what nests deeper is made to make us fall.
DEEPEST = 8

_KINDS = {
    "SessionStart": EventKind.SESSION_START,
    "UserPromptSubmit": EventKind.PROMPT,
    "PostToolUse": EventKind.ACTION,
    "PostToolUseFailure": EventKind.ACTION,
    "Stop": EventKind.TURN_END,
    "SessionEnd": EventKind.SESSION_END,
}

# File contents say what was written, not how the work was done, and are where secrets lie.
_CONTENTS = frozenset({"content", "contents", "old_string", "new_string", "new_source", "edits", "file_text", "patch"})
_PATH_FIELDS = ("file_path", "notebook_path", "path")


class UnreadableError(ValueError):
    """A record that no event can be made of; the text says why."""


def parse(envelope: dict[str, Any], payload: bytes) -> Event:
    """Make an event of a record.

    Raises:
        UnreadableError: the payload is no JSON object, or does not say which session it belongs to.
    """
    fields = _fields(envelope, payload)
    session_id = _text(fields, "session_id")
    if not session_id:
        raise UnreadableError("the payload names no session")
    name = str(envelope.get("event"))
    kind = _KINDS.get(name, EventKind.OTHER)
    at = _time(envelope)
    return Event(
        kind=kind,
        name=name,
        session_id=session_id[:200],
        machine=str(envelope.get("machine") or ""),
        at=at,
        order=int(envelope.get("monotonic_ns") or 0),
        host_pid=envelope.get("host_pid"),
        transcript=_text(fields, "transcript_path"),
        reason=_text(fields, "source") or _text(fields, "reason"),
        context=_context(envelope, fields),
        prompt=_text(fields, "prompt") if kind is EventKind.PROMPT else None,
        prompt_id=_text(fields, "prompt_id"),
        action=_action(name, fields, at) if kind is EventKind.ACTION else None,
        files=_files(fields) if kind is EventKind.ACTION else (),
    )


def _fields(envelope: dict[str, Any], payload: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(_decode(payload), parse_int=_number, parse_float=_number, parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        reason = "is longer than what a hook keeps" if envelope.get("is_cut") else "is not JSON"
        raise UnreadableError(f"the payload {reason} ({type(error).__name__})") from None
    if not isinstance(fields, dict):
        raise UnreadableError("the payload is JSON, but no object")
    return fields


def _decode(payload: bytes) -> str:
    """Bytes that are not the encoding they look like still hold an event worth keeping."""
    return payload.decode(json.detect_encoding(payload), errors="replace")


def _number(digits: str) -> int | float | None:
    """JSON bounds no number; Python, Postgres and strict JSON do."""
    number = float(digits)
    if not math.isfinite(number):
        return None
    return int(digits) if digits.lstrip("-").isdigit() and len(digits) < 20 else number


def _time(envelope: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(envelope.get("time_ns") or 0) / 1e9, tz=UTC)


def _context(envelope: dict[str, Any], fields: dict[str, Any]) -> Context:
    """What the hook saw of the directory; a tool's event only has the payload's own word for it."""
    directory = _text(envelope, "directory") or _text(fields, "cwd") or ""
    return Context(
        directory=directory,
        root=_text(envelope, "root") or directory,
        project=_text(envelope, "project") or directory,
        project_type=_text(envelope, "project_type"),
        branch=_text(envelope, "branch"),
        commit=_text(envelope, "commit"),
    )


def _action(name: str, fields: dict[str, Any], at: datetime) -> Action:
    return Action(
        id=_text(fields, "tool_use_id"),
        tool=_text(fields, "tool_name") or "unknown",
        parameters=_parameters(_object(fields, "tool_input")),
        outcome=_outcome(name, fields),
        timestamp=at,
        duration_ms=_duration(fields),
        agent=_text(fields, "agent_id") or "main",
        error=_text(fields, "error"),
    )


def _outcome(name: str, fields: dict[str, Any]) -> Outcome:
    response = _object(fields, "tool_response")
    if fields.get("is_interrupt") is True or response.get("interrupted") is True or "timedOutAfterMs" in response:
        return Outcome.PARTIAL
    return Outcome.FAILED if name == "PostToolUseFailure" else Outcome.SUCCESS


def _duration(fields: dict[str, Any]) -> int | None:
    duration = fields.get("duration_ms")
    if isinstance(duration, bool) or not isinstance(duration, int | float) or duration < 0:
        return None
    return int(min(duration, 2**53))


def _parameters(tool_input: dict[str, Any]) -> dict[str, Any]:
    return {key: _bounded(value) for key, value in tool_input.items() if key not in _CONTENTS}


def _bounded(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        return None
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, list):
        return [_bounded(item, depth + 1) for item in value[:100]]
    if isinstance(value, dict):
        return {key: _bounded(item, depth + 1) for key, item in list(value.items())[:100] if key not in _CONTENTS}
    return value


def _files(fields: dict[str, Any]) -> tuple[str, ...]:
    """The files a call names: those in its input, and those the shell is said to have changed."""
    tool_input = _object(fields, "tool_input")
    named = [_text(tool_input, field) for field in _PATH_FIELDS]
    diff = _object(_object(fields, "tool_response"), "bashEditDiff")
    changed = diff.get("changedFiles")
    listed = changed[:500] if isinstance(changed, list) else []
    return tuple(file for file in [*named, *listed] if isinstance(file, str) and file)


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value[:LONGEST_TEXT] if isinstance(value, str) and value else None


def _object(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}
