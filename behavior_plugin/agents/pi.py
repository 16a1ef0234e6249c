"""Pi: a log for each session, in a folder for each directory. One record a line, and a message for each.

`sessions/--<directory>--/<time>_<session>.jsonl`. Newer logs are trees, whose branches are written one after the other;
the work of all of them was done. A forked session begins with a copy of its origin's records, which are older than the
fork. Git branches are missing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from behavior_plugin.agents.agent import Agent, Logs
from behavior_plugin.agents.fields import (
    MAX_NAME_CHARS,
    START,
    get_dict,
    get_id,
    get_str,
    message_text,
    objects_in,
    parse_time,
)
from behavior_plugin.agents.log_file import HEAD_BYTES, LogReader, first_record
from behavior_plugin.agents.session_log import SessionLog, read_session
from behavior_plugin.agents.tools import normalize_tool
from behavior_plugin.model import USER, Context, Event, Outcome

NAME = "pi"

_FILE = {"path": "file_path"}
_TOOLS = {
    "bash": ("Bash", {}),
    "read": ("Read", _FILE),
    "edit": ("Edit", _FILE),
    "write": ("Write", _FILE),
    "grep": ("Grep", {}),
    "find": ("Glob", {}),
    "ls": ("LS", {}),
}
# Records without anything to learn.
_OTHERS = frozenset(
    """
    branch_summary compaction context_transform custom custom_message ephemeral label model_change session session_info
    thinking_level_change
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# Messages that no person wrote.
_OTHER_ROLES = frozenset(["branchSummary", "compactionSummary", "custom", "hookMessage"])
# The result of a call that was stopped, or never started, ends with one of these.
_STOPPED = ("Operation aborted", "Command aborted", "Skipped due to queued user message.")
# The line that Pi adds to the output of a failed command.
_EXIT = re.compile(r"\s{0,9}Command exited with code \d{1,10}\Z")


def _folders() -> list[Path]:
    return [Path(os.environ.get("PI_CODING_AGENT_DIR") or Path.home() / ".pi" / "agent") / "sessions"]


def _is_log(file: Path, head: bytes) -> bool:
    first = first_record(head)
    return file.suffix == ".jsonl" and first.get("type") == "session" and isinstance(first.get("cwd"), str)


def _read(file: Path, reader: LogReader) -> Iterator[list[Event]]:
    parser = _Parser(file, first_record(reader.head(file, HEAD_BYTES)))
    yield from read_session(reader.records(file), parser.session, parser.take, partial(reader.skip, file))


class _Parser:
    def __init__(self, file: Path, header: dict[str, Any]) -> None:
        self.session = SessionLog(NAME, get_id(header, "id") or file.stem)
        self.session.context = Context(directory=get_str(header, "cwd") or "")
        is_fork = bool(header.get("parentSession") or header.get("branchedFrom"))
        self._since = parse_time(header.get("timestamp")) if is_fork else None
        self._at = START

    def take(self, record: dict[str, Any]) -> str | None:
        kind = str(record.get("type"))
        if kind != "message":
            return None if kind in _OTHERS else f"the record's type is unknown ({kind[:40]})"
        self._at = parse_time(record.get("timestamp")) or self._at
        if self._since and self._at < self._since:
            return None
        return self._message(get_dict(record, "message"), get_id(record, "id"))

    def _message(self, message: dict[str, Any], name: str | None) -> str | None:
        role = str(message.get("role"))
        if role == "user":
            self._prompt(message_text(message.get("content")), name)
        elif role == "assistant":
            self._assistant(message)
        elif role == "toolResult":
            self._result(message)
        elif role == "bashExecution":
            self._shell(message, name)
        elif role not in _OTHER_ROLES:
            return f"the message's role is unknown ({role[:40]})"
        return None

    def _prompt(self, text: str, name: str | None) -> None:
        """A prompt that is typed while the agent works comes between two calls."""
        if self.session.is_working:
            self.session.steering(text, self._at)
        else:
            self.session.prompt(text, self._at, prompt_id=name)

    def _assistant(self, message: dict[str, Any]) -> None:
        for block in objects_in(message.get("content")):
            name = get_id(block, "id")
            if block.get("type") == "toolCall" and name:
                tool = get_str(block, "name", MAX_NAME_CHARS) or ""
                self.session.call(name, *normalize_tool(tool, get_dict(block, "arguments"), _TOOLS), self._at)
        if message.get("stopReason") == "stop":
            self.session.end_turn(self._at, message_text(message.get("content")))
        elif message.get("stopReason") in ("aborted", "error"):
            self.session.interrupt()

    def _result(self, message: dict[str, Any]) -> None:
        output = message_text(message.get("content"))
        failed = message.get("isError") is True
        outcome = Outcome.FAILED if failed else Outcome.SUCCESS
        if failed and output.endswith(_STOPPED):
            outcome = Outcome.PARTIAL
        name = get_id(message, "toolCallId") or ""
        self.session.result(name, self._at, outcome, error=output if failed else None, output=_EXIT.sub("", output))

    def _shell(self, message: dict[str, Any], name: str | None) -> None:
        """A line of the user's own shell; its record is written when it has ended."""
        call_id = name or f"shell {self._at.isoformat()}"
        self.session.call(call_id, "Bash", {"command": get_str(message, "command") or ""}, self._at, actor=USER)
        outcome = Outcome.SUCCESS if message.get("exitCode") in (0, None) else Outcome.FAILED
        ended = Outcome.PARTIAL if message.get("cancelled") is True else outcome
        self.session.result(call_id, None, ended, output=message_text(message.get("output")))


AGENT = Agent(NAME, "Pi", Logs(folders=_folders, is_log=_is_log, read=_read))
