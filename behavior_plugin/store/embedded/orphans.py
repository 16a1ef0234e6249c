"""Find and end orphaned servers, and remove stale lock files.

A server is recognized by its process: its program and its folder. A pid in a file may be another process's by now.
"""

from __future__ import annotations

import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

# Fast shutdown, immediate shutdown, and the signal that stops even a frozen process; how long each may take. A fast
# shutdown during the recovery from a crashed backend never ends (seen in 18.6: the checkpointer gets no signal), and an
# immediate one loses nothing: the next start recovers.
STOP_SIGNALS_S = {signal.SIGINT: 3, signal.SIGQUIT: 3, signal.SIGKILL: 3}
POLL_S = 0.01


def find_server(data: Path) -> psutil.Process | None:
    """The server that runs on a data folder, regardless of the process that started it."""
    found = [process for process in psutil.process_iter() if _serves(process, data)]
    # A child process that was just forked still looks like its parent.
    return min(found, key=lambda process: process.create_time(), default=None)


def end_server_on(data: Path) -> None:
    """End the server on a data folder, if its lock file is there and it still runs."""
    if (data / "postmaster.pid").exists() and (orphan := find_server(data)):
        end(orphan)


def end(process: psutil.Process) -> None:
    """End a server with the mildest signal that works."""
    for number, timeout_s in STOP_SIGNALS_S.items():
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)
        if _is_gone_within(process, timeout_s):
            return


def remove_stale_locks(data: Path, sockets: Path) -> bool:
    """Remove the lock files that stop Postgres from starting, unless a server runs on the data.

    Call this only after Postgres refused to start and nothing answers: it handles most stale locks itself.
    """
    locks = [lock for lock in (data / "postmaster.pid", sockets / ".s.PGSQL.5432.lock") if lock.exists()]
    if not locks or find_server(data):
        return False
    for lock in locks:
        lock.unlink(missing_ok=True)
    return True


def _serves(process: psutil.Process, data: Path) -> bool:
    try:
        words = process.cmdline()
        if not words or Path(words[0]).name != "postgres":
            return False
        return str(data) in words or Path(process.cwd()).samefile(data)
    except (psutil.Error, OSError):
        return False


def _is_gone_within(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if _is_gone(process):
            return True
        time.sleep(POLL_S)
    return False


def _is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
