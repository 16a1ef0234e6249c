"""Read a record that a hook saved: its envelope and the agent's payload become an Event.

The fields that other agents share with Claude Code are read here; each agent's module reads its differences.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict

from behavior_plugin.agents.agent import EventFields, Hooks
from behavior_plugin.agents.calls import bounded_parameters, call_outcome, started_subagent, touched_files
from behavior_plugin.agents.closing import read_closing
from behavior_plugin.agents.fields import (
    MAX_ERROR_CHARS,
    MAX_NAME_CHARS,
    get_dict,
    get_id,
    get_ms,
    get_str,
    parse_json,
)
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.agents.verdict import call_verdict
from behavior_plugin.model import CLAUDE_CODE, MAIN, Action, Context, DurationSource, Event, EventKind, Outcome

# By the name that the registered command gives its event.
_KINDS = {
    "SessionStart": EventKind.SESSION_START,
    "UserPromptSubmit": EventKind.PROMPT,
    "PostToolUse": EventKind.ACTION,
    "PostToolUseFailure": EventKind.ACTION,
    "Stop": EventKind.TURN_END,
    "SessionEnd": EventKind.SESSION_END,
}


class UnreadableError(ValueError):
    """A record without an event in it; the message says why."""


class EventHeader(BaseModel):
    """The fields of an event that say which session it belongs to, and whether that begins or ends; see `Event`.

    `kind` is as the hook's name has it: the agent's own module may know better once it reads the whole payload.
    """

    model_config = ConfigDict(frozen=True)

    kind: EventKind
    name: str
    session_id: str
    machine: str
    at: AwareDatetime
    order: int
    agent: str = CLAUDE_CODE
    agent_pid: int | None = None
    pid_space: int | None = None
    boot: str | None = None
    transcript: str | None = None
    reason: str | None = None
    prompt_id: str | None = None


def agent_name(envelope: dict[str, Any]) -> str:
    """The agent whose hook saved a record; Claude Code's hooks name none."""
    return get_str(envelope, "client", MAX_NAME_CHARS) or CLAUDE_CODE


def read_header(envelope: dict[str, Any], payload: bytes) -> EventHeader:
    """The header of a record's event: enough to file it, at a fraction of the cost of the whole event.

    Raises:
        UnreadableError: the payload is not a JSON object, or names no session.
    """
    return _header(envelope, _parse(envelope, payload))


def read_event(envelope: dict[str, Any], payload: bytes, hooks: Hooks | None) -> Event:
    """The event of a record; `hooks` are those of its agent, None if the agent is unknown.

    Raises:
        UnreadableError: the payload is not a JSON object, or names no session.
    """
    fields = _parse(envelope, payload)
    header = _header(envelope, fields)
    common: EventFields = {**dict(header), "context": _context(envelope, fields)}
    return Event(**{**common, **_of_kind(header.kind, header.name, fields, header.at, hooks)})


def read_input(fields: dict[str, Any]) -> EventFields:
    """The prompt in a payload; none where an agent gives its subagent a task, which Codex reports like a prompt."""
    if get_id(fields, "agent_id"):
        return {"kind": EventKind.OTHER}
    prompt = fields.get("prompt")
    return dict(read_prompt(prompt)) if isinstance(prompt, str) and prompt else {}


def read_call(name: str, fields: dict[str, Any], at: datetime) -> EventFields:
    """The call in a payload, and the files that it touched."""
    duration = get_ms(fields, "duration_ms")
    tool = get_str(fields, "tool_name", MAX_NAME_CHARS) or "unknown"
    actor = get_id(fields, "agent_id") or MAIN
    given, response = get_dict(fields, "tool_input"), get_dict(fields, "tool_response")
    action = Action(
        id=get_id(fields, "tool_use_id"),
        tool=tool,
        parameters=bounded_parameters(given),
        outcome=_outcome(name, fields),
        timestamp=at - timedelta(milliseconds=duration or 0),
        duration_ms=duration,
        duration_source=None if duration is None else DurationSource.AGENT,
        actor=actor,
        started_agent=started_subagent(tool, response, actor=actor),
        error=get_str(fields, "error", MAX_ERROR_CHARS),
        verdict=call_verdict(tool, given, response.get("stdout"), response.get("stderr"), fields.get("error")),
    )
    return {"action": action, "files": touched_files(given, response, action.outcome)}


def _header(envelope: dict[str, Any], fields: dict[str, Any]) -> EventHeader:
    session_id = get_id(fields, "session_id")
    if not session_id:
        raise UnreadableError("the payload names no session")
    name = str(envelope.get("event"))
    return EventHeader(
        kind=_KINDS.get(name, EventKind.OTHER),
        name=name,
        session_id=session_id,
        machine=str(envelope.get("machine") or ""),
        at=datetime.fromtimestamp(int(envelope.get("time_ns") or 0) / 1e9, tz=UTC),
        order=int(envelope.get("monotonic_ns") or 0),
        agent=agent_name(envelope),
        agent_pid=envelope.get("host_pid"),
        pid_space=envelope.get("pid_space"),
        boot=get_str(envelope, "boot", MAX_NAME_CHARS),
        transcript=get_str(fields, "transcript_path"),
        reason=get_str(fields, "source", MAX_NAME_CHARS) or get_str(fields, "reason", MAX_NAME_CHARS),
        prompt_id=get_id(fields, "prompt_id") or get_id(fields, "turn_id"),
    )


def _of_kind(kind: EventKind, name: str, fields: dict[str, Any], at: datetime, hooks: Hooks | None) -> EventFields:
    if kind is EventKind.PROMPT:
        return hooks.read_input(fields) if hooks else read_input(fields)
    if kind is EventKind.ACTION:
        return hooks.read_call(name, fields, at) if hooks else _unknown_call(name, fields, at)
    if kind is EventKind.TURN_END:
        return {"closing": read_closing(get_str(fields, "last_assistant_message") or "")}
    return {}


def _unknown_call(name: str, fields: dict[str, Any], at: datetime) -> EventFields:
    """A call of an unknown agent, which may not report failures: a success counts as partial."""
    action: Action = read_call(name, fields, at)["action"]
    if action.outcome is Outcome.SUCCESS:
        action = action.model_copy(update={"outcome": Outcome.PARTIAL})
    return {"action": action, "is_provisional": True}


def _parse(envelope: dict[str, Any], payload: bytes) -> dict[str, Any]:
    try:
        fields = parse_json(payload)
    except (ValueError, RecursionError) as error:
        reason = "is longer than the limit of a hook" if envelope.get("is_cut") else "is not JSON"
        raise UnreadableError(f"the payload {reason} ({type(error).__name__})") from None
    if not isinstance(fields, dict):
        raise UnreadableError("the payload is JSON, but no object")
    return fields


def _context(envelope: dict[str, Any], fields: dict[str, Any]) -> Context:
    """The context that the hook noted; tool events only have the directory in their payload."""
    directory = get_str(envelope, "directory") or get_str(fields, "cwd") or ""
    return Context(
        directory=directory,
        root=get_str(envelope, "root") or directory,
        project=get_str(envelope, "project") or directory,
        project_type=get_str(envelope, "project_type"),
        branch=get_str(envelope, "branch"),
        commit=get_str(envelope, "commit"),
    )


def _outcome(name: str, fields: dict[str, Any]) -> Outcome:
    if fields.get("is_interrupt") is True:
        return Outcome.PARTIAL
    if name == "PostToolUseFailure":
        return Outcome.FAILED
    return call_outcome(get_dict(fields, "tool_input"), get_dict(fields, "tool_response"))
