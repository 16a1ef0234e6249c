"""A worker that does not answer is killed by the pid that the kernel reports, or the user hears why not."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from behavior_plugin.capture import paths
from behavior_plugin.errors import WorkerError
from behavior_plugin.worker import lifecycle

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
