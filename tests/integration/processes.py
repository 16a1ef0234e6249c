"""Find running processes, and wait for the end of one."""

from __future__ import annotations

from pathlib import Path

import psutil


def processes_on(*folders: Path) -> list[list[str]]:
    """The command lines that name a path below these folders."""
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    ours = tuple(map(str, folders))
    return [words for words in commands if any(word.startswith(ours) for word in words[1:])]


def has_ended(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
