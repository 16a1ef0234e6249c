"""Codex CLI: a rollout for each thread, `sessions/<year>/<month>/<day>/rollout-<time>-<thread>.jsonl`.

A subagent's thread has a rollout of its own, perhaps in the folder of a later day, which is read with the one that
started it. Threads that were archived have theirs in `archived_sessions`. What a record means is in `codex_rollout`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from behavior_plugin.agents import session_log
from behavior_plugin.agents.codex.rollout import Rollout
from behavior_plugin.agents.log_file import Reading
from behavior_plugin.agents.subagents import Subagents
from behavior_plugin.model import CODEX, Event

NAME, TITLE = CODEX, "Codex CLI"

_THREAD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIRST_LINE = re.compile(rb'\s*\{(?:[^{}]*"type"\s*:\s*"session_meta"|\s*"id"\s*:\s*"[^"]*"\s*,\s*"timestamp"\s*:)')
# What the first line of a subagent's rollout has. Within a text the quotes would have a backslash.
_SUBAGENT = re.compile(rb'"parent_thread_id"\s*:\s*"|"source"\s*:\s*\{\s*"subagent"')


def folders() -> list[Path]:
    home = Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex")
    return [home / "sessions", home / "archived_sessions"]


def is_log(file: Path, head: bytes) -> bool:
    first, _, _ = head.partition(b"\n")
    is_rollout = file.name.startswith("rollout-") and file.suffix == ".jsonl"
    return is_rollout and bool(_FIRST_LINE.match(first)) and not _SUBAGENT.search(first)


def read(file: Path, reading: Reading) -> Iterator[list[Event]]:
    subagents = Subagents(partial(_places, file), partial(_of_subagent, thread(file), reading), reading)
    for part in _parts(file, Rollout(thread(file)), reading):
        yield [*part, *subagents.followed(part)]


def thread(file: Path) -> str:
    """The id that a rollout's name ends with, which is the session's."""
    found = _THREAD.findall(file.stem)
    return found[-1] if found else file.stem


def _places(file: Path, agent: str) -> list[Path]:
    """In the same folder, else in that of another day."""
    if not _THREAD.fullmatch(agent):
        return []
    name = f"rollout-*{agent}.jsonl"
    is_dated = len(file.parents) > 3 and all(folder.name.isdigit() for folder in file.parents[:3])
    return sorted(file.parent.glob(name)) or (sorted(file.parents[3].glob(f"*/*/*/{name}")) if is_dated else [])


def _of_subagent(session_id: str, reading: Reading, place: Path, agent: str) -> list[Event]:
    return [event for part in _parts(place, Rollout(session_id, agent), reading) for event in part]


def _parts(file: Path, rollout: Rollout, reading: Reading) -> Iterator[list[Event]]:
    skip = partial(reading.skip, file)
    return session_log.read(reading.records(file), rollout.session, rollout.take, skip, settle=rollout.settle)
