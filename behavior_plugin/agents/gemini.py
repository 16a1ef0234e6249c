"""Gemini CLI: a log for each session, in a folder for each project.

`tmp/<project>/chats/session-<time>-<id>.json` is one document; `.jsonl`, in newer versions, has a message on each line,
and repeats a message that has grown. `$set`, which may repeat everything, and `$rewindTo` are no messages. The
directory is in the project's `.project_root`, which older versions do not write. Branches are missing, and a call is
written only when it has ended. A subagent has a log of its own, `chats/<session>/<subagent>.jsonl`; older versions do
not tie it to its call.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
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
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.session_log import SessionLog, read_session
from behavior_plugin.agents.tools import normalize_tool
from behavior_plugin.model import Context, Event, Outcome

NAME = "gemini-cli"

_FILE = {"absolute_path": "file_path"}
_FOLDER = {"dir_path": "path"}
_TOOLS = {
    "run_shell_command": ("Bash", {}),
    "read_file": ("Read", _FILE),
    "write_file": ("Write", _FILE),
    "replace": ("Edit", _FILE),
    "list_directory": ("LS", _FOLDER),
    "glob": ("Glob", _FOLDER),
    "grep_search": ("Grep", _FOLDER),
    "search_file_content": ("Grep", _FOLDER),
    "web_fetch": ("WebFetch", {}),
    "google_web_search": ("WebSearch", {}),
    "write_todos": ("TodoWrite", {}),
    "invoke_agent": ("Agent", {}),
}
_OUTCOMES = {"success": Outcome.SUCCESS, "error": Outcome.FAILED, "cancelled": Outcome.PARTIAL}
# Fields of records that are not messages.
_OTHERS = ("sessionId", "$set", "$rewindTo")
# Text that the client writes in the user's place, some of it when it compresses the history.
_NOT_TYPED = (
    "<session_context>",
    "<state_snapshot>",
    "This is the Gemini CLI. We are setting up the context",
    "Please continue.",
    "System: Please continue.",
)
_STOPPED = ("Command was automatically cancelled", "Command was cancelled by user")
_EXIT_CODE = re.compile(r"^Exit Code: (\d{1,10})$", re.MULTILINE)
# Gemini puts these around the output of other programs.
_FRAME = re.compile(r"</?untrusted_context>\n?")
_LABEL = re.compile(r"^(?:Output|Stdout|Stderr): ", re.MULTILINE)
_HEAD_BYTES = 2_000
_SUBAGENT = re.compile(rb'"kind"\s{0,9}:\s{0,9}"subagent"')


def _folders() -> list[Path]:
    return [Path(os.environ.get("GEMINI_CLI_HOME") or Path.home()) / ".gemini" / "tmp"]


def _is_log(file: Path, head: bytes) -> bool:
    start = head[:_HEAD_BYTES].lstrip()
    is_session = start.startswith(b"{") and b'"sessionId"' in start and b'"projectHash"' in start
    return file.suffix in (".json", ".jsonl") and is_session and not _is_subagent(start)


def _read(file: Path, reader: LogReader) -> Iterator[list[Event]]:
    if _is_subagent(reader.head(file, _HEAD_BYTES)):
        reader.skip(file, 0, "it is the log of a subagent")
        return
    name = _session_id(file, reader)
    parser = _Parser(name)
    parser.session.context = Context(directory=_directory(file, reader))
    records = reader.records(file) if file.suffix == ".jsonl" else iter([(0, reader.document(file))])
    inner = partial(_subagent_records, file.parent / name, reader)
    yield from read_session(_each(records), parser.session, parser.take, partial(reader.skip, file), inner)


def _is_subagent(start: bytes) -> bool:
    """Whether a log is a subagent's, which is stated before the messages."""
    return _SUBAGENT.search(start.partition(b'"messages"')[0]) is not None


def _each(records: Iterable[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The records, and the messages that a document holds."""
    for line, record in records:
        yield line, record
        yield from ((line, message) for message in objects_in(record.get("messages")))


def _subagent_records(folder: Path, reader: LogReader, subagent: str) -> Iterator[tuple[int, dict[str, Any]]]:
    file = folder / f"{subagent}.jsonl"
    try:
        yield from reader.records(file)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        reader.skip(file, 0, f"the file cannot be read ({error.strerror})")


def _session_id(file: Path, reader: LogReader) -> str:
    """The session's id, which comes first in both kinds of file."""
    name = re.search(rb'"sessionId"\s{0,9}:\s{0,9}"([\w-]{1,200})"', reader.head(file, _HEAD_BYTES))
    return name[1].decode("utf-8", "replace") if name else file.stem


def _directory(file: Path, reader: LogReader) -> str:
    with suppress(OSError):
        return reader.head(file.parent.parent / ".project_root", 4_096).decode("utf-8", "replace").strip()
    return ""


class _Parser:
    def __init__(self, session_id: str) -> None:
        self.session = SessionLog(NAME, session_id)
        self._at = START

    def take(self, message: dict[str, Any]) -> str | None:
        kind = message.get("type")
        self._at = parse_time(message.get("timestamp")) or self._at
        if kind == "user":
            self._prompt(message)
        elif kind == "gemini":
            self._gemini(message)
        elif kind == "error" or (
            kind == "info" and message_text(message.get("content")).startswith("Request cancelled")
        ):
            self.session.interrupt()
        elif kind not in ("info", "warning") and not any(name in message for name in _OTHERS):
            return f"the message's type is unknown ({str(kind)[:40]})"
        return None

    def _prompt(self, message: dict[str, Any]) -> None:
        """Results of calls stand in the user's place too. The displayed text is the typed one."""
        text = message_text(message.get("displayContent")) or message_text(message.get("content"))
        is_result = any("functionResponse" in part for part in objects_in(message.get("content")))
        if not is_result and not text.lstrip().startswith(_NOT_TYPED):
            self.session.prompt(text, self._at, prompt_id=get_id(message, "id"))

    def _gemini(self, message: dict[str, Any]) -> None:
        calls = objects_in(message.get("toolCalls"))
        for call in calls:
            self._call(call)
        text = message_text(message.get("content"))
        if not calls and text.strip():
            self.session.end_turn(self._at, text)

    def _call(self, call: dict[str, Any]) -> None:
        """The message has the time of the call, unless it was written after the call had ended."""
        if not (name := get_id(call, "id")):
            return
        tool, parameters = normalize_tool(get_str(call, "name", MAX_NAME_CHARS) or "", get_dict(call, "args"), _TOOLS)
        self.session.call(name, tool, parameters, self._at, started_agent=get_id(call, "agentId"))
        outcome, output = _OUTCOMES.get(str(call.get("status"))), _output(call)
        if outcome is Outcome.SUCCESS and tool == "Bash":
            outcome = _command_outcome(output)
        ended = parse_time(call.get("timestamp"))
        if outcome:
            is_timed = ended is not None and ended > self._at
            error = output if outcome is Outcome.FAILED else None
            printed = _LABEL.sub("", output)
            self.session.result(name, ended if is_timed else None, outcome, error=error, output=printed)


def _command_outcome(output: str) -> Outcome:
    """The outcome of a shell command that ran."""
    if output.startswith(_STOPPED):
        return Outcome.PARTIAL
    codes = _EXIT_CODE.findall(output[-1_000:])
    return Outcome.FAILED if codes and int(codes[-1]) else Outcome.SUCCESS


def _output(call: dict[str, Any]) -> str:
    """The text that a call returned to the model."""
    responses = [get_dict(get_dict(part, "functionResponse"), "response") for part in objects_in(call.get("result"))]
    texts = [get_str(response, name, 1_000_000) for response in responses for name in ("output", "error")]
    return _FRAME.sub("", "\n".join(text for text in texts if text))


AGENT = Agent(NAME, "Gemini CLI", Logs(folders=_folders, is_log=_is_log, read=_read))
