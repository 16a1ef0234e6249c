"""Work that no worker may disturb: it is ended, and none starts until the work is done.

The worker holds this lock all its life; who holds it in its place owns the embedded server.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from behavior_plugin.capture import paths
from behavior_plugin.errors import WorkerError
from behavior_plugin.worker.client import stop_worker

PATIENCE_S = 60.0
POLL_S = 0.05


@contextmanager
def without_worker() -> Iterator[None]:
    """End the worker and keep others from starting. What happens meanwhile waits in the spool.

    Raises:
        WorkerError: another command holds the lock and does not let go of it.
    """
    paths.make_private(paths.data_folder())
    with Path(paths.in_data("worker.lock")).open("w") as lock:
        _take(lock, deadline=time.monotonic() + PATIENCE_S)
        yield


def _take(lock: IO[str], *, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise WorkerError("Another command works without the worker. Wait until it is done.") from None
        if not stop_worker():  # it is on its way, up or down
            time.sleep(POLL_S)
