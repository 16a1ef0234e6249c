"""Read one record of Claude Code's transcript: its text and time, the directory, the result of a call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from behavior_plugin.agents.calls import call_outcome, started_subagent, touched_files
from behavior_plugin.agents.fields import (
    MAX_ERROR_CHARS,
    get_dict,
    get_ms,
    get_str,
    message_text,
    objects_in,
    parse_time,
)
from behavior_plugin.agents.verdict import SHELLS, call_verdict
from behavior_plugin.model import Action, Context, Event, Outcome, Verdict, elapsed_ms

# Text that an editor puts before the user's own.
_EDITOR = ("<ide_", "<system-reminder>")
_REJECTED = ("The user doesn't want to proceed with this tool use", "[Request interrupted by user")
_REFUSED = re.compile(r"</?tool_use_error>")


@dataclass(frozen=True)
class Result:
    """The result of a call: the block in the message, the response beside the message, and its time."""

    block: dict[str, Any]
    response: dict[str, Any]
    denial: Any
    at: datetime

    def call_fields(self, call: Event) -> dict[str, Any]:
        """The fields of a call that its result completes."""
        parameters = call.action.parameters if call.action else {}
        ended = self._outcome(parameters)
        duration = get_ms(self.response, "totalDurationMs")
        return {
            "files": touched_files(parameters, self.response, ended),
            "outcome": ended,
            "duration_ms": elapsed_ms(call.at, self.at) if duration is None else duration,
            "started_agent": self._started_agent(call),
            "error": self._error(),
            "verdict": self._verdict(call.action) if call.action else None,
        }

    def _started_agent(self, call: Event) -> str | None:
        action = call.action
        return started_subagent(action.tool, self.response, actor=action.actor) if action else None

    def _outcome(self, parameters: dict[str, Any]) -> Outcome:
        """A call that the user stopped, or did not allow, neither worked nor failed."""
        if self.block.get("is_error") is not True:
            return call_outcome(parameters, self.response)
        if self.denial == "user-rejected" or text_of(self.block.get("content")).startswith(_REJECTED):
            return Outcome.PARTIAL
        return Outcome.FAILED

    def _error(self) -> str | None:
        if self.block.get("is_error") is not True:
            return None
        return _REFUSED.sub("", text_of(self.block.get("content"))[:MAX_ERROR_CHARS]) or None

    def _verdict(self, action: Action) -> Verdict | None:
        """The client shortens a long output in the message, and a failed call has no other."""
        if action.tool not in SHELLS:
            return None
        text = text_of(self.block.get("content"))
        if text.startswith("<tool_use_error>"):
            return None
        stdout, stderr = self.response.get("stdout"), self.response.get("stderr")
        is_whole = isinstance(stdout, str) and isinstance(stderr, str) and len(stdout) + len(stderr) >= len(text)
        outputs = (stdout, stderr) if is_whole else (text,)
        return call_verdict(action.tool, action.parameters, *outputs)


def results(record: dict[str, Any], at: datetime) -> list[Result]:
    """The results in a record; the response beside its message belongs to a single one."""
    found = [block for block in blocks(record) if block.get("type") == "tool_result"]
    response = get_dict(record, "toolUseResult") if len(found) == 1 else {}
    return [Result(block, response, record.get("toolDenialKind"), at) for block in found]


def blocks(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The parts of a record's message, where it has parts."""
    return objects_in(get_dict(record, "message").get("content"))


def words_in(block: dict[str, Any], record: dict[str, Any]) -> str | None:
    """The model's text in a part of its message; the client puts errors of the service in its place."""
    is_models = block.get("type") == "text" and get_dict(record, "message").get("model") != "<synthetic>"
    return get_str(block, "text") if is_models else None


def text_of(content: Any) -> str:
    """The text of a message, without the text that an editor adds."""
    return message_text(content, besides=_EDITOR)


def time_of(record: dict[str, Any]) -> datetime | None:
    return parse_time(record.get("timestamp"))


def context_of(record: dict[str, Any]) -> Context:
    return _context(get_str(record, "cwd") or "", get_str(record, "gitBranch"))


@lru_cache(maxsize=100)
def _context(directory: str, branch: str | None) -> Context:
    """The client writes HEAD where no branch is checked out."""
    return Context(directory=directory, branch=None if branch == "HEAD" else branch)
