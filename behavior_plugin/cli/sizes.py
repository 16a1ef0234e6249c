"""How much room the data folder takes."""

from __future__ import annotations

import os
from collections.abc import Iterator

from behavior_plugin.capture import paths

# The folders that grow, each with its name in the output.
PARTS = {"postgres": "database", "spool": "spool", "backups": "backups"}
OTHER = "other"


def sizes() -> dict[str, int]:
    """The bytes that files take on the disk: of the database, the spool, backups, and everything else."""
    found = dict.fromkeys((*PARTS.values(), OTHER), 0)
    for entry in _entries(paths.data_folder()):
        part = PARTS.get(entry.name, OTHER)
        found[part] += sum(map(_bytes, _files(entry)))
    return found


def size_line(found: dict[str, int]) -> str:
    """For example `67.1 MB: database 66.9, spool 0.2`; empty if there is nothing."""
    total = sum(found.values())
    parts = ", ".join(f"{name} {size / 1e6:.1f}" for name, size in found.items() if size)
    return f"{total / 1e6:.1f} MB: {parts}" if total else ""


def _files(entry: os.DirEntry[str]) -> Iterator[os.DirEntry[str]]:
    """The files of an entry and below it; links are not followed."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            yield entry
            return
    except OSError:
        return
    for each in _entries(entry.path):
        yield from _files(each)


def _bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:  # a file that has just gone
        return 0


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
