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
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from behavior_plugin import __version__, config
from behavior_plugin.capture import paths, spool, wake
from behavior_plugin.embed import Embedder, open_embedder
from behavior_plugin.errors import BehaviorError, EmbedError, StoreUnavailableError, told
from behavior_plugin.learn import learn
from behavior_plugin.model import Event, EventKind
from behavior_plugin.store import OpenStore, PostgresStore, open_store
from behavior_plugin.worker.desk import Desk
from behavior_plugin.worker.inbox import Inbox, Session, waiting
from behavior_plugin.worker.listener import Listener

# The watcher is a hint that may be lost; this is how long a record may then lie unseen.
RESCAN_S = 5.0
# How long a store that cannot be reached is left alone, at first and at most.
RETRY_S, LONGEST_RETRY_S = 2.0, 60.0
# A session that fails this often for a reason of its own is set aside, so that the others go on.
TRIES = 3
# How long the end of a worker takes at most, with that of its server.
LEAVING_S = 15.0
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
        self._store: Future[OpenStore] = Future()
        self._embedder: Future[Embedder | None] = Future()
        self._embedder_problem = ""
        self._inbox = Inbox()
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._hint = threading.Event()
        self._is_stopping = False
        self._needed_at = time.monotonic()
        self._retry_at, self._retry_s = 0.0, RETRY_S
        self._tries: dict[str, int] = {}
        self._learned = 0
        self._last_error = ""

    def run(self) -> None:
        paths.make_run_folder()
        listener = Listener(paths.worker_socket(), Desk(self).answer)
        # On a thread: the handler interrupts the main one, which may hold the lock of the hint that it would set.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=self.stop, daemon=True).start())
        threading.Thread(target=self._load_embedder, daemon=True).start()
        observer = self._watch()
        try:
            self._open_store()
            # A prompt needs the embedder too, and waits longer for a worker that has not got it yet.
            self._embedder.add_done_callback(lambda _: wake.is_up())
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
            self._close_store()
            _leave_short_run_folder()
            log.info("the worker ends")

    # What the desk asks

    def store(self, within_s: float) -> PostgresStore:
        """The store, once it is open. Raises StoreUnavailableError where it is not in time."""
        self._needed_at = time.monotonic()
        try:
            return self._store.result(within_s).patterns
        except FutureTimeoutError:
            raise StoreUnavailableError(self._last_error or "The pattern store is still starting.") from None

    def embedder(self, within_s: float) -> Embedder | None:
        """The embedder, once it is loaded; None where there is none, and words must do."""
        try:
            return self._embedder.result(within_s)
        except FutureTimeoutError:
            raise EmbedError("The embedder is still starting.") from None

    def order(self, what: Callable[[], Any], within_s: float) -> Any:
        """Have the main thread do something, and wait for what it returns or raises."""
        done: Future[Any] = Future()
        self._orders.put(lambda: _fulfil(done, what))
        self._hint.set()
        return done.result(within_s)

    def stop(self) -> None:
        self._is_stopping = True
        self._hint.set()

    def status(self) -> dict[str, Any]:
        opened = self._store  # once: it may be closed and opened anew meanwhile
        store = opened.result() if opened.done() else None
        embedder = self._embedder.result() if self._embedder.done() else None
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_at": self._started.isoformat(),
            "store": store.where if store else "not open",
            "patterns": _count(store.patterns) if store else None,
            "embedder": embedder.model if embedder else "none, full text search only",
            "embedder_problem": self._embedder_problem,
            "live_sessions": sum(session.is_live() for session in self._inbox.sessions.copy().values()),
            "learned": self._learned,
            "last_error": self._last_error,
            **waiting(),
        }

    def drain(self) -> dict[str, int]:
        """File everything and learn from every session that has ended; what is left open goes on."""
        if not self._store.done():
            self._open_store()
        while self._inbox.sort():
            pass
        before = self._learned
        for session in [session for session in self._inbox.sessions.values() if session.is_ended]:
            self._learn_or_raise(session)
        return {"learned": self._learned - before, **waiting()}

    def reap(self, idle_s: float | None) -> dict[str, int]:
        """Close the sessions whose host is gone, and with `idle_s` those that have been silent for so long."""
        self.drain()
        before = self._learned
        closed = [session for session in self._inbox.sessions.values() if _is_left(session, idle_s)]
        for session in closed:
            self._learn_or_raise(session)
        return {"closed": len(closed), "learned": self._learned - before, **waiting()}

    # Coming up

    def _open_store(self) -> None:
        """On the main thread, which lives as long as the embedded server should."""
        try:
            self._store.set_result(open_store(self.settings))
            self._last_error = ""
        except BehaviorError as error:
            self._put_off(error)
        except Exception as error:  # whatever it is, it is told, and tried again later
            self._put_off(StoreUnavailableError(f"The pattern store cannot be opened: {told(error)}"))

    def _load_embedder(self) -> None:
        try:
            self._embedder.set_result(open_embedder(self.settings.embedder))
        except Exception as error:  # whoever waits for the embedder must get an answer
            log.warning("no embedder, full text search only: %s", told(error))
            self._embedder_problem = told(error)
            self._embedder.set_result(None)

    def _watch(self) -> Any:
        observer = Observer()
        try:
            observer.schedule(_Hinter(self._hint), spool.folder("new"))
            observer.start()
        except OSError as error:  # out of watches: the rescan alone must do
            log.warning("the spool is not watched: %s", error)
        return observer

    # The loop

    def _look(self) -> None:
        while not self._orders.empty():
            self._orders.get()()
        self._inbox.sort()
        if not self._store.done() and time.monotonic() >= self._retry_at:
            self._open_store()
        for session in [s for s in self._inbox.sessions.values() if s.is_over(self.settings.settle_s)]:
            if self._store.done() and time.monotonic() >= self._retry_at:
                self._learn(session)

    def _learn(self, session: Session) -> None:
        """Learn from one session; a failure never holds up the others for longer than it lasts."""
        try:
            self._learn_or_raise(session)
            self._retry_s = RETRY_S
        except (StoreUnavailableError, EmbedError) as error:
            self._put_off(error)
        except Exception as error:
            log.error("session %s could not be learned from: %s", session.key, told(error))
            self._last_error = f"{type(error).__name__} in session {session.key}"
            self._tries[session.key] = self._tries.get(session.key, 0) + 1
            if self._tries[session.key] >= TRIES:
                self._inbox.bury(session, self._last_error)

    def _learn_or_raise(self, session: Session) -> None:
        embedder = self.embedder(LONGEST_RETRY_S)
        events = self._inbox.events(session)
        try:
            patterns = learn(events, embedder=embedder, store=self.store(0))
        except StoreUnavailableError:
            self._close_store()
            raise
        if _is_without_prompt(events):
            self._inbox.bury(session, "calls without the prompt that they belong to")
            return
        self._inbox.done(session)
        self._learned += len(patterns)
        log.info("session %s: %d events, %d patterns", session.key, session.events, len(patterns))

    def _put_off(self, error: BehaviorError) -> None:
        log.warning("%s", error)
        self._last_error = str(error)
        self._retry_at = time.monotonic() + self._retry_s
        self._retry_s = min(self._retry_s * 2, LONGEST_RETRY_S)

    def _is_needed(self) -> bool:
        """Whether a session is live, or was until a moment ago, or work is left that can be done."""
        now = time.monotonic()
        can_learn = self._store.done() and now >= self._retry_at
        if any(can_learn or session.is_live() for session in self._inbox.sessions.values()):
            self._needed_at = now
        return now - self._needed_at <= self.settings.linger_s or not self._orders.empty()

    def _pause(self) -> float:
        is_settling = any(not session.is_live() for session in self._inbox.sessions.values())
        soon = self.settings.settle_s if is_settling else self.settings.linger_s
        return min(RESCAN_S, max(0.05, soon))

    def _close_store(self) -> None:
        """Also of use where a store has failed: the next try opens it anew, with its server."""
        if self._store.done():
            opened, self._store = self._store.result(), Future()
            opened.close()


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


def _is_left(session: Session, idle_s: float | None) -> bool:
    if idle_s is not None and time.monotonic() - session.seen >= idle_s:
        return True
    return not session.is_live()


def _count(patterns: PostgresStore) -> int | None:
    """What is not known is left open: that the store fails is what the state must tell."""
    try:
        return patterns.count()
    except BehaviorError:
        return None


def _is_without_prompt(events: list[Event]) -> bool:
    """Calls that came after their session was closed, or from one that began before we were there."""
    kinds = {event.kind for event in events}
    return EventKind.ACTION in kinds and EventKind.PROMPT not in kinds


def _leave_short_run_folder() -> None:
    """Leave nothing in the temporary folder; the next start makes it again."""
    with contextlib.suppress(OSError):
        if Path(paths.in_data("run")).is_symlink():
            Path(paths.run_folder()).rmdir()


def _start_log() -> None:
    file = Path(paths.in_data("worker.log"))
    handler = logging.handlers.RotatingFileHandler(file, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler])
