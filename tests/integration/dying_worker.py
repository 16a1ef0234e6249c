"""Run workers with a fault at their N-th step: `python -m tests.integration.dying_worker CONNINFO`.

A step is a file operation in the data folder, or either side of an exchange with the database. For each line `N FAULT`
on standard input a worker is forked, which is cheaper than a new process. Standard output gets a line for each: the
exit code, or the negative number of the signal, and the number of steps.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.rows import Row

from behavior_plugin.capture import paths
from behavior_plugin.store.connection import TimedConnection
from behavior_plugin.store.postgres import PostgresStore
from tests.faults import Faults, fail, fill_disk
from tests.integration.working import LIFE, Worker


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


ACTS: dict[str, tuple[Callable[[], None], bool]] = {
    "kill": (kill, False),
    "fail": (fail, False),
    "fill": (fill_disk, True),
}


class DyingConnection(TimedConnection[Row]):
    """A connection with a step before each request and one before each answer."""

    faults: Faults

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        self._step()
        answer = super().wait(*args, **kwargs)
        self._step()
        return answer

    def _step(self) -> None:
        try:
            self.faults.step()
        except OSError as error:
            self.close()
            raise psycopg.OperationalError("the connection is broken") from error


def run_worker(conninfo: str, faults: Faults, step: int, fault: str) -> None:
    """Run the parts of a worker's life; a failed part does not prevent the others, as in the worker's loop."""
    act, is_for_ever = ACTS[fault]
    store = PostgresStore(conninfo)
    worker = None
    with faults.at(step, act, paths.data_folder(), is_for_ever=is_for_ever):
        for part in LIFE:
            with suppress(Exception):
                worker = worker or Worker(store)
                part(worker)


def run(conninfo: str) -> None:
    DyingConnection.faults = faults = Faults()
    sys.modules["behavior_plugin.store.postgres"].TimedConnection = DyingConnection  # type: ignore[attr-defined]
    for line in sys.stdin:
        step, fault = line.split()
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            run_worker(conninfo, faults, int(step), fault)
            os.write(writing, b"%d" % faults.steps)
            os._exit(0)
        os.close(writing)
        steps = int(os.read(reading, 100) or 0)
        os.close(reading)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)} {steps}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run(sys.argv[1])
