"""A worker that something happens to at its N-th step: `python -m tests.integration.dying_worker CONNINFO`.

A step is a file operation in the data folder, or either side of an exchange with the database. For each line `N WHAT`
on standard input a worker is forked, which is cheaper than to start one, and lives a life; what became of it is said
on standard output: its exit code, or the signal's number below zero, and how many steps it took.
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
    """One that breaks where another thing would fail: before something is sent, or when its answer would come."""

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


def live(conninfo: str, faults: Faults, step: int, what: str) -> None:
    """A part that fails keeps none of the others from being done, as in the worker's loop."""
    act, is_for_ever = ACTS[what]
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
        step, what = line.split()
        reading, writing = os.pipe()
        if (child := os.fork()) == 0:
            live(conninfo, faults, int(step), what)
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
