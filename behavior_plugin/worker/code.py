"""Whether the code that the worker runs is still the code that is there: it is updated and removed while we run."""

from __future__ import annotations

import re
from pathlib import Path

from behavior_plugin import __version__
from behavior_plugin.capture import wake

FOLDERS = ("behavior_plugin", "sql")
ENDINGS = {".py", ".sql"}

_Stamp = dict[str, tuple[int, int]]


class Code:
    """The files that we were started from, as they were then."""

    def __init__(self) -> None:
        self._at_start = self._last = _stamp()

    def has_changed(self) -> bool:
        """Whether it is other code now, and was the same other code when last asked: half an update is no code."""
        last, self._last = self._last, _stamp()
        return self._last != self._at_start and self._last == last


def is_newer(version: str) -> bool:
    """Whether a version is newer than ours."""
    return _numbers(version) > _numbers(__version__)


def _numbers(version: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d{1,9}", version)[:8]]


def _stamp() -> _Stamp:
    """Of each file its time and size; nothing where the plugin is gone."""
    files = (file for folder in FOLDERS for file in Path(wake.ROOT, folder).rglob("*") if file.suffix in ENDINGS)
    stamp: _Stamp = {}
    for file in files:
        try:
            found = file.stat()
        except OSError:
            continue
        stamp[str(file)] = (found.st_mtime_ns, found.st_size)
    return stamp
