"""Look at processes: which are left, and when one has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil

DEADLINE_S = 30


def processes_on(*folders: Path) -> list[list[str]]:
    """The command lines that name something below these folders."""
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    ours = tuple(map(str, folders))
    return [words for words in commands if any(word.startswith(ours) for word in words[1:])]


def wait_until(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
