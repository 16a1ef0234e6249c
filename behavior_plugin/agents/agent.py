"""The interface of an agent: its logs, how they are read, and how our hooks run in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.settings_file import Json
from behavior_plugin.model import Event

# Some fields of an Event, by name.
EventFields: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Logs:
    """The logs that an agent keeps of its own sessions.

    folders:   the default folders; they need not exist.
    is_log:    whether a file with this head is a log of sessions, and not a part of another log.
    read:      the events of a log, in parts that each hold whole turns of one session. Raises OSError where
               the file cannot be read; every other problem is reported to the reader and skipped.
    read_live: the events of the log that hook events name. Raises OSError and ValueError (a path may hold a NUL).
               None if logs of running sessions are not read.
    """

    folders: Callable[[], list[Path]]
    is_log: Callable[[Path, bytes], bool]
    read: Callable[[Path, LogReader], Iterator[list[Event]]]
    read_live: Callable[[Sequence[Event], LogReader], list[Event]] | None = None


@dataclass(frozen=True)
class Hooks:
    """How our hooks run in an agent.

    settings_file: the file that they are registered in.
    adapt:         the plugin's hooks, by event, changed to what this agent needs.
    notes:         remarks for the user about hooks in settings with this content.
    read_input:    the event that a payload of UserPromptSubmit reports.
    read_call:     the event that a payload of PostToolUse or PostToolUseFailure reports, by the hook's name and time.
    has_one_session_per_process: whether a process that begins a session has ended the one before.
    has_messages:  whether the agent shows the user a hook's `systemMessage`, and the model does not get it.
    """

    settings_file: Callable[[], Path]
    adapt: Callable[[Json], Json]
    notes: Callable[[Json], Iterable[str]]
    read_input: Callable[[Json], EventFields]
    read_call: Callable[[str, Json, datetime], EventFields]
    has_one_session_per_process: bool = False
    has_messages: bool = False


@dataclass(frozen=True)
class Agent:
    """One agent. `name` is what `--agent` takes and provenance keeps; `title` is for people."""

    name: str
    title: str
    logs: Logs
    hooks: Hooks | None = None
