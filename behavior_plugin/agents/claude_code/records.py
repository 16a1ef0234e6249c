"""What stands in one record of Claude Code's transcript: its text and time, the place, the result of a call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from behavior_plugin.agents import fields, records
from behavior_plugin.agents.fields import LONGEST_ERROR, section, text
from behavior_plugin.model import Context, Event, Outcome

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
        took = fields.milliseconds(self.response, "totalDurationMs")
        return {
            "files": fields.files(parameters, self.response, ended),
            "outcome": ended,
            "duration_ms": fields.between(call.at, self.at) if took is None else took,
            "started_agent": self._started_agent(call),
            "error": self._error(),
        }

    def _started_agent(self, call: Event) -> str | None:
        action = call.action
        return fields.started_agent(action.tool, self.response, agent=action.agent) if action else None

    def _outcome(self, parameters: dict[str, Any]) -> Outcome:
        """One that the user stopped, or did not let begin, neither worked nor failed."""
        if self.block.get("is_error") is not True:
            return fields.outcome(parameters, self.response)
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
    return records.parts(section(record, "message").get("content"))


def words(content: Any) -> str:
    """The text of a message, without what an editor adds."""
    return records.words(content, besides=_EDITOR)


def time_of(record: dict[str, Any]) -> datetime | None:
    return records.moment(record.get("timestamp"))


def context_of(record: dict[str, Any]) -> Context:
    return _context(text(record, "cwd") or "", text(record, "gitBranch"))


@lru_cache(maxsize=100)
def _context(directory: str, branch: str | None) -> Context:
    """The client writes HEAD where no branch is checked out."""
    return Context(directory=directory, branch=None if branch == "HEAD" else branch)
