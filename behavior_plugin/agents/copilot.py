"""Copilot CLI: a log of events for each session, with the events of its subagents.

`session-state/<session>/events.jsonl`, in older versions `session-state/<session>.jsonl`. The logs of the first
versions, in `history-session-state`, are not read. For Copilot a call succeeds if it ran; the exit code of a shell
command is in the last line of its output.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from behavior_plugin.agents.agent import Agent, Logs
from behavior_plugin.agents.fields import MAX_NAME_CHARS, START, get_dict, get_id, get_str, parse_time
from behavior_plugin.agents.log_file import HEAD_BYTES, LogReader, first_record
from behavior_plugin.agents.session_log import SessionLog, read_session
from behavior_plugin.agents.tools import MAX_PATCH_CHARS, arguments, normalize_patch, normalize_tool
from behavior_plugin.model import MAIN, USER, Context, Event, Outcome

NAME = "copilot-cli"

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
# The first words of event types without anything to learn.
_OTHERS = frozenset(
    """
    abort assistant auto_mode auto_mode_switch background_tasks binary canvas capabilities command commands
    custom_notification elicitation exit_plan_mode extensions external_tool factory fusion hook managed_settings mcp
    mcp_app model pending_messages permission sampling schedule session skill subagent system tool tools ui user_input
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# An output, of which the last line is needed.
MAX_OUTPUT_CHARS = 1_000_000
_EXIT_CODE = re.compile(r"exit code (\d{1,10})>\s{0,9}$")


def _folders() -> list[Path]:
    return [Path(os.environ.get("COPILOT_HOME") or Path.home() / ".copilot") / "session-state"]


def _is_log(file: Path, head: bytes) -> bool:
    first = first_record(head)
    is_start = first.get("type") == "session.start" and bool(get_str(get_dict(first, "data"), "sessionId"))
    return file.suffix == ".jsonl" and is_start


def _read(file: Path, reader: LogReader) -> Iterator[list[Event]]:
    header = get_dict(first_record(reader.head(file, HEAD_BYTES)), "data")
    parser = _Parser(get_id(header, "sessionId") or file.stem)
    yield from read_session(reader.records(file), parser.session, parser.take, partial(reader.skip, file))


class _Parser:
    def __init__(self, session_id: str) -> None:
        self.session = SessionLog(NAME, session_id)
        self._at = START
        # Whether the agent's last message makes no calls.
        self._has_answered = False
        self._message = ""
        # By the id of a subagent: the call that started it. Older versions use the call's id for both.
        self._started_by: dict[str, str] = {}
        self._patched: dict[str, tuple[str, ...]] = {}
        self._users_own: set[str] = set()

    def take(self, record: dict[str, Any]) -> str | None:
        kind, data = str(record.get("type")), get_dict(record, "data")
        self._at = parse_time(record.get("timestamp")) or self._at
        actor = self._actor(record, data)
        if kind == "tool.execution_start":
            return self._call(data, actor)
        if kind == "tool.execution_complete":
            self._result(data)
        elif kind == "tool.user_requested":
            self._users_own.add(get_id(data, "toolCallId") or "")
        elif kind == "subagent.started":
            self._started_by[get_id(record, "agentId") or ""] = get_id(data, "toolCallId") or ""
        elif actor == MAIN:
            return self._main(kind, data, record)
        return None

    def _actor(self, record: dict[str, Any], data: dict[str, Any]) -> str:
        """The main agent, or a subagent by the id of the call that started it."""
        agent = get_id(record, "agentId") or ""
        return self._started_by.get(agent) or get_id(data, "parentToolCallId") or agent or MAIN

    def _main(self, kind: str, data: dict[str, Any], record: dict[str, Any]) -> str | None:
        if kind == "user.message":
            self._prompt(data, record)
        elif kind == "assistant.message":
            self._has_answered = not data.get("toolRequests")
            self._message = get_str(data, "content") or ""
        elif kind == "assistant.turn_end" and self._has_answered:
            self.session.end_turn(self._at, self._message)
        elif kind in ("session.start", "session.resume"):
            self._set_context(get_dict(data, "context"))
        elif kind == "session.context_changed":
            self._set_context(data)
        elif kind.partition(".")[0] not in _OTHERS:
            return f"the record's type is unknown ({kind[:40]})"
        if kind in ("abort", "session.error", "session.resume", "session.shutdown"):
            self.session.interrupt()
        return None

    def _set_context(self, context: dict[str, Any]) -> None:
        self.session.context = Context(directory=get_str(context, "cwd") or "", branch=get_str(context, "branch"))

    def _prompt(self, data: dict[str, Any], record: dict[str, Any]) -> None:
        """Skills, schedules and the autopilot write prompts too, which are marked."""
        if data.get("source") not in (None, "user") or data.get("isAutopilotContinuation") is True:
            return
        text = get_str(data, "content") or ""
        if data.get("delivery", "steering") == "steering" and self.session.is_working:
            self.session.steering(text, self._at)
        else:
            self.session.prompt(text, self._at, prompt_id=get_id(record, "id"))

    def _call(self, data: dict[str, Any], actor: str) -> str | None:
        name = get_id(data, "toolCallId")
        if not name:
            return "a call has no id"
        tool, parameters = self._normalized(name, data)
        self.session.call(
            name,
            tool,
            parameters,
            self._at,
            actor=USER if name in self._users_own else actor,
            started_agent=name if data.get("toolName") == _STARTER else None,
        )
        return None

    def _normalized(self, name: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The tool and the parameters of a call, under our names."""
        tool, given = get_str(data, "toolName", MAX_NAME_CHARS) or "", data.get("arguments")
        if tool == "apply_patch":
            patch = given if isinstance(given, str) else get_str(get_dict(data, "arguments"), "patch", MAX_PATCH_CHARS)
            edit, parameters, self._patched[name] = normalize_patch((patch or "")[:MAX_PATCH_CHARS])
            return edit, parameters
        server, own_name = get_str(data, "mcpServerName"), get_str(data, "mcpToolName")
        return normalize_tool(f"mcp__{server}__{own_name}" if server and own_name else tool, arguments(given), _TOOLS)

    def _result(self, data: dict[str, Any]) -> None:
        name = get_id(data, "toolCallId") or ""
        output = get_str(get_dict(data, "result"), "content", MAX_OUTPUT_CHARS) or ""
        code = _EXIT_CODE.search(output[-100:])
        outcome, error = Outcome.SUCCESS, None
        if data.get("success") is not True:
            problem = get_dict(data, "error")
            was_rejected = problem.get("code") == "rejected"
            outcome, error = Outcome.PARTIAL if was_rejected else Outcome.FAILED, get_str(problem, "message")
        elif code and int(code[1]):
            outcome, error = Outcome.FAILED, output
        files = self._patched.pop(name, ()) if outcome is Outcome.SUCCESS else ()
        self.session.result(name, self._at, outcome, error=error, output=output, files=files)


AGENT = Agent(NAME, "Copilot CLI", Logs(folders=_folders, is_log=_is_log, read=_read))
