"""Agents' logs in their real format, intact or with every single field damaged."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from behavior_plugin.agents import Agent
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import Event
from behavior_plugin.patterns.evidence import episodes_of
from behavior_plugin.patterns.turns import turns_of
from behavior_plugin.workflow import Episode

# Unexpected values for a field: lists and objects replace texts, and texts replace those.
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

# Obstacles in place of a log. Root can read closed files.
UNREADABLE = ("folder", "pipe") if os.geteuid() == 0 else ("folder", "pipe", "closed")


@dataclass(frozen=True)
class Log:
    """A log in its agent's folder: a list is written as one record a line, a dict as one document."""

    name: str
    content: list[dict[str, Any]] | dict[str, Any]

    def write(self, folder: Path) -> Path:
        file = folder / self.name
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = self.content if isinstance(self.content, list) else [self.content]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return file

    def damaged(self) -> Iterator[Log]:
        """The log with one field missing or unexpected, for each of its fields."""
        for path in _paths(self.content):
            yield Log(self.name, _without(self.content, path))
            for odd in ODD:
                yield Log(self.name, _replaced(self.content, path, odd))


def read(agent: Agent, file: Path, reader: LogReader | None = None) -> list[Event]:
    return [event for part in agent.logs.read(file, reader or LogReader()) for event in part]


def make_unreadable(file: Path, obstacle: str) -> None:
    """Replace a log with a folder or a pipe, or remove all its permissions."""
    if obstacle == "closed":
        return file.chmod(0)
    file.unlink()
    return file.mkdir() if obstacle == "folder" else os.mkfifo(file)


def summary(events: Iterable[Event]) -> list[str]:
    """One line for each event: a prompt's text, a call with its outcome, or the kind."""
    return [event.prompt or (_call(event) if event.action else event.kind.value) for event in events]


def _call(event: Event) -> str:
    action = event.action
    assert action
    prefix = "" if action.actor == "main" else f"{action.actor}: "
    argument = next(iter(action.parameters.values()), "")
    return f"{prefix}{action.tool} {argument} {action.outcome.value} {action.duration_ms}"


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path to each value inside another one: keys and indexes."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _without(content: Any, path: tuple[Any, ...]) -> Any:
    damaged = copy.deepcopy(content)
    del _container(damaged, path)[path[-1]]
    return damaged


def _replaced(content: Any, path: tuple[Any, ...], odd: Any) -> Any:
    damaged = copy.deepcopy(content)
    _container(damaged, path)[path[-1]] = odd
    return damaged


def _container(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        value = value[key]
    return value


def episodes(events: Sequence[Event]) -> list[Episode]:
    """The pieces of work in the events of a session, in order."""
    return [episode for episode in episodes_of(turns_of(events)) if not episode.part_of]
