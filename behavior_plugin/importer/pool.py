"""Import many logs in parallel, in processes of low priority that end with this one."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from ctypes import c_byte
from multiprocessing import forkserver
from multiprocessing.sharedctypes import Synchronized

from behavior_plugin.errors import BehaviorError
from behavior_plugin.importer.log import ImportFilter, LogResult, import_log
from behavior_plugin.importer.logs import Log

# With more processes, the one worker would be the bottleneck.
MAX_PROCESSES = 4
# Less than this is read faster than processes start.
MIN_POOL_BYTES = 4 * 1024 * 1024
NICENESS = 10
PROGRESS_S = 0.2
# The time that processes have to notice that they should stop.
STOP_S = 2.0

# In a process of the pool: the bytes that all have read, and the flag that stops them.
_read_so_far: Synchronized[int]
_stops: c_byte


class _StoppedError(BehaviorError):
    """The import was interrupted."""


def import_in_parallel(
    logs: Sequence[Log], wanted: ImportFilter, on_progress: Callable[[int, int], object]
) -> list[LogResult]:
    """The results in the order of the logs. Raises the first BehaviorError, and leaves the other logs."""
    processes = min(MAX_PROCESSES, os.cpu_count() or 1, len(logs))
    if processes < 2 or sum(log.size for log in logs) < MIN_POOL_BYTES:
        return _imported_here(logs, wanted, on_progress)
    return _imported_in_pool(logs, wanted, on_progress, processes)


def _imported_here(
    logs: Sequence[Log], wanted: ImportFilter, on_progress: Callable[[int, int], object]
) -> list[LogResult]:
    imported: list[LogResult] = []
    done = 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        on_progress(done, len(imported))

    for log in logs:
        imported.append(import_log(log, wanted, count))
    return imported


def _imported_in_pool(
    logs: Sequence[Log], wanted: ImportFilter, on_progress: Callable[[int, int], object], processes: int
) -> list[LogResult]:
    # Neither forked, since threads may run here, nor each started anew, which takes half a second.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    _start_without_interrupts()
    read_so_far, stops = context.Value("Q", 0), context.RawValue("b", 0)
    pool = ProcessPoolExecutor(processes, context, _begin, (read_so_far, stops))
    try:
        # The largest first, so that none is left over at the end.
        by_size = sorted(logs, key=lambda log: -log.size)
        futures = {log: pool.submit(_import, log, wanted) for log in by_size}
        # Nothing here asks for a lock, which a reader that was killed may hold for ever.
        _wait_for(list(futures.values()), lambda count: on_progress(read_so_far.get_obj().value, count))
        return [futures[log].result() for log in logs]
    except BrokenProcessPool:
        hint = "It may have been the memory. What was imported is kept: run it again to go on."
        raise BehaviorError("A process that was reading logs was killed.", hint=hint) from None
    finally:
        stops.value = 1
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """Readers see the flag and stop. A process that waits for a silent worker does not, and is terminated."""
    pool.shutdown(wait=False, cancel_futures=True)
    deadline = time.monotonic() + STOP_S
    for process in multiprocessing.active_children():
        process.join(max(0, deadline - time.monotonic()))
        process.kill()
    pool.shutdown()


def _start_without_interrupts() -> None:
    """Ctrl-C is for the command, which stops the others; a process started while it is ignored ignores it too."""
    usual = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with _without_current_folder():
            forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, usual)


@contextmanager
def _without_current_folder() -> Iterator[None]:
    """Keep modules in the current folder, which may be anybody's, from being imported instead of ours."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _wait_for(futures: Sequence[Future[LogResult]], on_progress: Callable[[int], object]) -> None:
    """Wait until all are done. Raises the exception of the first that fails."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, PROGRESS_S, FIRST_EXCEPTION)
        for future in done:
            future.result()
        on_progress(len(futures) - len(pending))


def _begin(read_so_far: Synchronized[int], stops: c_byte) -> None:
    """In a new process of the pool."""
    global _read_so_far, _stops
    _read_so_far, _stops = read_so_far, stops
    os.nice(NICENESS)
    threading.Thread(target=_end_with_command, daemon=True).start()


def _end_with_command() -> None:
    command = multiprocessing.parent_process()
    if command:
        command.join()
        os._exit(1)


def _import(log: Log, wanted: ImportFilter) -> LogResult:
    return import_log(log, wanted, _count)


def _count(size: int) -> None:
    if _stops.value:
        raise _StoppedError
    with _read_so_far.get_lock():
        _read_so_far.value += size
