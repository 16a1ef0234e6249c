"""Codex CLI: a rollout for each thread, `sessions/<year>/<month>/<day>/rollout-<time>-<thread>.jsonl`.

A subagent's thread has a rollout of its own, perhaps in the folder of a later day; it is read with the thread that
started it. Archived threads have their rollouts in `archived_sessions`. `rollout` reads the records.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from behavior_plugin.agents.agent import Agent, Logs
from behavior_plugin.agents.codex.hooks import CODEX, HOOKS
from behavior_plugin.agents.codex.rollout import Rollout
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.session_log import read_session
from behavior_plugin.agents.subagents import Subagents
from behavior_plugin.model import Event

_THREAD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIRST_LINE = re.compile(rb'\s*\{(?:[^{}]*"type"\s*:\s*"session_meta"|\s*"id"\s*:\s*"[^"]*"\s*,\s*"timestamp"\s*:)')
# The first line of a subagent's rollout has one of these. Within a text the quotes would have a backslash.
_SUBAGENT = re.compile(rb'"parent_thread_id"\s*:\s*"|"source"\s*:\s*\{\s*"subagent"')


def _folders() -> list[Path]:
    home = Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex")
    return [home / "sessions", home / "archived_sessions"]


def _is_log(file: Path, head: bytes) -> bool:
    first, _, _ = head.partition(b"\n")
    is_rollout = file.name.startswith("rollout-") and file.suffix == ".jsonl"
    return is_rollout and bool(_FIRST_LINE.match(first)) and not _SUBAGENT.search(first)


def _read(file: Path, reader: LogReader) -> Iterator[list[Event]]:
    subagents = Subagents(partial(_places, file), partial(_of_subagent, thread_id(file), reader), reader)
    for part in _parts(file, Rollout(thread_id(file)), reader):
        yield [*part, *subagents.calls_named_in(part)]


def thread_id(file: Path) -> str:
    """The id that a rollout's name ends with, which is the session's."""
    found = _THREAD.findall(file.stem)
    return found[-1] if found else file.stem


def _places(file: Path, subagent: str) -> list[Path]:
    """The rollouts of a subagent: in the same folder, else in the folder of any day."""
    if not _THREAD.fullmatch(subagent):
        return []
    name = f"rollout-*{subagent}.jsonl"
    is_dated = len(file.parents) > 3 and all(folder.name.isdigit() for folder in file.parents[:3])
    return sorted(file.parent.glob(name)) or (sorted(file.parents[3].glob(f"*/*/*/{name}")) if is_dated else [])


def _read_live(reported: Sequence[Event], reader: LogReader) -> list[Event]:
    """The events of the session's own rollout; hooks of a subagent name the subagent's."""
    named = {Path(event.transcript) for event in reported if event.transcript}
    rollouts = [file for file in sorted(named) if thread_id(file) == reported[0].session_id]
    return [event for file in rollouts[-1:] for part in _read(file, reader) for event in part]


def _of_subagent(session_id: str, reader: LogReader, place: Path, subagent: str) -> list[Event]:
    return [event for part in _parts(place, Rollout(session_id, subagent), reader) for event in part]


def _parts(file: Path, rollout: Rollout, reader: LogReader) -> Iterator[list[Event]]:
    skip = partial(reader.skip, file)
    return read_session(reader.records(file), rollout.session, rollout.take, skip, close=rollout.close)


AGENT = Agent(CODEX, "Codex CLI", Logs(folders=_folders, is_log=_is_log, read=_read, read_live=_read_live), HOOKS)
