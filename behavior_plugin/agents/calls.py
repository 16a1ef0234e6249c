"""Read one tool call: bounded parameters, outcome, files touched.

Hook events and logs hold the same two objects, a tool's input and its response. They contain whole files, so every part
that is kept is bounded here.
"""

from __future__ import annotations

from typing import Any

from behavior_plugin.agents.fields import MAX_NAME_CHARS, MAX_TEXT_CHARS, cut_head, get_dict, get_id, get_str
from behavior_plugin.model import Outcome, can_start

# Characters of all parameters of one call.
MAX_PARAMETERS_CHARS = 30_000
# Entries of one list or object. Redaction keeps fewer, and counts the rest.
MAX_ENTRIES = 100
# Parameters nest two or three deep; anything deeper is hostile input.
MAX_DEPTH = 8

# Text written into a file, a form or a terminal says little about how the work was done, and often holds secrets.
_CONTENTS = frozenset(
    """
    content contents old_string new_string new_source edits file_text patch
    old_str new_str insert_text oldString newString patchText oldText newText ai_proposed_content new_content diff body
    chars data fact fields text value
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
_PATH_FIELDS = ("file_path", "notebook_path")
# The tools that start a subagent; the second is its name in older clients.
_STARTERS = ("Agent", "Task")


def bounded_parameters(tool_input: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a call, without the text that it writes or types."""
    bounded: dict[str, Any] = _bounded(tool_input)
    if _size(bounded) <= MAX_PARAMETERS_CHARS:
        return bounded
    return {key: cut_head(value, MAX_NAME_CHARS) for key, value in bounded.items() if isinstance(value, str)}


def call_outcome(tool_input: dict[str, Any], response: dict[str, Any]) -> Outcome:
    """The outcome of a call that the agent does not report as failed.

    A call that was moved to the background has not ended yet. A call that was started there succeeds by starting.
    """
    if response.get("isError") is True:
        return Outcome.FAILED
    was_moved = "backgroundTaskId" in response and tool_input.get("run_in_background") is not True
    if response.get("interrupted") is True or "timedOutAfterMs" in response or was_moved:
        return Outcome.PARTIAL
    return Outcome.SUCCESS


def touched_files(tool_input: dict[str, Any], response: dict[str, Any], ended: Outcome) -> tuple[str, ...]:
    """The files that a call touched: the one it names, if it succeeded, and those that the shell changed."""
    named = [get_str(tool_input, field) for field in _PATH_FIELDS] if ended is Outcome.SUCCESS else []
    changed = get_dict(response, "bashEditDiff").get("changedFiles")
    listed = changed[:500] if isinstance(changed, list) else []
    return tuple(file[:MAX_TEXT_CHARS] for file in [*named, *listed] if isinstance(file, str) and file)


def started_subagent(tool: str, response: dict[str, Any], *, actor: str) -> str | None:
    """The subagent that a call of `actor` started. Only tools that start subagents are believed."""
    started = get_id(response, "agentId")
    return started if tool in _STARTERS and started and can_start(actor, started) else None


def _bounded(value: Any, depth: int = 0) -> Any:
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, str):
        return value[:MAX_TEXT_CHARS]
    if isinstance(value, list):
        return [_bounded(item, depth + 1) for item in value[:MAX_ENTRIES]]
    if isinstance(value, dict):
        kept = [(key, item) for key, item in value.items() if key not in _CONTENTS][:MAX_ENTRIES]
        return {key[:MAX_NAME_CHARS]: _bounded(item, depth + 1) for key, item in kept}
    return value


def _size(value: Any) -> int:
    """Roughly how many characters a value takes."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_size, value)) + len(value)
    if isinstance(value, dict):
        return sum(len(key) + _size(item) for key, item in value.items())
    return 8
