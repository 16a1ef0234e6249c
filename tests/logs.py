"""Agents' logs in the shape that they really have, and the same with damage in every place."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from behavior_plugin.agents import Agent
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import Event

# What nobody expects in a field. Lists and objects stand where words are, and words where they are.
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    1e300,
    2**70,
    "",
    "\ud800\x00",
    "x" * 300,
    [],
    {},
    [[]],
    {"type": []},
    [{"text": 1}],
)

# What may be where a log should be. Nothing is closed to root.
UNREADABLE = ("folder", "pipe") if os.geteuid() == 0 else ("folder", "pipe", "closed")


@dataclass(frozen=True)
class Log:
    """A log under its agent's folder: a list has a record on each line, a dict is one document."""

    name: str
    content: list[dict[str, Any]] | dict[str, Any]

    def write(self, folder: Path) -> Path:
        file = folder / self.name
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = self.content if isinstance(self.content, list) else [self.content]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return file

    def damaged(self) -> Iterator[Log]:
        """The log with one field missing or odd, for each field of it."""
        for place in _places(self.content):
            yield Log(self.name, _without(self.content, place))
            for odd in ODD:
                yield Log(self.name, _replaced(self.content, place, odd))


def read(agent: Agent, file: Path, reader: LogReader | None = None) -> list[Event]:
    return [event for part in agent.logs.read(file, reader or LogReader()) for event in part]


def make_unreadable(file: Path, what: str) -> None:
    """Put something else where a log is, or keep it closed."""
    if what == "closed":
        return file.chmod(0)
    file.unlink()
    return file.mkdir() if what == "folder" else os.mkfifo(file)


def told(events: Iterable[Event]) -> list[str]:
    """What happened, a line each: said words, calls with their outcomes, ends."""
    return [event.prompt or (_call(event) if event.action else event.kind.value) for event in events]


def _call(event: Event) -> str:
    action = event.action
    assert action
    whose = "" if action.actor == "main" else f"{action.actor}: "
    given = next(iter(action.parameters.values()), "")
    return f"{whose}{action.tool} {given} {action.outcome.value} {action.duration_ms}"


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside another one."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*place, key)
        yield from _places(item, (*place, key))


def _without(content: Any, place: tuple[Any, ...]) -> Any:
    damaged = copy.deepcopy(content)
    del _holder(damaged, place)[place[-1]]
    return damaged


def _replaced(content: Any, place: tuple[Any, ...], odd: Any) -> Any:
    damaged = copy.deepcopy(content)
    _holder(damaged, place)[place[-1]] = odd
    return damaged


def _holder(value: Any, place: tuple[Any, ...]) -> Any:
    for key in place[:-1]:
        value = value[key]
    return value
