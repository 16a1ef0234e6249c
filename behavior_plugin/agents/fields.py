"""What a tool's input and response tell of a call, and what a notification tells of its end.

The hooks' payloads and the client's transcript hold the same two objects. They hold whole files as well, so all that
is kept of them is bounded here. A field that is missing or of another type is absent, never an error; hosts change.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson

from behavior_plugin.model import MAIN, USER, Outcome

# What is kept of one text: more than redaction reads of its longest, a path, so that no secret is cut in two here.
LONGEST_TEXT = 6_000
# The same of an error, of which redaction keeps less.
LONGEST_ERROR = 2_000
LONGEST_NAME = 200
# A longer line of a log is passed over: the largest that a tool writes has a file of some megabytes twice.
LONGEST_LINE = 32_000_000
# Characters of all parameters of one call.
LONGEST_PARAMETERS = 30_000
# Entries of one list or object. Redaction keeps fewer, and counts the rest.
MOST_ENTRIES = 100
# Parameters nest two or three deep; what nests deeper is made to make us fall.
DEEPEST = 8
# No call lasts a year; longer ones overflow dates.
LONGEST_MS = 366 * 24 * 3_600_000

NOTIFICATION = "<task-notification>"

# What was written or typed, into a file, a form or a terminal, says little of how the work was done, and is where
# secrets lie.
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
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}")
_EXIT_CODE = re.compile(r"exit code (\d{1,10})")


@dataclass(frozen=True)
class Ending:
    """How a call that went on in the background ended, and how long it took if the client says so."""

    call: str
    outcome: Outcome
    duration_ms: int | None


def read_json(raw: bytes) -> Any:
    """The value a JSON text holds, in whatever encoding, with numbers that everybody can store.

    Raises:
        ValueError, RecursionError: it is no JSON, or nests too deep.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _read_leniently(raw)


def read_object(raw: bytes | str) -> dict[str, Any]:
    """The JSON object that a text holds; an empty one where it holds none."""
    try:
        value = read_json(raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_leniently(raw: bytes) -> Any:
    """What strict JSON refuses: other encodings, half characters, numbers without end."""
    # Bytes that are not the encoding they look like still hold an event worth keeping.
    text = raw.decode(json.detect_encoding(raw), errors="replace")
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=lambda _: None)


def text(fields: dict[str, Any], name: str, longest: int = LONGEST_TEXT) -> str | None:
    value = fields.get(name)
    return value[:longest] if isinstance(value, str) and value else None


def identifier(fields: dict[str, Any], name: str) -> str | None:
    """An id as it came; of one that is too long the beginning and a hash, so that two stay two."""
    value = fields.get(name)
    if not isinstance(value, str) or len(value) <= LONGEST_NAME:
        return value if isinstance(value, str) and value else None
    return value[:100] + hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def is_plain(name: str) -> bool:
    """Whether an id can be a part of a file's name, so that it leads nowhere else."""
    return _PLAIN.fullmatch(name) is not None


def section(fields: dict[str, Any], name: str) -> dict[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def milliseconds(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_MS:
        return None
    return int(value)


def between(start: datetime, end: datetime) -> int:
    """The milliseconds from one time to another, never less than none: clocks are set back."""
    return max(0, (end - start) // timedelta(milliseconds=1))


def parameters(tool_input: dict[str, Any]) -> dict[str, Any]:
    """What a call was asked to do, without what it was given to write or type."""
    bounded: dict[str, Any] = _bounded(tool_input)
    if _size(bounded) <= LONGEST_PARAMETERS:
        return bounded
    return {key: value[:LONGEST_NAME] for key, value in bounded.items() if isinstance(value, str)}


def outcome(tool_input: dict[str, Any], response: dict[str, Any]) -> Outcome:
    """How a call ended which the client does not call failed.

    What was moved to the background has not ended yet. What was started there was started, and that is its success.
    """
    if response.get("isError") is True:
        return Outcome.FAILED
    was_moved = "backgroundTaskId" in response and tool_input.get("run_in_background") is not True
    if response.get("interrupted") is True or "timedOutAfterMs" in response or was_moved:
        return Outcome.PARTIAL
    return Outcome.SUCCESS


def files(tool_input: dict[str, Any], response: dict[str, Any], ended: Outcome) -> tuple[str, ...]:
    """The files a call touched: the one it names, unless it came to nothing, and those the shell changed."""
    named = [text(tool_input, field) for field in _PATH_FIELDS] if ended is Outcome.SUCCESS else []
    changed = section(response, "bashEditDiff").get("changedFiles")
    listed = changed[:500] if isinstance(changed, list) else []
    return tuple(file[:LONGEST_TEXT] for file in [*named, *listed] if isinstance(file, str) and file)


def started_agent(tool: str, response: dict[str, Any], *, agent: str) -> str | None:
    """The subagent that a call of `agent` started; other tools may answer with whatever they like."""
    started = identifier(response, "agentId")
    return started if tool in _STARTERS and started and can_start(agent, started) else None


def can_start(agent: str, started: str) -> bool:
    """Nobody starts the main agent, the user or itself."""
    return started not in (MAIN, USER, agent)


def ending(notification: str) -> Ending | None:
    """What a notification says of the call it names; None where it names none.

    It quotes the command and the result, which anybody may have written: what is ours stands before them, or last.
    """
    head, _, _ = notification.partition("<result>")
    call = _within(head, "tool-use-id")
    if not notification.lstrip().startswith(NOTIFICATION) or not call:
        return None
    usage = notification[max(0, notification.rfind("<usage>")) :]
    took = _within(usage, "duration_ms")
    return Ending(
        call=call[:LONGEST_NAME],
        outcome=_ended(_within(head, "status"), _within(head, "summary")),
        duration_ms=milliseconds({"took": int(took)}, "took") if re.fullmatch(r"[0-9]{1,15}", took) else None,
    )


def _ended(status: str, summary: str) -> Outcome:
    codes = _EXIT_CODE.findall(summary)
    if status == "failed" or (codes and int(codes[-1])):
        return Outcome.FAILED
    return Outcome.SUCCESS if status == "completed" else Outcome.PARTIAL


def _within(text: str, tag: str) -> str:
    _, _, rest = text.partition(f"<{tag}>")
    inner, end, _ = rest.partition(f"</{tag}>")
    return inner.strip() if end else ""


def _number(digits: str) -> int | float | None:
    """JSON bounds no number; Python, Postgres and strict JSON do."""
    number = float(digits)
    if not math.isfinite(number):
        return None
    return int(digits) if digits.lstrip("-").isdigit() and len(digits) < 20 else number


def _bounded(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        return None
    if isinstance(value, str):
        return value[:LONGEST_TEXT]
    if isinstance(value, list):
        return [_bounded(item, depth + 1) for item in value[:MOST_ENTRIES]]
    if isinstance(value, dict):
        kept = [(key, item) for key, item in value.items() if key not in _CONTENTS][:MOST_ENTRIES]
        return {key[:LONGEST_NAME]: _bounded(item, depth + 1) for key, item in kept}
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
