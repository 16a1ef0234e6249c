"""Understand what the host sent: a spool record becomes an Event. The only place that knows the payloads' fields.

Tolerant on purpose: a field that is missing or of another type is absent, never an error; hosts change.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from behavior_plugin.agents import fields as calls
from behavior_plugin.agents.codex import tools
from behavior_plugin.agents.fields import LONGEST_ERROR, LONGEST_NAME, identifier, section, text
from behavior_plugin.agents.prompts import as_typed
from behavior_plugin.model import (
    CLAUDE_CODE,
    CODEX,
    MAIN,
    Action,
    Context,
    DurationSource,
    Event,
    EventKind,
    Outcome,
    reports_of,
)

_KINDS = {
    "SessionStart": EventKind.SESSION_START,
    "UserPromptSubmit": EventKind.PROMPT,
    "PostToolUse": EventKind.ACTION,
    "PostToolUseFailure": EventKind.ACTION,
    "Stop": EventKind.TURN_END,
    "SessionEnd": EventKind.SESSION_END,
}


class UnreadableError(ValueError):
    """A record that no event can be made of; the text says why."""


def parse(envelope: dict[str, Any], payload: bytes) -> Event:
    """Make an event of a record.

    Raises:
        UnreadableError: the payload is no JSON object, or does not say which session it belongs to.
    """
    fields = _fields(envelope, payload)
    session_id = identifier(fields, "session_id")
    if not session_id:
        raise UnreadableError("the payload names no session")
    name = str(envelope.get("event"))
    client = text(envelope, "client", LONGEST_NAME) or CLAUDE_CODE
    kind = _kind(name, fields)
    at = _time(envelope)
    called = _called(name, fields, at, client) if kind is EventKind.ACTION else None
    action, files = called or (None, ())
    return Event(
        kind=kind,
        name=name,
        session_id=session_id,
        machine=str(envelope.get("machine") or ""),
        at=at,
        order=int(envelope.get("monotonic_ns") or 0),
        client=client,
        host_pid=envelope.get("host_pid"),
        pid_space=envelope.get("pid_space"),
        transcript=text(fields, "transcript_path"),
        reason=text(fields, "source", LONGEST_NAME) or text(fields, "reason", LONGEST_NAME),
        context=_context(envelope, fields),
        prompt=_prompt(fields) if kind is EventKind.PROMPT else None,
        prompt_id=identifier(fields, "prompt_id") or identifier(fields, "turn_id"),
        action=action,
        files=files,
    )


def _kind(name: str, fields: dict[str, Any]) -> EventKind:
    """What a subagent is told comes from another agent: Codex reports it as it reports what a person says."""
    kind = _KINDS.get(name, EventKind.OTHER)
    return EventKind.OTHER if kind is EventKind.PROMPT and identifier(fields, "agent_id") else kind


def _fields(envelope: dict[str, Any], payload: bytes) -> dict[str, Any]:
    try:
        fields = calls.read_json(payload)
    except (ValueError, RecursionError) as error:
        reason = "is longer than what a hook keeps" if envelope.get("is_cut") else "is not JSON"
        raise UnreadableError(f"the payload {reason} ({type(error).__name__})") from None
    if not isinstance(fields, dict):
        raise UnreadableError("the payload is JSON, but no object")
    return fields


def _time(envelope: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(envelope.get("time_ns") or 0) / 1e9, tz=UTC)


def _context(envelope: dict[str, Any], fields: dict[str, Any]) -> Context:
    """What the hook saw of the directory; a tool's event only has the payload's own word for it."""
    directory = text(envelope, "directory") or text(fields, "cwd") or ""
    return Context(
        directory=directory,
        root=text(envelope, "root") or directory,
        project=text(envelope, "project") or directory,
        project_type=text(envelope, "project_type"),
        branch=text(envelope, "branch"),
        commit=text(envelope, "commit"),
    )


def _prompt(fields: dict[str, Any]) -> str | None:
    prompt = fields.get("prompt")
    return as_typed(prompt) if isinstance(prompt, str) and prompt else None


def _called(name: str, fields: dict[str, Any], at: datetime, client: str) -> tuple[Action, tuple[str, ...]]:
    """The call, and the files that it touched."""
    action = _action(name, fields, at)
    if client == CODEX:
        return _as_codex_calls(action, fields)
    if action.outcome is Outcome.SUCCESS and not reports_of(client).tells_ends:
        action = action.model_copy(update={"outcome": Outcome.PARTIAL})
    return action, _files(fields, action.outcome)


def _as_codex_calls(action: Action, fields: dict[str, Any]) -> tuple[Action, tuple[str, ...]]:
    """Codex tells no hook how a command ended; its rollout does. Until then nothing is claimed."""
    directory = text(fields, "cwd") or ""
    asked = tools.asked(action.tool, section(fields, "tool_input"), directory=directory)
    answer = tools.answered(fields.get("tool_response"))
    ended = Outcome.PARTIAL if answer.exit_code is None else answer.outcome
    told = {"tool": asked.tool, "parameters": calls.parameters(asked.parameters), "outcome": ended}
    return action.model_copy(update=told), asked.files if ended is Outcome.SUCCESS else ()


def _action(name: str, fields: dict[str, Any], at: datetime) -> Action:
    duration = calls.milliseconds(fields, "duration_ms")
    tool = text(fields, "tool_name", LONGEST_NAME) or "unknown"
    agent = identifier(fields, "agent_id") or MAIN
    return Action(
        id=identifier(fields, "tool_use_id"),
        tool=tool,
        parameters=calls.parameters(section(fields, "tool_input")),
        outcome=_outcome(name, fields),
        timestamp=at - timedelta(milliseconds=duration or 0),
        duration_ms=duration,
        duration_source=None if duration is None else DurationSource.HOST,
        agent=agent,
        started_agent=calls.started_agent(tool, section(fields, "tool_response"), agent=agent),
        error=text(fields, "error", LONGEST_ERROR),
    )


def _outcome(name: str, fields: dict[str, Any]) -> Outcome:
    if fields.get("is_interrupt") is True:
        return Outcome.PARTIAL
    if name == "PostToolUseFailure":
        return Outcome.FAILED
    return calls.outcome(section(fields, "tool_input"), section(fields, "tool_response"))


def _files(fields: dict[str, Any], ended: Outcome) -> tuple[str, ...]:
    return calls.files(section(fields, "tool_input"), section(fields, "tool_response"), ended)
