"""OpenCode: a database of all sessions; in older versions, a file for each session, message and part; or an export.

`opencode.db`, with tables `session`, `message` and `part`, whose column `data` is JSON; or in `storage` the files
`session/<project>/<session>.json`, `message/<session>/*.json` and `part/<message>/*.json`; or what `opencode export`
prints. All hold the same objects. A subagent is a session too, whose `parentID` names the session that started it.
Branches are missing, and a custom command appears as the text that it expands to.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from behavior_plugin.agents.agent import Agent, Logs
from behavior_plugin.agents.fields import (
    MAX_LINE_BYTES,
    MAX_NAME_CHARS,
    START,
    Skip,
    get_dict,
    get_id,
    get_str,
    message_text,
    objects_in,
    parse_time,
)
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.session_log import Records, SessionLog, read_session
from behavior_plugin.agents.tools import MAX_PATCH_CHARS, arguments, normalize_patch, normalize_tool
from behavior_plugin.model import USER, Context, Event, Outcome

NAME = "opencode"

_FILE = {"filePath": "file_path"}
_TOOLS = {
    "bash": ("Bash", {}),
    "read": ("Read", _FILE),
    "write": ("Write", _FILE),
    "edit": ("Edit", _FILE),
    "multiedit": ("Edit", _FILE),
    "glob": ("Glob", {}),
    "grep": ("Grep", {"include": "glob"}),
    "list": ("LS", {}),
    "webfetch": ("WebFetch", {}),
    "websearch": ("WebSearch", {}),
    "task": ("Agent", {}),
    "todowrite": ("TodoWrite", {}),
}
_STARTER = "task"
_PATCHES = ("apply_patch", "patch")
_PARTS_OF_A_MESSAGE = frozenset(
    """
    agent compaction file patch reasoning retry snapshot step-finish step-start subtask text tool
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
# The message before a line of the user's own shell.
_SHELL = "The following tool was executed by the user"
# The error of a stopped or rejected call begins with one of these.
_STOPPED = ("Tool execution aborted", "The user rejected permission")
# Another step follows one that ends with one of these.
_UNFINISHED = (None, "tool-calls", "unknown")

_DATABASE = b"SQLite format 3\x00"
_EXPORT = re.compile(rb'\s{0,99}\{\s{0,99}"info"\s{0,9}:\s{0,9}\{')
_SESSION_ID = re.compile(rb'"id"\s{0,9}:\s{0,9}"ses_')

# A view could have any content, even without end, so only tables are read.
_TABLES = "select count(*) from sqlite_master where type = 'table' and name in ('session', 'message', 'part')"
_SESSIONS = "select id, directory from session where parent_id is null order by time_created, id"
_MESSAGES = "select id, data from message where session_id = ? order by time_created, id"
_PARTS = "select data from part where message_id = ? order by id"

# Returns the messages of the session with that id, in order, each with its parts.
Messages: TypeAlias = Callable[[str], Iterable[dict[str, Any]]]


def _folders() -> list[Path]:
    return [Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "opencode"]


def _is_log(file: Path, head: bytes) -> bool:
    if _is_database(file):
        return file.name.startswith("opencode") and head.startswith(_DATABASE)
    if file.suffix != ".json" or not _SESSION_ID.search(head[:1_000]):
        return False
    return bool(_EXPORT.match(head)) or (_is_stored(file) and b'"parentID"' not in head)


def _read(file: Path, reader: LogReader) -> Iterator[list[Event]]:
    if _is_database(file):
        yield from _read_database(file, reader)
        return
    document = reader.document(file)
    stored = _is_stored(file)
    info = document if stored else get_dict(document, "info")
    if get_str(info, "parentID"):
        reader.skip(file, 0, "it is the session of a subagent")
        return
    # Stored messages are found by the session's id, which is the name of its file.
    name = file.stem if stored else get_id(info, "id") or file.stem
    exported = {name: objects_in(document.get("messages"))}
    messages = (
        partial(_stored_messages, file.parents[2], reader) if stored else lambda session: exported.get(session, [])
    )
    yield from _read_session_of(name, info, messages, partial(reader.skip, file))


def _is_database(file: Path) -> bool:
    return file.suffix == ".db"


def _is_stored(file: Path) -> bool:
    return file.parts[-4:-2] == ("storage", "session")


def _read_session_of(name: str, info: dict[str, Any], messages: Messages, skip: Skip) -> Iterator[list[Event]]:
    """The events of a session and of the subagents that it started."""
    parser = _Parser(name)
    parser.session.context = Context(directory=get_str(info, "directory") or "")
    yield from read_session(
        _lines(messages(name)), parser.session, parser.take, skip, lambda subagent: _lines(messages(subagent))
    )


def _lines(messages: Iterable[dict[str, Any]]) -> Records:
    """Messages as records, which have no line numbers here."""
    return ((0, message) for message in messages)


def _stored_messages(storage: Path, reader: LogReader, name: str) -> Iterator[dict[str, Any]]:
    for message in _stored(storage / "message" / name, reader):
        found = _stored(storage / "part" / (get_id(message, "id") or ""), reader)
        yield {"info": message, "parts": list(found)}


def _stored(folder: Path, reader: LogReader) -> Iterator[dict[str, Any]]:
    """The objects in a folder, oldest first: a file has its object's id as its name, and ids sort by time."""
    for file in sorted(folder.glob("*.json")):
        try:
            yield {**reader.document(file), "id": file.stem}
        except OSError as error:
            reader.skip(file, 0, f"the file cannot be read ({type(error).__name__})")


def _read_database(file: Path, reader: LogReader) -> Iterator[list[Event]]:
    try:
        with closing(_open_database(file)) as database:
            database.text_factory = bytes
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_LINE_BYTES)
            if database.execute(_TABLES).fetchone() != (3,):
                reader.skip(file, 0, "it has not the tables of OpenCode")
                return
            for name, directory in database.execute(_SESSIONS).fetchall():
                info = {"directory": _decoded(directory)}
                messages = partial(_row_messages, database, file, reader)
                yield from _read_session_of(_decoded(name), info, messages, partial(reader.skip, file))
    except sqlite3.Error as error:
        reader.skip(file, 0, f"the database cannot be read ({type(error).__name__})")


def _open_database(file: Path) -> sqlite3.Connection:
    """Open a database to read it. If no other process has it open, SQLite must not create files beside it either."""
    is_open = file.with_name(f"{file.name}-wal").exists()
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable={int(not is_open)}", uri=True)


def _row_messages(database: sqlite3.Connection, file: Path, reader: LogReader, name: str) -> Iterator[dict[str, Any]]:
    for key, data in database.execute(_MESSAGES, (name,)).fetchall():
        try:
            found = [row[0] for row in database.execute(_PARTS, (_decoded(key),))]
        except sqlite3.DataError:
            reader.skip(file, 0, "a part of a message is too long")
            continue
        reader.count(sum(len(raw) for raw in [data, *found] if isinstance(raw, bytes)))
        yield {
            "info": {**arguments(_decoded(data)), "id": _decoded(key)},
            "parts": [arguments(_decoded(raw)) for raw in found],
        }


def _decoded(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


class _Parser:
    def __init__(self, name: str) -> None:
        self.session = SessionLog(NAME, name)
        self._shell_lines: set[str] = set()
        self._at = START

    def take(self, message: dict[str, Any]) -> str | None:
        info, found = get_dict(message, "info"), objects_in(message.get("parts"))
        self._at = parse_time(get_dict(info, "time").get("created")) or self._at
        if info.get("role") == "assistant":
            self._assistant(info, found)
        elif info.get("role") != "user":
            return f"the message's role is unknown ({str(info.get('role'))[:40]})"
        else:
            self._user(info, found)
        unknown = {str(part.get("type")) for part in found} - _PARTS_OF_A_MESSAGE
        return f"the part's type is unknown ({min(unknown)[:40]})" if unknown else None

    def _user(self, info: dict[str, Any], found: list[dict[str, Any]]) -> None:
        """A prompt without the text that the client adds, such as the files it names, which is marked as synthetic."""
        texts = [part for part in found if part.get("type") == "text"]
        prompt = "\n".join(get_str(part, "text") or "" for part in texts if part.get("synthetic") is not True)
        name = get_id(info, "id")
        if any(part.get("text") == _SHELL for part in texts):
            self._shell_lines.add(name or "")
        elif self.session.is_working:
            self.session.steering(_unquoted(prompt), self._at)
        else:
            self.session.prompt(_unquoted(prompt), self._at, prompt_id=name)

    def _assistant(self, info: dict[str, Any], found: list[dict[str, Any]]) -> None:
        """A message with calls ends no turn, even if the model says that it stops."""
        is_shell = get_id(info, "parentID") in self._shell_lines
        called = [part for part in found if part.get("type") == "tool"]
        for part in called:
            self._call(part, USER if is_shell else None)
        if is_shell:
            return
        if info.get("error"):
            self.session.interrupt()
        elif not called and info.get("finish") not in _UNFINISHED:
            completed = parse_time(get_dict(info, "time").get("completed")) or self._at
            self.session.end_turn(completed, message_text([part for part in found if part.get("type") == "text"]))

    def _call(self, part: dict[str, Any], actor: str | None) -> None:
        name, tool = get_id(part, "callID"), get_str(part, "tool", MAX_NAME_CHARS) or ""
        state = get_dict(part, "state")
        given, took = get_dict(state, "input"), get_dict(state, "time")
        started = get_str(get_dict(state, "metadata"), "sessionId") if tool == _STARTER else None
        files: tuple[str, ...] = ()
        if tool in _PATCHES:
            tool, given, files = normalize_patch(get_str(given, "patchText", MAX_PATCH_CHARS) or "")
        else:
            tool, given = normalize_tool(tool, given, _TOOLS)
        if not name:
            return
        at = parse_time(took.get("start")) or self._at
        self.session.call(name, tool, given, at, actor=actor, started_agent=started)
        if outcome := _outcome(state):
            error = get_str(state, "error") or get_str(state, "output") if outcome is Outcome.FAILED else None
            done = files if outcome is Outcome.SUCCESS else ()
            output = get_str(state, "output", MAX_LINE_BYTES)
            self.session.result(name, parse_time(took.get("end")), outcome, error=error, output=output, files=done)


def _unquoted(text: str) -> str:
    """The prompt without the quotes that `opencode run` puts around it."""
    inner = text[1:-1].replace('\\"', "\0")
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"' and '"' not in inner
    return inner.replace("\0", '"') if is_quoted else text


def _outcome(state: dict[str, Any]) -> Outcome | None:
    """The outcome of a call; None while it runs.

    A failed shell command has completed too; a stopped one has no exit code.
    """
    metadata = get_dict(state, "metadata")
    if state.get("status") == "error":
        was_stopped = metadata.get("interrupted") is True or (get_str(state, "error") or "").startswith(_STOPPED)
        return Outcome.PARTIAL if was_stopped else Outcome.FAILED
    if state.get("status") != "completed":
        return None
    code = metadata.get("exit", 0)
    if code is None:
        return Outcome.PARTIAL
    return Outcome.SUCCESS if code == 0 else Outcome.FAILED


AGENT = Agent(NAME, "OpenCode", Logs(folders=_folders, is_log=_is_log, read=_read))
