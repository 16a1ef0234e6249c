"""A worker that does not answer is killed by the pid that the kernel reports, or the user hears why not."""

from __future__ import annotations

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from behavior_plugin.capture import paths, wake
from behavior_plugin.errors import WorkerError
from behavior_plugin.worker import lifecycle
from behavior_plugin.worker.exchange import ALIVE_S

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "SO_PEERCRED"), reason="the kernel does not report the pid of a listening process"
)


@pytest.fixture
def worker_socket(own_home: Path) -> Iterator[str]:
    paths.make_private(paths.data_folder())
    paths.make_run_folder()
    yield paths.worker_socket()
    if Path(paths.in_data("run")).is_symlink():  # because a test's folder has a long path
        shutil.rmtree(paths.run_folder(), ignore_errors=True)


def test_a_frozen_worker_with_a_full_queue_is_not_taken_for_none(worker_socket: str) -> None:
    with ExitStack() as stack, socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(worker_socket)
        frozen.listen(0)
        fill_queue(worker_socket, stack)

        with pytest.raises(WorkerError, match="too many callers"):
            lifecycle.kill_worker()


def test_no_worker_is_killed_where_none_listens(worker_socket: str) -> None:
    assert not lifecycle.kill_worker()


def fill_queue(path: str, stack: ExitStack) -> None:
    while True:
        caller = stack.enter_context(socket.socket(socket.AF_UNIX))
        caller.setblocking(False)
        try:
            caller.connect(path)
        except BlockingIOError:
            return


class Times:
    """A clock that goes on with each look at the worker, which computes for a share of the time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, share: float, answers_after_s: float = 1e9) -> None:
        self.now = 1000.0
        self.killed_after_s: float | None = None
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)
        monkeypatch.setattr(lifecycle, "_cpu_s", lambda: self.now * share)
        monkeypatch.setattr(lifecycle, "_try_to_kill", self.kill)
        monkeypatch.setattr(wake, "ping", lambda _: wake.RUNNING if self.now > 1000 + answers_after_s else wake.SILENT)

    def sleep(self, seconds: float) -> None:
        self.now += seconds + ALIVE_S

    def kill(self) -> bool:
        self.killed_after_s = self.now - 1000
        return False


class HeldLock:
    def try_to_take(self, *, by: bytes) -> bool:
        return False


@pytest.mark.parametrize(
    ("share", "answers_after_s", "killed"),
    [
        (0.0, 1e9, (15, 20)),  # it is frozen
        (0.001, 1e9, (15, 20)),  # its threads wake up and do nothing
        (0.3, 40, None),  # it is overloaded, and answers in the end
        (0.9, 1e9, (60, 80)),  # it computes for ever
    ],
)
def test_an_overloaded_worker_is_not_taken_for_a_frozen_one(
    share: float, answers_after_s: float, killed: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, it would have to begin its work again, on a machine that is busy."""
    times = Times(monkeypatch, share=share, answers_after_s=answers_after_s)

    assert not lifecycle._take_over(HeldLock())  # type: ignore[arg-type]

    if killed is None:
        assert times.killed_after_s is None
    else:
        assert times.killed_after_s is not None
        assert killed[0] <= times.killed_after_s <= killed[1]


def test_the_locks_file_says_whether_a_worker_holds_it(own_home: Path) -> None:
    """A command that holds it is no worker that could be stopped, and a file that is left says nothing."""
    assert not lifecycle.is_held_by_worker()
    with lifecycle.Lock() as lock:
        assert lock.try_to_take(by=lifecycle.BY_WORKER)
        assert lifecycle.is_held_by_worker()
    assert not lifecycle.is_held_by_worker()
    with lifecycle.Lock() as lock:
        assert lock.try_to_take()
        assert not lifecycle.is_held_by_worker()
