"""Which logs there are to import: in the agents' own folders, or where the user says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from behavior_plugin.adapters import Adapter, adapter_for
from behavior_plugin.adapters.reading import Problem

# What every log's name ends in.
ENDINGS = (".json", ".jsonl", ".db")


@dataclass(frozen=True)
class Log:
    """One session's log. `agent` is the name of its adapter, `size` is in bytes."""

    file: Path
    agent: str
    size: int
    changed_at: float


@dataclass
class Found:
    """The logs, the oldest first; how many files were none, or too old; what could not be opened."""

    logs: list[Log] = field(default_factory=list)
    others: int = 0
    older: int = 0
    problems: list[Problem] = field(default_factory=list)


def find_logs(paths: Sequence[Path], among: tuple[Adapter, ...], since: datetime | None) -> Found:
    """The logs of these agents in the files and folders named, or in the agents' own folders where none is named."""
    found = Found()
    for file in dict.fromkeys(_files(paths or [adapter.folder() for adapter in among])):
        try:
            _look_at(file, found, among, since)
        except OSError as error:
            found.problems.append(Problem(file, 0, error.strerror or "cannot be read"))
    found.logs.sort(key=lambda log: (log.changed_at, log.file))
    return found


def _look_at(file: Path, found: Found, among: tuple[Adapter, ...], since: datetime | None) -> None:
    adapter = adapter_for(file, among)
    status = file.stat()
    if adapter is None:
        found.others += 1
    elif since and status.st_mtime < since.timestamp():
        found.older += 1
    else:
        found.logs.append(Log(file.absolute(), adapter.NAME, status.st_size, status.st_mtime))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.is_dir():
            yield from [path] if path.exists() else []
        else:
            yield from _below(path)


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name) for name in sorted(names) if name.endswith(ENDINGS))
