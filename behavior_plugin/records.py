"""What stands in one record of the client's transcript: its text and time, the place, the result of a call."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from behavior_plugin import calls
from behavior_plugin.calls import LONGEST_ERROR, section, text
from behavior_plugin.model import Context, Event, Outcome

# Is told of each line that nothing could be made of: its number, from 1, and why.
Skip: TypeAlias = Callable[[int, str], object]
# When what happened before a log tells of any time is said to have happened.
START = datetime.fromtimestamp(0, tz=UTC)
# Text that an editor puts before the user's own.
_EDITOR = ("<ide_", "<system-reminder>")
_REJECTED = ("The user doesn't want to proceed with this tool use", "[Request interrupted by user")
_REFUSED = re.compile(r"</?tool_use_error>")


@dataclass(frozen=True)
class Result:
    """A call's result: the block in the message, what stands beside it, and when it came."""

    block: dict[str, Any]
    response: dict[str, Any]
    denial: Any
    at: datetime

    def told_of(self, call: Event) -> dict[str, Any]:
        """What is known of a call when its result is there."""
        parameters = call.action.parameters if call.action else {}
        ended = self._outcome(parameters)
        took = calls.milliseconds(self.response, "totalDurationMs")
        return {
            "files": calls.files(parameters, self.response, ended),
            "outcome": ended,
            "duration_ms": calls.between(call.at, self.at) if took is None else took,
            "started_agent": self._started_agent(call),
            "error": self._error(),
        }

    def _started_agent(self, call: Event) -> str | None:
        action = call.action
        return calls.started_agent(action.tool, self.response, agent=action.agent) if action else None

    def _outcome(self, parameters: dict[str, Any]) -> Outcome:
        """One that the user stopped, or did not let begin, neither worked nor failed."""
        if self.block.get("is_error") is not True:
            return calls.outcome(parameters, self.response)
        if self.denial == "user-rejected" or words(self.block.get("content")).startswith(_REJECTED):
            return Outcome.PARTIAL
        return Outcome.FAILED

    def _error(self) -> str | None:
        if self.block.get("is_error") is not True:
            return None
        return _REFUSED.sub("", words(self.block.get("content"))[:LONGEST_ERROR]) or None


def results(record: dict[str, Any], at: datetime) -> list[Result]:
    """The results that a record holds; what stands beside its message is told of one only."""
    found = [block for block in blocks(record) if block.get("type") == "tool_result"]
    response = section(record, "toolUseResult") if len(found) == 1 else {}
    return [Result(block, response, record.get("toolDenialKind"), at) for block in found]


def blocks(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a record's message, where it has parts."""
    return parts(section(record, "message").get("content"))


def parts(content: Any) -> list[dict[str, Any]]:
    """Those of a list that are objects; none where it is no list."""
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def words(content: Any) -> str:
    """The text of a message: its images, and what an editor adds, are left out."""
    if isinstance(content, str):
        return content
    texts = [block["text"] for block in parts(content) if isinstance(block.get("text"), str)]
    return "\n".join(text for text in texts if not text.startswith(_EDITOR))


def time_of(record: dict[str, Any]) -> datetime | None:
    return moment(record.get("timestamp"))


def moment(value: Any) -> datetime | None:
    """A time as agents write it: ISO 8601, or milliseconds since 1970. None for what is none."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, tz=UTC)
        time = datetime.fromisoformat(value[:40]) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def context_of(record: dict[str, Any]) -> Context:
    return _context(text(record, "cwd") or "", text(record, "gitBranch"))


@lru_cache(maxsize=100)
def _context(directory: str, branch: str | None) -> Context:
    """The client writes HEAD where no branch is checked out."""
    return Context(directory=directory, branch=None if branch == "HEAD" else branch)
