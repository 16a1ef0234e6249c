"""The calls of one Codex thread: which of its records tell of the same one, and what runs on behind it.

A call may be told of in up to three ways, under one id. A command that goes on is one call, however often the model
looks whether it has ended; and a script is no call where each that it made is told of.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from behavior_plugin.agents.codex.tools import (
    ToolCall,
    awaited_process,
    exit_outcome,
    normalize_call,
    parse_end,
    parse_item,
    parse_output,
    parse_script,
    started_thread_id,
)
from behavior_plugin.agents.fields import get_dict, get_id, get_str
from behavior_plugin.agents.session_log import SessionLog
from behavior_plugin.model import USER, Outcome


class CallTracker:
    """Those of `agent`, in a session. `are_items` says whether each call that has ended is told of as an item."""

    def __init__(self, session: SessionLog, actor: str) -> None:
        self.are_items = False
        self._session = session
        self._actor = actor
        # By call: what a script asks for, the files of a patch, the subagent that was started, what it waits for.
        self._scripts: dict[str, tuple[ToolCall, datetime]] = {}
        self._files: dict[str, tuple[str, ...]] = {}
        self._started: dict[str, str] = {}
        self._waits: dict[str, str] = {}
        self._begun: set[str] = set()
        # By the name of what runs on: the call that began it, or the script that did, which is no call itself.
        self._running: dict[str, str] = {}
        self._running_of_scripts: dict[str, tuple[str, ToolCall, datetime]] = {}

    def on_call(self, payload: dict[str, Any], at: datetime) -> None:
        """The model asks for a call, or looks what has become of one."""
        name = get_id(payload, "call_id") or get_id(payload, "id")
        if not name:
            return
        tool, arguments = parse_item(payload)
        directory = self._session.context.directory
        if waits := awaited_process(tool, arguments):
            self._waits[name] = waits
            if isinstance(arguments, dict) and (chars := get_str(arguments, "chars")):
                self._begin(name, ToolCall(tool, {"chars": chars}), at)
        elif tool == "exec" and isinstance(arguments, str):
            self._scripts[name] = parse_script(arguments, directory=directory), at
        else:
            self._begin(name, normalize_call(tool, arguments, directory=directory), at)

    def on_output(self, payload: dict[str, Any], at: datetime) -> None:
        """What the model is told of a call: that it has ended, or runs on."""
        name = get_id(payload, "call_id") or ""
        answer = parse_output(payload.get("output"))
        script = self._scripts.pop(name, None)
        if script and answer.running and self.are_items:
            self._running_of_scripts[answer.running] = (name, *script)
            return
        if script:
            self._begin(name, *script)
        if name in self._waits:
            self._waited(self._waits.pop(name), name, answer.exit_code, at)
        elif answer.running:
            self._running[answer.running] = name
        else:
            if started := started_thread_id(answer.text):
                self._started.setdefault(name, started)
            self._end(name, at, answer.outcome, duration_ms=answer.duration_ms, error=answer.text)

    def on_search(self, payload: dict[str, Any], at: datetime) -> None:
        """A search of the model's own service: there is no second record of how it ended."""
        action = get_dict(payload, "action")
        name = get_id(payload, "id") or f"search {len(self._begun)}"
        asked_for = {field: action[field] for field in ("query", "url", "pattern") if get_str(action, field)}
        self._begin(name, normalize_call("web_search", asked_for, directory=""), at)
        self._end(name, at, Outcome.FAILED if payload.get("status") == "failed" else Outcome.SUCCESS)

    def on_subagent_activity(self, payload: dict[str, Any]) -> None:
        """A subagent was started, by a call that may be answered later."""
        call, started = get_id(payload, "event_id"), get_id(payload, "agent_thread_id")
        if payload.get("kind") == "started" and call and started:
            self._started[call] = started

    def on_end(self, fields: dict[str, Any], began: datetime, at: datetime) -> None:
        """A call that has ended. One that a script made has no other record, and tells more than the script."""
        end = parse_end(fields, directory=self._session.context.directory)
        if not end:
            return
        if end.name not in self._begun:
            if not end.is_users and not self._running_of_scripts.pop(end.process or "", None):
                self._scripts.clear()
            self._begin(end.name, end.call, began, actor=USER if end.is_users else None)
        self._files[end.name] = end.call.files
        self._end(end.name, at, end.outcome, duration_ms=end.duration_ms, error=end.error)

    def close(self) -> None:
        """No record follows: a script whose call never ended is the call itself."""
        for name, asked_for, began in self._running_of_scripts.values():
            self._begin(name, asked_for, began)

    def _begin(self, name: str, asked_for: ToolCall, at: datetime, *, actor: str | None = None) -> None:
        self._begun.add(name)
        self._files[name] = asked_for.files
        self._session.call(name, asked_for.tool, asked_for.parameters, at, actor=actor or self._actor)

    def _end(
        self, name: str, at: datetime, outcome: Outcome, *, duration_ms: int | None = None, error: str | None = None
    ) -> None:
        files = self._files.pop(name, ()) if outcome is Outcome.SUCCESS else ()
        self._session.result(
            name,
            at,
            outcome,
            duration_ms=duration_ms,
            error=error if outcome is Outcome.FAILED else None,
            files=files,
            started_agent=self._started.pop(name, None),
        )

    def _waited(self, waited_for: str | None, name: str, exit_code: int | None, at: datetime) -> None:
        """What was only waited for has ended now, or has not; what was written to it was written."""
        self._end(name, at, Outcome.SUCCESS)
        if waited_for in self._running and exit_code is not None:
            self._end(self._running.pop(waited_for), at, exit_outcome(exit_code))
