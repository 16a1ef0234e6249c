"""One worker at a time: a kernel lock, held for life, that its death releases.

Who holds it owns the spool and the embedded server. That is the worker, or a command whose work no worker may disturb.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from behavior_plugin.capture import paths
from behavior_plugin.errors import WorkerError
from behavior_plugin.worker.client import is_well, kill_worker, stop_worker

PATIENCE_S = 60.0
POLL_S = 0.05
# How long the end of a worker takes at most, with that of its server; one that does not answer for so long is frozen.
LEAVING_S = 15.0
# How long the kernel may take to end a process, and the server that hangs on it.
KILLED_S = 5.0


@contextmanager
def as_the_worker() -> Iterator[bool]:
    """Take the lock, for life; False where another worker is well.

    One that is on its way out is waited for. One that holds the lock and answers nobody is killed: what it was doing
    waits in the spool.
    """
    os.umask(0o077)
    with _file() as lock:
        yield _take_from_unwell(lock)


@contextmanager
def without_worker() -> Iterator[None]:
    """End the worker and keep others from starting. What happens meanwhile waits in the spool.

    Raises:
        WorkerError: another command holds the lock and does not let go of it.
    """
    with _file() as lock:
        _take(lock, deadline=time.monotonic() + PATIENCE_S)
        yield


def _file() -> IO[str]:
    paths.make_private(paths.data_folder())
    return Path(paths.in_data("worker.lock")).open("w")


def _take_from_unwell(lock: IO[str]) -> bool:
    deadline = time.monotonic() + LEAVING_S
    while not _try_to_take(lock):
        if is_well():
            return False
        if time.monotonic() > deadline:
            return kill_worker() and _is_taken_within(lock, KILLED_S)
        time.sleep(POLL_S)
    return True


def _is_taken_within(lock: IO[str], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not (is_taken := _try_to_take(lock)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return is_taken


def _take(lock: IO[str], *, deadline: float) -> None:
    while not _try_to_take(lock):
        if time.monotonic() > deadline:
            raise WorkerError("Another command works without the worker. Wait until it is done.")
        if not stop_worker():  # it is on its way, up or down
            time.sleep(POLL_S)


def _try_to_take(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
