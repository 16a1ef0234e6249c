"""One worker at a time: a kernel lock, held for life, that its death releases.

Who holds it owns the spool and the embedded server. That is the worker, or a command whose work no worker may disturb.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self

from behavior_plugin.capture import paths
from behavior_plugin.errors import WorkerError
from behavior_plugin.worker.client import is_healthy, kill_worker, stop_worker

PATIENCE_S = 60.0
POLL_S = 0.05
# How long the end of a worker takes at most, with that of its server; one that does not answer for so long is frozen.
LEAVING_S = 15.0
# How long the kernel may take to end a process, and the server that hangs on it.
KILLED_S = 5.0


@contextmanager
def acquire_worker_lock() -> Iterator[Callable[[], bool] | None]:
    """Take the lock, for life, and get what tells whether it still is the lock; None where another worker is well.

    One that is on its way out is waited for. One that holds the lock and answers nobody is killed: what it was doing
    waits in the spool. A lock whose file was deleted keeps nobody out any more: who has it must go.
    """
    os.umask(0o077)
    with Lock() as lock:
        yield lock.is_current if _take_over(lock) else None


@contextmanager
def worker_stopped() -> Iterator[None]:
    """End the worker and keep others from starting. What happens meanwhile waits in the spool.

    Raises:
        WorkerError: another command holds the lock and does not let go of it.
    """
    with Lock() as lock:
        _take(lock, deadline=time.monotonic() + PATIENCE_S)
        yield


class Lock:
    """The file that is locked. Where somebody deletes it meanwhile, it is another file that counts."""

    def __init__(self) -> None:
        self._file = self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def try_to_take(self) -> bool:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if self.is_current():
            return True
        self._file.close()
        self._file = self._opened()
        return False

    def is_current(self) -> bool:
        """Whether the file that is open is the one that others open."""
        try:
            named, ours = os.stat(self._file.name), os.fstat(self._file.fileno())  # noqa: PTH116 - both in one way
        except OSError:
            return False
        return (named.st_dev, named.st_ino) == (ours.st_dev, ours.st_ino)

    def _opened(self) -> IO[str]:
        paths.make_private(paths.data_folder())
        return Path(paths.in_data("worker.lock")).open("w")


def _take_over(lock: Lock) -> bool:
    deadline = time.monotonic() + LEAVING_S
    while not lock.try_to_take():
        if is_healthy():
            return False
        if time.monotonic() > deadline:
            return _is_killed() and _is_taken_within(lock, KILLED_S)
        time.sleep(POLL_S)
    return True


def _is_killed() -> bool:
    """Not where nobody listens, which is a command that works in the worker's place, nor where it is out of reach."""
    try:
        return kill_worker()
    except WorkerError:
        return False


def _is_taken_within(lock: Lock, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not (is_taken := lock.try_to_take()) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return is_taken


def _take(lock: Lock, *, deadline: float) -> None:
    while not lock.try_to_take():
        if time.monotonic() > deadline:
            raise WorkerError("Another command works without the worker. Wait until it is done.")
        if not stop_worker():  # it is on its way, up or down
            time.sleep(POLL_S)
