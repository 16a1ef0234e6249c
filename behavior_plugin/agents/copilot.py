"""Copilot CLI: a log of events for each session, in which its subagents' events stand as well.

`session-state/<session>/events.jsonl`, in older versions `session-state/<session>.jsonl`. What the first versions left
in `history-session-state` is not read. A call is a success for Copilot if it ran; how a shell command ended is the last
line of what it printed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from behavior_plugin.agents import session_log
from behavior_plugin.agents.fields import LONGEST_NAME, identifier, section, text
from behavior_plugin.agents.log_file import HEAD_BYTES, Reading, first_record
from behavior_plugin.agents.records import START, moment
from behavior_plugin.agents.session_log import Session
from behavior_plugin.agents.tools import LONGEST_PATCH, arguments, in_our_words, patch_in_our_words
from behavior_plugin.model import MAIN, USER, Context, Event, Outcome

NAME, TITLE = "copilot-cli", "Copilot CLI"

_FILE = {"path": "file_path"}
_TOOLS = {
    "bash": ("Bash", {}),
    "view": ("Read", _FILE),
    "create": ("Write", _FILE),
    "edit": ("Edit", _FILE),
    "grep": ("Grep", {}),
    "rg": ("Grep", {}),
    "glob": ("Glob", {}),
    "web_fetch": ("WebFetch", {}),
    "write_bash": ("write_stdin", {"input": "chars"}),
    "task": ("Agent", {}),
}
_STARTER = "task"
# Of what kinds the other events are; none of them holds anything for us.
_OTHERS = frozenset(
    """
    abort assistant auto_mode auto_mode_switch background_tasks binary canvas capabilities command commands
    custom_notification elicitation exit_plan_mode extensions external_tool factory fusion hook managed_settings mcp
    mcp_app model pending_messages permission sampling schedule session skill subagent system tool tools ui user_input
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# Its last line is needed, in characters.
LONGEST_PRINTED = 1_000_000
_EXIT_CODE = re.compile(r"exit code (\d{1,10})>\s{0,9}$")


def folders() -> list[Path]:
    return [Path(os.environ.get("COPILOT_HOME") or Path.home() / ".copilot") / "session-state"]


def is_log(file: Path, head: bytes) -> bool:
    first = first_record(head)
    is_start = first.get("type") == "session.start" and bool(text(section(first, "data"), "sessionId"))
    return file.suffix == ".jsonl" and is_start


def read(file: Path, reading: Reading) -> Iterator[list[Event]]:
    header = section(first_record(reading.head(file, HEAD_BYTES)), "data")
    reader = _Reader(identifier(header, "sessionId") or file.stem)
    yield from session_log.read(reading.records(file), reader.session, reader.take, partial(reading.skip, file))


class _Reader:
    def __init__(self, session_id: str) -> None:
        self.session = Session(NAME, session_id)
        self._at = START
        # Whether the agent's last message asks for no more calls.
        self._has_answered = False
        # By the id of a subagent: the call that started it, which is what it is called in older versions.
        self._started_by: dict[str, str] = {}
        self._patched: dict[str, tuple[str, ...]] = {}
        self._users_own: set[str] = set()

    def take(self, record: dict[str, Any]) -> str | None:
        kind, data = str(record.get("type")), section(record, "data")
        self._at = moment(record.get("timestamp")) or self._at
        agent = self._agent(record, data)
        if kind == "tool.execution_start":
            return self._call(data, agent)
        if kind == "tool.execution_complete":
            self._result(data)
        elif kind == "tool.user_requested":
            self._users_own.add(identifier(data, "toolCallId") or "")
        elif kind == "subagent.started":
            self._started_by[identifier(record, "agentId") or ""] = identifier(data, "toolCallId") or ""
        elif agent == MAIN:
            return self._main(kind, data, record)
        return None

    def _agent(self, record: dict[str, Any], data: dict[str, Any]) -> str:
        """A subagent is called what its call is."""
        agent = identifier(record, "agentId") or ""
        return self._started_by.get(agent) or identifier(data, "parentToolCallId") or agent or MAIN

    def _main(self, kind: str, data: dict[str, Any], record: dict[str, Any]) -> str | None:
        if kind == "user.message":
            self._prompt(data, record)
        elif kind == "assistant.message":
            self._has_answered = not data.get("toolRequests")
        elif kind == "assistant.turn_end" and self._has_answered:
            self.session.end_turn(self._at)
        elif kind in ("session.start", "session.resume"):
            self._place(section(data, "context"))
        elif kind == "session.context_changed":
            self._place(data)
        elif kind.partition(".")[0] not in _OTHERS:
            return f"the record's type is unknown ({kind[:40]})"
        if kind in ("abort", "session.error", "session.resume", "session.shutdown"):
            self.session.break_off()
        return None

    def _place(self, context: dict[str, Any]) -> None:
        self.session.context = Context(directory=text(context, "cwd") or "", branch=text(context, "branch"))

    def _prompt(self, data: dict[str, Any], record: dict[str, Any]) -> None:
        """Skills, schedules and the autopilot also speak as the user, and say so."""
        if data.get("source") not in (None, "user") or data.get("isAutopilotContinuation") is True:
            return
        said = text(data, "content") or ""
        if data.get("delivery", "steering") == "steering" and self.session.is_working:
            self.session.steering(said, self._at)
        else:
            self.session.prompt(said, self._at, prompt_id=identifier(record, "id"))

    def _call(self, data: dict[str, Any], agent: str) -> str | None:
        name = identifier(data, "toolCallId")
        if not name:
            return "a call has no id"
        tool, parameters = self._in_our_words(name, data)
        self.session.call(
            name,
            tool,
            parameters,
            self._at,
            agent=USER if name in self._users_own else agent,
            started_agent=name if data.get("toolName") == _STARTER else None,
        )
        return None

    def _in_our_words(self, name: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        tool, given = text(data, "toolName", LONGEST_NAME) or "", data.get("arguments")
        if tool == "apply_patch":
            patch = given if isinstance(given, str) else text(section(data, "arguments"), "patch", LONGEST_PATCH)
            edit, parameters, self._patched[name] = patch_in_our_words((patch or "")[:LONGEST_PATCH])
            return edit, parameters
        server, own_name = text(data, "mcpServerName"), text(data, "mcpToolName")
        return in_our_words(f"mcp__{server}__{own_name}" if server and own_name else tool, arguments(given), _TOOLS)

    def _result(self, data: dict[str, Any]) -> None:
        name = identifier(data, "toolCallId") or ""
        said = text(section(data, "result"), "content", LONGEST_PRINTED) or ""
        code = _EXIT_CODE.search(said[-100:])
        outcome, error = Outcome.SUCCESS, None
        if data.get("success") is not True:
            problem = section(data, "error")
            was_rejected = problem.get("code") == "rejected"
            outcome, error = Outcome.PARTIAL if was_rejected else Outcome.FAILED, text(problem, "message")
        elif code and int(code[1]):
            outcome, error = Outcome.FAILED, said
        files = self._patched.pop(name, ()) if outcome is Outcome.SUCCESS else ()
        self.session.result(name, self._at, outcome, error=error, files=files)
