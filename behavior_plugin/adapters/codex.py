"""Codex CLI: a rollout for each thread, `sessions/<year>/<month>/<day>/rollout-<time>-<thread>.jsonl`.

A subagent's thread has a rollout of its own, which is read with the one that started it. Threads that were archived
have theirs in `archived_sessions`. What a record means is in `codex_rollout`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from behavior_plugin.adapters.codex_rollout import MAIN, Rollout
from behavior_plugin.adapters.reading import Reading
from behavior_plugin.codex_calls import CODEX
from behavior_plugin.model import Event

NAME, TITLE = CODEX, "Codex CLI"

MOST_SUBAGENTS = 500
_THREAD = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FIRST_LINE = re.compile(rb'\s*\{(?:[^{}]*"type"\s*:\s*"session_meta"|\s*"id"\s*:\s*"[^"]*"\s*,\s*"timestamp"\s*:)')
# What the first line of a subagent's rollout has. Within a text the quotes would have a backslash.
_SUBAGENT = re.compile(rb'"parent_thread_id"\s*:\s*"|"source"\s*:\s*\{\s*"subagent"')


def folder() -> Path:
    return Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex") / "sessions"


def is_log(file: Path, head: bytes) -> bool:
    first, _, _ = head.partition(b"\n")
    is_rollout = file.name.startswith("rollout-") and file.suffix == ".jsonl"
    return is_rollout and bool(_FIRST_LINE.match(first)) and not _SUBAGENT.search(first)


def read(file: Path, reading: Reading) -> Iterator[list[Event]]:
    rollout = Rollout(thread(file))
    for _ in _taken(file, rollout, reading):
        if finished := rollout.session.finished():
            yield [*finished, *_of_subagents(file, finished, reading)]
    rest = rollout.rest()
    yield [*rest, *_of_subagents(file, rest, reading)]


def thread(file: Path) -> str:
    """The id that a rollout's name ends with, which is the session's."""
    found = _THREAD.findall(file.stem)
    return found[-1] if found else file.stem


def _of_subagents(file: Path, part: Sequence[Event], reading: Reading) -> list[Event]:
    """What the subagents did that were started in a part, and those that these started."""
    events: list[Event] = []
    done = {MAIN}
    while new := sorted(_started([*part, *events]) - done)[: MOST_SUBAGENTS - len(done)]:
        for agent in new:
            known = {event.action.id for event in [*part, *events] if event.action}
            told = _of_subagent(file, agent, reading)
            # One that was forked off begins with what the other had done.
            events += [event for event in told if event.action and event.action.id not in known]
        done.update(new)
    return events


def _of_subagent(file: Path, agent: str, reading: Reading) -> list[Event]:
    rollout = Rollout(thread(file), agent)
    for place in sorted(file.parent.glob(f"rollout-*{agent}.jsonl")) if _THREAD.fullmatch(agent) else []:
        try:
            for _ in _taken(place, rollout, reading):
                pass
        except OSError as error:
            reading.skip(place, 0, f"the file cannot be read ({error.strerror})")
    return rollout.rest()


def _started(events: Sequence[Event]) -> set[str]:
    return {event.action.started_agent for event in events if event.action and event.action.started_agent}


def _taken(file: Path, rollout: Rollout, reading: Reading) -> Iterator[None]:
    """Have the rollout take record after record."""
    for line, record in reading.records(file):
        try:
            unknown = rollout.take(record)
        except (TypeError, ValueError) as error:
            unknown = f"the record cannot be read ({type(error).__name__})"
        if unknown:
            reading.skip(file, line, unknown)
        yield
