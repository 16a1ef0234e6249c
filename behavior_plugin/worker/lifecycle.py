"""Start, replace, stop and kill the worker, and hold its lock.

::

    none ──ensure_worker──► starting ──it listens──► running ──stop, a newer plugin, nobody needs it──► leaving ──► none
      ▲                        │ it fails               │ it freezes, or hangs                             │
      ├────────────────────────┘                        ▼                                                  │
      └──killed by the next that starts (after LEAVING_S), or by stop_worker── silent ◄────it hangs────────┘

The lock is a kernel lock on one file, held for life and released by death; its holder owns the spool and the embedded
server. That is the worker, or a command whose work no worker may disturb (`worker_stopped`). A worker's health is an
answer on its socket, never a pid. What a hook needs of this is in `capture/wake.py`.

Light on purpose: of ten workers that are started at once nine leave by this, before they import anything heavy.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Self

from behavior_plugin.capture import ask, paths, wake
from behavior_plugin.errors import SetupError, WorkerError, WorkerUnavailableError
from behavior_plugin.worker.exchange import ALIVE_S, exchange
from behavior_plugin.worker.links import refuse_links

# The first start of all makes the database.
START_S = 30.0
START_POLL_S = 0.02
# How long a worker takes to react to a request to stop, and then to end, with its server.
REACT_S, STOP_S = 15.0, 30.0
# How long one that leaves may hold the lock; one that has not answered for so long is frozen.
LEAVING_S = 15.0
# A silent one that has computed for so long in that time is only busy, and is given more of it, up to BUSY_S.
BUSY_CPU_S, BUSY_S = 0.5, 60.0
# What a worker writes into the lock's file.
BY_WORKER = b"worker"
# How long the kernel may take to end a process, and the server that hangs on it.
KILLED_S = 5.0
# How long a command waits for another one that works in the worker's place.
PATIENCE_S = 60.0
POLL_S = 0.05


def bring_up() -> None:
    """Start a worker if none of this version answers, and wait until one does.

    Raises:
        SetupError: there is no Python environment for it.
        ConfigError: it would end at once, for a setting that is not valid.
        WorkerUnavailableError: it does not come up; the message has the end of its log.
    """
    make_folder()
    _check_settings()
    deadline = time.monotonic() + START_S
    # Repeat: a worker that was starting may have died.
    while (found := wake.ensure_worker()) not in (wake.RUNNING, wake.SILENT):
        if found == wake.NOT_SET_UP:
            raise SetupError
        if time.monotonic() > deadline:
            raise WorkerUnavailableError(f"The worker does not come up. Its log ends: {_end_of_log()}")
        time.sleep(START_POLL_S)


def stop_worker(within_s: float = STOP_S) -> bool:
    """End the worker and wait until it is gone; one that does not answer, or does not end, is killed.

    One that is starting is waited for, and ended as soon as it listens. Returns whether one ran.

    Raises:
        WorkerError: one is starting and does not listen, or one cannot be killed.
    """
    is_ended = _end_listening(within_s)
    deadline = time.monotonic() + START_S
    while _is_coming_up(is_after_another=is_ended):
        if _end_listening(within_s):
            is_ended = True
        elif time.monotonic() > deadline:
            raise WorkerError(f"A worker is starting and does not come up. Its log ends: {_end_of_log()}")
        time.sleep(START_POLL_S)
    return is_ended


def _is_coming_up(*, is_after_another: bool) -> bool:
    """Whether a worker was started and does not listen yet; another may wait for the lock of the one that has ended."""
    if is_after_another:
        time.sleep(3 * POLL_S)
    return wake.is_starting() or is_held_by_worker()


def _end_listening(within_s: float = STOP_S) -> bool:
    """End the worker that listens, by force if need be; returns whether one did."""
    try:
        pid = _request_stop()
    except (OSError, WorkerUnavailableError):
        return kill_worker()
    if not _is_gone_within(pid, within_s):
        kill_worker()
    return True


def kill_worker(within_s: float = KILLED_S) -> bool:
    """Kill the process that listens on the socket: a frozen worker cannot report its pid, but the kernel can.

    Returns whether one listened. Its sessions wait in the spool, and its server goes with it.

    Raises:
        WorkerError: the kernel does not report the pid, or the process does not end.
    """
    if (pid := _listener_pid()) is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if not _is_gone_within(pid, within_s):
        raise WorkerError(f"The worker (pid {pid}) was killed and has not ended.")
    return True


def make_folder() -> None:
    """Make the data folder and that of the socket.

    Raises:
        WorkerUnavailableError: they cannot be made, so neither can a worker run.
        LinkError: a part of the data folder is a link.
    """
    refuse_links()
    try:
        paths.make_run_folder()
    except OSError as error:
        raise WorkerUnavailableError(f"The worker cannot be started: {error.strerror}: {error.filename}") from error


@contextmanager
def acquire_worker_lock() -> Iterator[Callable[[], bool] | None]:
    """Hold the worker's lock until this process ends.

    Yields a function that reports whether we still hold it; None if another worker is healthy.

    One that is leaving is waited for. One that holds the lock and does not answer is killed: its sessions wait in the
    spool. A lock whose file was deleted keeps nobody out any more, so its holder must leave.

    Raises:
        LinkError: a part of the data folder is a link.
    """
    os.umask(0o077)
    with Lock() as lock:
        yield lock.is_current if _take_over(lock) else None


@contextmanager
def worker_stopped() -> Iterator[None]:
    """End the worker and keep others from starting. Events that arrive meanwhile wait in the spool.

    Raises:
        WorkerError: another command holds the lock and does not release it.
        LinkError: a part of the data folder is a link.
    """
    with Lock() as lock:
        _take(lock, deadline=time.monotonic() + PATIENCE_S)
        yield


class Lock:
    """The lock's file. If the file is deleted and recreated, only the new one counts."""

    def __init__(self) -> None:
        self._file = self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def try_to_take(self, *, by: bytes = b"") -> bool:
        """Take the lock, unless another holds it. The file says whether a worker does; see `is_held_by_worker`."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if self.is_current():
            with suppress(OSError):  # on a full disk
                os.ftruncate(self._file.fileno(), 0)
                os.write(self._file.fileno(), by)
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
        refuse_links()
        paths.make_private(paths.data_folder())
        return open(paths.in_data("worker.lock"), "a", encoding="ascii", opener=paths.open_carefully)


def is_held_by_worker() -> bool:
    """Whether a worker holds the lock: it listens, is on its way to that, or is ending."""
    try:
        with open(paths.in_data("worker.lock"), "rb", opener=paths.open_carefully) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read(len(BY_WORKER)) == BY_WORKER
    except OSError:
        pass
    return False


def _take_over(lock: Lock) -> bool:
    """An older worker learns our version from the ping, and leaves. One that is only busy is left alone."""
    started_at = time.monotonic()
    deadline, work = started_at + LEAVING_S, None
    while not lock.try_to_take(by=BY_WORKER):
        found = wake.ping(ALIVE_S)
        if found == wake.RUNNING:
            return False
        if found == wake.SILENT and work is None:
            work = _cpu_s()
        if time.monotonic() > deadline:
            done, before = _cpu_s(), work
            is_busy = found == wake.SILENT and done is not None and before is not None and done - before > BUSY_CPU_S
            if not is_busy or time.monotonic() > started_at + BUSY_S:
                return _try_to_kill() and _take_within(lock, KILLED_S)
            deadline, work = time.monotonic() + LEAVING_S, done
        time.sleep(POLL_S)
    return True


def _cpu_s() -> float | None:
    """How many seconds the process that listens has computed; None if that is not known."""
    # Imported here: it is heavy, and a worker that answers needs it not.
    import psutil

    try:
        pid = _listener_pid()
        used = psutil.Process(pid).cpu_times() if pid else None
    except (WorkerError, psutil.Error):
        return None
    return used.user + used.system if used else None


def _try_to_kill() -> bool:
    """Kill the worker. False if nobody listens (a command holds the lock) or the process is out of reach."""
    try:
        return kill_worker()
    except WorkerError:
        return False


def _take_within(lock: Lock, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not (is_taken := lock.try_to_take(by=BY_WORKER)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return is_taken


def _take(lock: Lock, *, deadline: float) -> None:
    while not lock.try_to_take():
        if time.monotonic() > deadline:
            raise WorkerError(
                "Another command, such as `behavior db backup`, holds the worker's lock. Try again when it is done."
            )
        if not _end_listening():  # it is on its way, up or down
            time.sleep(POLL_S)


def _request_stop() -> int:
    """Ask the worker to stop; returns its pid."""
    status, answer = exchange("/v1/stop", b"", REACT_S)
    if status != ask.OK:
        raise WorkerUnavailableError
    return int(json.loads(answer)["pid"])


def _is_gone_within(pid: int, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while is_there := _exists(pid):
        if time.monotonic() > deadline:
            break
        time.sleep(START_POLL_S)
    return not is_there


def _check_settings() -> None:
    # Imported here: only a start needs it.
    from behavior_plugin import config

    config.load()


def _listener_pid() -> int | None:
    """The pid of the process that listens; None if none does, or another user's does."""
    if not hasattr(socket, "SO_PEERCRED"):
        raise WorkerError("The worker does not answer, and this system does not report its pid.")
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(ALIVE_S)
            line.connect(paths.worker_socket())
            peer = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except (BlockingIOError, TimeoutError) as error:  # only a connection would reveal the pid
        raise WorkerError(
            "The worker does not answer, and too many callers wait for it to find its pid.",
            hint="End it: `pkill -KILL -f behavior_plugin/worker/__main__.py`.",
        ) from error
    except OSError:
        return None
    pid, uid, _ = struct.unpack("3i", peer)
    if pid <= 0:  # seen from inside a container, a process outside has no number; to signal 0 would end ourselves
        raise WorkerError("The worker runs in another container. End it there.")
    return int(pid) if uid == os.geteuid() else None


def _exists(pid: int) -> bool:
    # Imported here: it is heavy, and only stopping needs it.
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _end_of_log() -> str:
    try:
        with open(paths.in_data("worker.log"), encoding="utf-8", errors="replace", opener=paths.open_carefully) as log:
            lines = log.read().splitlines()
    except OSError:
        return "(there is none)"
    return " / ".join(lines[-3:]) or "(it is empty)"
