"""Track the calls of one Codex thread until they have ended: several records may report the same call.

Up to three records share a call's id. A command that still runs is one call, however often the model polls it. A script
is not a call where the calls that it makes have records of their own.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from behavior_plugin.agents.codex.tools import (
    ToolCall,
    ToolOutput,
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
    """The calls of `actor` in a session. Set `are_items` once the rollout has an item for each call that has ended."""

    def __init__(self, session: SessionLog, actor: str) -> None:
        self.are_items = False
        self._session = session
        self._actor = actor
        # By call id: a script's call and time, the files of a patch, the subagent that was started, the polled process.
        self._scripts: dict[str, tuple[ToolCall, datetime]] = {}
        self._files: dict[str, tuple[str, ...]] = {}
        self._started: dict[str, str] = {}
        self._polled: dict[str, str] = {}
        self._begun: set[str] = set()
        # By process id: the call that started the process, or the script that did.
        self._running: dict[str, str] = {}
        self._running_scripts: dict[str, tuple[str, ToolCall, datetime]] = {}

    def on_call(self, payload: dict[str, Any], at: datetime) -> None:
        """The model makes a call, or polls one that still runs."""
        name = get_id(payload, "call_id") or get_id(payload, "id")
        if not name:
            return
        tool, arguments = parse_item(payload)
        directory = self._session.context.directory
        if process := awaited_process(tool, arguments):
            self._polled[name] = process
            if isinstance(arguments, dict) and (chars := get_str(arguments, "chars")):
                self._begin(name, ToolCall(tool, {"chars": chars}), at)
        elif tool == "exec" and isinstance(arguments, str):
            self._scripts[name] = parse_script(arguments, directory=directory), at
        else:
            self._begin(name, normalize_call(tool, arguments, directory=directory), at)

    def on_output(self, payload: dict[str, Any], at: datetime) -> None:
        """A call has ended, or still runs."""
        name = get_id(payload, "call_id") or ""
        output = parse_output(payload.get("output"))
        script = self._scripts.pop(name, None)
        if script and output.running and self.are_items:
            self._running_scripts[output.running] = (name, *script)
            return
        if script:
            self._begin(name, *script)
        if name in self._polled:
            self._end_poll(name, self._polled.pop(name), output, at)
        elif output.running:
            self._running[output.running] = name
        else:
            if started := started_thread_id(output.text):
                self._started.setdefault(name, started)
            self._end(name, at, output.outcome, duration_ms=output.duration_ms, output=output.text)

    def on_search(self, payload: dict[str, Any], at: datetime) -> None:
        """A search by the model's own service, which has a single record."""
        action = get_dict(payload, "action")
        name = get_id(payload, "id") or f"search {len(self._begun)}"
        parameters = {field: action[field] for field in ("query", "url", "pattern") if get_str(action, field)}
        self._begin(name, normalize_call("web_search", parameters, directory=""), at)
        self._end(name, at, Outcome.FAILED if payload.get("status") == "failed" else Outcome.SUCCESS)

    def on_subagent_activity(self, payload: dict[str, Any]) -> None:
        """A call started a subagent; the call's output may come later."""
        call, started = get_id(payload, "event_id"), get_id(payload, "agent_thread_id")
        if payload.get("kind") == "started" and call and started:
            self._started[call] = started

    def on_end(self, fields: dict[str, Any], began: datetime, at: datetime) -> None:
        """A call has ended. For a call from a script this is the only record, and it says more than the script."""
        end = parse_end(fields, directory=self._session.context.directory)
        if not end:
            return
        if end.name not in self._begun:
            if not end.is_users and not self._running_scripts.pop(end.process or "", None):
                self._scripts.clear()
            self._begin(end.name, end.call, began, actor=USER if end.is_users else None)
        self._files[end.name] = end.call.files
        self._end(end.name, at, end.outcome, duration_ms=end.duration_ms, output=end.output)

    def close(self) -> None:
        """After the last record: a script whose calls have not ended counts as the call."""
        for name, call, began in self._running_scripts.values():
            self._begin(name, call, began)

    def _begin(self, name: str, call: ToolCall, at: datetime, *, actor: str | None = None) -> None:
        self._begun.add(name)
        self._files[name] = call.files
        self._session.call(name, call.tool, call.parameters, at, actor=actor or self._actor)

    def _end(
        self, name: str, at: datetime, outcome: Outcome, *, duration_ms: int | None = None, output: str | None = None
    ) -> None:
        files = self._files.pop(name, ()) if outcome is Outcome.SUCCESS else ()
        self._session.result(
            name,
            at,
            outcome,
            duration_ms=duration_ms,
            error=output if outcome is Outcome.FAILED else None,
            output=output,
            files=files,
            started_agent=self._started.pop(name, None),
        )

    def _end_poll(self, name: str, process: str, output: ToolOutput, at: datetime) -> None:
        """The poll itself has succeeded; with an exit code, the polled process has ended as well."""
        self._end(name, at, Outcome.SUCCESS)
        if process in self._running and output.exit_code is not None:
            self._end(self._running.pop(process), at, exit_outcome(output.exit_code), output=output.text)
