"""Let something go wrong at the N-th step: at a file operation, as the interpreter reports them, or at one of our own.

Who dies does nothing more, not even what stands in a `finally`. Only the thread that armed a fault is hit, and only
where it works below one folder, so that neither an import nor another thread counts. Standard library only: a process
that is run as bare as a hook uses this too.
"""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OPERATIONS = frozenset(
    {
        "open",
        "os.chmod",
        "os.listdir",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.scandir",
        "os.symlink",
        "os.truncate",
        "os.utime",
        "shutil.rmtree",
    }
)


class Died(BaseException):
    """The process is dead, as far as the code under test can tell."""


def die() -> None:
    raise Died


def fail() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Faults:
    """Counts steps and does something at one of them, or from there on. Make one for a process: it stays."""

    def __init__(self) -> None:
        self.steps = 0
        self._folder = ""
        self._at, self._is_for_ever = 0, False
        self._act: Callable[[], None] = die
        self._thread: int | None = None
        sys.addaudithook(self._watch)

    @contextmanager
    def at(self, step: int, act: Callable[[], None], folder: str, *, is_for_ever: bool = False) -> Iterator[Faults]:
        """What is armed inside the block. Death is for ever."""
        self.steps, self._at, self._act, self._folder = 0, step, act, folder
        self._is_for_ever = is_for_ever or act is die
        self._thread = threading.get_ident()
        try:
            yield self
        finally:
            self._thread = None

    def step(self) -> None:
        """One step more: a statement, a write, whatever a caller can be stopped at."""
        if threading.get_ident() != self._thread:
            return
        self.steps += 1
        if self.steps == self._at or (self._is_for_ever and self.steps > self._at > 0):
            self._act()

    @property
    def was_met(self) -> bool:
        return self.steps >= self._at

    def _watch(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in OPERATIONS and threading.get_ident() == self._thread and self._is_here(arguments[0]):
            self.step()

    def _is_here(self, place: object) -> bool:
        """Names without a folder are those that are opened within a folder of ours."""
        if not isinstance(place, str | bytes | os.PathLike):
            return False
        name = os.fsdecode(place)
        return not name.startswith("/") or name.startswith(self._folder)
