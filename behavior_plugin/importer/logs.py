"""Find the logs to import, in the agents' own folders or where the user says."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from behavior_plugin.agents import Agent, agent_of_log
from behavior_plugin.agents.log_file import Problem

# The file name endings of all logs.
ENDINGS = (".db", ".json", ".jsonl")


@dataclass(frozen=True)
class Log:
    """A file with one or more sessions. `agent` is the name of its agent, `size` is in bytes."""

    file: Path
    agent: str
    size: int
    changed_at: float


@dataclass
class Found:
    """The logs, oldest first; the number of files that are no logs, or too old; the files that could not be opened."""

    logs: list[Log] = field(default_factory=list)
    others: int = 0
    older: int = 0
    problems: list[Problem] = field(default_factory=list)


def find_logs(paths: Sequence[Path], among: Collection[Agent], since: datetime | None) -> Found:
    """The logs of these agents in the given files and folders, or by default in the agents' own folders.

    One file is one log, however many names lead to it.
    """
    found = Found()
    seen: set[tuple[int, int]] = set()
    for file in _files(paths or [folder for agent in among for folder in agent.logs.folders()], found.problems.append):
        try:
            status = file.stat()
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                _look_at(file, status, found, among, since)
        except OSError as error:
            found.problems.append(_problem(file, error))
    found.logs.sort(key=lambda log: (log.changed_at, log.file))
    return found


def _look_at(
    file: Path, status: os.stat_result, found: Found, among: Collection[Agent], since: datetime | None
) -> None:
    agent = agent_of_log(file, among)
    if agent is None:
        found.others += 1
    elif since and status.st_mtime < since.timestamp():
        found.older += 1
    else:
        found.logs.append(Log(file.absolute(), agent.name, status.st_size, status.st_mtime))


def _files(paths: Sequence[Path], on_problem: Callable[[Problem], object]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from _below(path, on_problem)
        elif path.exists():
            yield path


def _below(folder: Path, on_problem: Callable[[Problem], object]) -> Iterator[Path]:
    """Links are followed, since long histories are moved to other disks. No folder is entered twice."""
    entered: set[str] = set()
    walk = os.walk(folder, followlinks=True, onerror=lambda error: on_problem(_problem(Path(error.filename), error)))
    for parent, folders, names in walk:
        entered.add(os.path.realpath(parent))
        folders[:] = sorted(name for name in folders if os.path.realpath(f"{parent}/{name}") not in entered)
        yield from (Path(parent, name) for name in sorted(names) if name.endswith(ENDINGS))


def _problem(file: Path, error: OSError) -> Problem:
    return Problem(file, 0, error.strerror or "cannot be read")
