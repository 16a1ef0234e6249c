"""Inject a fault at the N-th step: a file operation, as Python's audit hooks report it, or a step of a test's own.

A process that dies does nothing more, not even in a `finally` block. Faults affect only the thread that armed them and
only operations below one folder, so neither imports nor other threads count. Standard library only, since processes
with as few modules as a hook use it too.
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
    """Stands for the death of the process in the code under test."""


def die() -> None:
    raise Died


def fail() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Faults:
    """Counts steps and acts at one of them, or from there on. Create one per process: an audit hook is permanent."""

    def __init__(self) -> None:
        self.steps = 0
        self._folder = ""
        self._at, self._is_permanent = 0, False
        self._act: Callable[[], None] = die
        self._thread: int | None = None
        sys.addaudithook(self._watch)

    @contextmanager
    def at(self, step: int, act: Callable[[], None], folder: str, *, is_for_ever: bool = False) -> Iterator[Faults]:
        """Arm the fault for this block. Death is always permanent."""
        self.steps, self._at, self._act, self._folder = 0, step, act, folder
        self._is_permanent = is_for_ever or act is die
        self._thread = threading.get_ident()
        try:
            yield self
        finally:
            self._thread = None

    def step(self) -> None:
        """Count one step: a statement, a write, any point at which a caller can be interrupted."""
        if threading.get_ident() != self._thread:
            return
        self.steps += 1
        if self.steps == self._at or (self._is_permanent and self.steps > self._at > 0):
            self._act()

    @property
    def was_met(self) -> bool:
        return self.steps >= self._at

    def _watch(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in OPERATIONS and threading.get_ident() == self._thread and self._is_inside(arguments[0]):
            self.step()

    def _is_inside(self, path: object) -> bool:
        """Whether a path lies below the folder; relative names count, since they belong to an open folder of ours."""
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        name = os.fsdecode(path)
        return not name.startswith("/") or name.startswith(self._folder)
