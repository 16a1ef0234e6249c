"""The worker's life: one at a time, up as fast as it can, and gone a few minutes after the last live session.

Three threads matter. The main one owns the embedded server and the spool; one loads the embedder beside it; the
listener's answer questions. Work on the spool that a question asks for is handed to the main thread as an order.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import logging.handlers
import os
import queue
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from behavior_plugin import __version__, config
from behavior_plugin.capture import paths, spool, wake
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import BehaviorError, told
from behavior_plugin.store import PostgresStore
from behavior_plugin.worker.desk import Desk
from behavior_plugin.worker.engines import Engines
from behavior_plugin.worker.inbox import Inbox, waiting
from behavior_plugin.worker.learner import Learner
from behavior_plugin.worker.listener import Listener

# The watcher is a hint that may be lost; this is how long a record may then lie unseen.
RESCAN_S = 5.0
# How long the end of a worker takes at most, with that of its server.
LEAVING_S = 15.0
# Who waits for the store at least so long is a person at a terminal, and no hook.
PERSON_S = 10.0
LOG_BYTES = 512 * 1024

log = logging.getLogger(__name__)


def main() -> int:
    """Run the worker until nobody needs it. 0 also where another one already runs."""
    os.umask(0o077)
    paths.make_private(paths.data_folder())
    with Path(paths.in_data("worker.lock")).open("w") as lock:
        if not _is_first(lock):
            return 0
        _start_log()
        try:
            Worker(config.load()).run()
        except BehaviorError as error:
            log.error("%s %s", error, error.hint)
            wake.is_up()  # nobody needs to wait for it any more
            return 1
        except Exception as error:
            log.error("the worker ended unexpectedly: %s", told(error))
            wake.is_up()
            return 3
    return 0


class Worker:
    """One worker, from start to end. See Desk for what may be asked of it meanwhile."""

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings
        self._started = datetime.now(UTC)
        self._engines = Engines(settings)
        self._inbox = Inbox()
        self._learner = Learner(self._inbox, self._engines)
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._hint = threading.Event()
        self._is_stopping = False
        self._needed_at = time.monotonic()

    def run(self) -> None:
        paths.make_run_folder()
        listener = Listener(paths.worker_socket(), Desk(self).answer)
        # On a thread: the handler interrupts the main one, which may hold the lock of the hint that it would set.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=self.stop, daemon=True).start())
        self._engines.start_embedder()
        observer = self._watch()
        try:
            self._engines.open_store()
            # A prompt needs the embedder too, and waits longer for a worker that has not got it yet.
            self._engines.when_embedder_is_there(wake.is_up)
            log.info("the worker %s is up, pid %d", __version__, os.getpid())
            while not self._is_stopping:
                self._look()
                if not self._is_needed():
                    break
                self._hint.wait(self._pause())
                self._hint.clear()
        finally:
            listener.leave()
            observer.stop()
            self._engines.close_store()
            _leave_short_run_folder()
            log.info("the worker ends")

    # What the desk asks

    def store(self, within_s: float) -> PostgresStore:
        self._needed_at = time.monotonic()
        if within_s >= PERSON_S:
            self._engines.hasten()
            self._hint.set()
        return self._engines.store(within_s)

    def embedder(self, within_s: float) -> Embedder | None:
        return self._engines.embedder(within_s)

    def order(self, what: Callable[[], Any], within_s: float) -> Any:
        """Have the main thread do something, and wait for what it returns or raises."""
        done: Future[Any] = Future()
        self._orders.put(lambda: _fulfil(done, what))
        self._hint.set()
        return done.result(within_s)

    def drain(self, probe: str = "") -> dict[str, int]:
        return self._learner.drain(probe)

    def reap(self, idle_s: float | None) -> dict[str, int]:
        return self._learner.reap(idle_s)

    def discard(self, session_id: str) -> None:
        self._learner.discard(session_id)

    def stop(self) -> None:
        self._is_stopping = True
        self._hint.set()

    def status(self) -> dict[str, Any]:
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started.isoformat(),
            **self._engines.status(),
            "live_sessions": sum(session.is_live() for session in self._inbox.sessions.copy().values()),
            "learned": self._learner.learned,
            "last_error": self._engines.last_error or self._learner.last_error,
            **waiting(),
        }

    # The loop

    def _look(self) -> None:
        while not self._orders.empty():
            self._orders.get()()
        self._inbox.sort()
        if self._engines.may_try():
            self._engines.open_store()
        self._learner.learn_from_what_is_over(self.settings.settle_s)

    def _is_needed(self) -> bool:
        """Whether a session is live, or was until a moment ago, or work is left that can be done."""
        now = time.monotonic()
        can_store = self._engines.can_store()
        if any(can_store or session.is_live() for session in self._inbox.sessions.values()):
            self._needed_at = now
        return now - self._needed_at <= self.settings.linger_s or not self._orders.empty()

    def _pause(self) -> float:
        is_settling = any(not session.is_live() for session in self._inbox.sessions.values())
        soon = self.settings.settle_s if is_settling else self.settings.linger_s
        return min(RESCAN_S, max(0.05, soon))

    def _watch(self) -> Any:
        observer = Observer()
        try:
            observer.schedule(_Hinter(self._hint), spool.folder("new"))
            observer.start()
        except OSError as error:  # out of watches: the rescan alone must do
            log.warning("the spool is not watched: %s", error)
        return observer


class _Hinter(FileSystemEventHandler):
    def __init__(self, hint: threading.Event) -> None:
        self._hint = hint

    def on_moved(self, event: FileSystemEvent) -> None:  # noqa: ARG002 - the base class's
        self._hint.set()

    on_created = on_moved


def _is_first(lock: IO[str]) -> bool:
    """Take the lock, which is held for life; one that is on its way out no longer listens, and is waited for."""
    deadline = time.monotonic() + LEAVING_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wake.is_listening() or time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        else:
            return True


def _fulfil(done: Future[Any], what: Callable[[], Any]) -> None:
    try:
        done.set_result(what())
    except Exception as error:
        done.set_exception(error)


def _leave_short_run_folder() -> None:
    """Leave nothing in the temporary folder; the next start makes it again."""
    with contextlib.suppress(OSError):
        if Path(paths.in_data("run")).is_symlink():
            Path(paths.run_folder()).rmdir()


def _start_log() -> None:
    file = Path(paths.in_data("worker.log"))
    handler = logging.handlers.RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler])
    # It writes where the database is, and nothing that we do not say ourselves.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
