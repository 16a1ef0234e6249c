"""The worker's life: one at a time, up as fast as it can, and gone a few minutes after the last live session.

Three threads matter. The main one owns the embedded server and the spool; one loads the embedder beside it; the
listener's answer questions. Work on the spool that a question asks for is handed to the main thread as an order.
"""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from behavior_plugin import __version__, config
from behavior_plugin.capture import paths, wake
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import BehaviorError, describe_for_log
from behavior_plugin.store import Store
from behavior_plugin.worker import RESTART
from behavior_plugin.worker.code import is_newer
from behavior_plugin.worker.housekeeping import Housekeeping
from behavior_plugin.worker.inbox import Inbox, oldest, waiting
from behavior_plugin.worker.learner import Learner
from behavior_plugin.worker.listener import Listener
from behavior_plugin.worker.resources import Resources
from behavior_plugin.worker.service import Service
from behavior_plugin.worker.watch import Watch

# The watcher is a hint that may be lost; this is how long a record may then lie unseen.
RESCAN_S = 5.0
# A worker that has not looked at the spool for so long hangs: nothing it does takes nearly as long.
HUNG_S = 15 * 60.0
# Who waits for the store at least so long is a person at a terminal, and no hook.
PERSON_S = 10.0
LOG_BYTES = 512 * 1024

log = logging.getLogger(__name__)


def main(is_the_one: Callable[[], bool]) -> int:
    """Run the worker until nobody needs it; only for who holds the worker's lock, and as long as that is so.

    Returns 0, or what `behavior` would exit with, or START_ANEW.
    """
    _start_log()
    try:
        return Worker(config.load(), is_the_one).run()
    except BehaviorError as error:
        log.error("%s %s", error, error.hint)
        wake.clear_starting_mark()  # nobody needs to wait for it any more
        return 1
    except Exception as error:
        log.error("the worker ended unexpectedly: %s", describe_for_log(error))
        wake.clear_starting_mark()
        return 3


class Worker:
    """One worker, from start to end. See Desk for what may be asked of it meanwhile."""

    def __init__(self, settings: config.Settings, is_the_one: Callable[[], bool]) -> None:
        self.settings = settings
        self._is_the_one = is_the_one
        self._started = datetime.now(UTC)
        self._engines = Resources(settings)
        self._inbox = Inbox()
        self._learner = Learner(self._inbox, self._engines)
        self._upkeep = Housekeeping(self._inbox)
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._hint = threading.Event()
        self._watch = Watch(self._hint)
        self._is_stopping = False
        self._is_behind = False
        self._needed_at = self._looked_at = time.monotonic()
        self._trouble = ""

    def run(self) -> int:
        """Returns START_ANEW where a new process should take over, else 0."""
        self._listener = self._listen()
        # On a thread: the handler interrupts the main one, which may hold the lock of the hint that it would set.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=self.stop, daemon=True).start())
        self._engines.start_embedder()
        try:
            self._engines.open_store()
            # A prompt needs the embedder too, and waits longer for a worker that has not got it yet.
            self._engines.when_embedder_is_there(wake.clear_starting_mark)
            log.info("the worker %s is up, pid %d", __version__, os.getpid())
            while not self._is_stopping and self._is_the_one():
                self._look()
                if self._upkeep.should_restart():
                    return RESTART
                if not self._is_needed():
                    break
                self._hint.wait(self._pause())
                self._hint.clear()
            return 0
        finally:
            self._listener.leave()
            self._watch.stop()
            self._engines.close_store()
            _leave_short_run_folder()
            log.info("the worker ends")

    # What the desk asks

    def ping(self, version: str) -> str:
        """What a ping is answered: "here", or "leaving" where another worker should be started."""
        if is_newer(version):
            log.info("version %s asks: it takes over", version)
            self.stop()
        looked_at = max(self._looked_at, self._learner.beat)
        return "leaving" if self._is_stopping or time.monotonic() - looked_at > HUNG_S else "here"

    def store(self, within_s: float) -> Store:
        self._needed_at = time.monotonic()
        if within_s >= PERSON_S:
            self._engines.retry_now()
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
            "dropped": self._learner.dropped,
            "last_error": self._engines.last_error or self._learner.last_error or self._trouble,
            "left_in_spool": "; ".join(sorted(set(self._inbox.postponed.copy().values()))),
            **waiting(),
            "oldest_event": oldest(),
        }

    # The loop

    def _look(self) -> None:
        """One round of everything; a part that fails is told, and keeps none of the others from being done."""
        self._trouble, self._is_behind = "", False
        parts = (self._hear_again, self._follow_orders, self._file, self._open_store, self._learn)
        for part in (*parts, self._upkeep.enforce_limits):
            self._looked_at = time.monotonic()
            try:
                part()
            except Exception as error:
                self._trouble = f"{part.__name__.strip('_')}: {type(error).__name__}"
                log.error("%s failed: %s", part.__name__.strip("_"), describe_for_log(error))

    def _listen(self) -> Listener:
        paths.make_run_folder()
        return Listener(paths.worker_socket(), Service(self).answer)

    def _hear_again(self) -> None:
        """Somebody may have tidied up the socket: who cannot be asked counts as gone, and none could take its place."""
        if not self._listener.is_found():
            self._listener = self._listen()

    def _follow_orders(self) -> None:
        while not self._orders.empty():
            self._orders.get()()

    def _file(self) -> None:
        if self._inbox.file_new():
            self._is_behind = True
        self._watch.refresh()

    def _open_store(self) -> None:
        if self._engines.can_retry():
            self._engines.open_store()

    def _learn(self) -> None:
        if self._learner.learn_from_what_is_over(self.settings.settle_s):
            self._is_behind = True

    def _is_needed(self) -> bool:
        """Whether a session is live, or was until a moment ago, or work is left that can be done."""
        now = time.monotonic()
        can_store = self._engines.can_store()
        if any(can_store or session.is_live() for session in self._inbox.sessions.values()):
            self._needed_at = now
        return now - self._needed_at <= self.settings.linger_s or self._is_behind or not self._orders.empty()

    def _pause(self) -> float:
        if self._is_behind and not self._trouble:
            return 0
        is_settling = any(not session.is_live() for session in self._inbox.sessions.values())
        soon = self.settings.settle_s if is_settling else self.settings.linger_s
        return min(RESCAN_S, max(0.05, soon))


def _fulfil(done: Future[Any], what: Callable[[], Any]) -> None:
    try:
        done.set_result(what())
    except Exception as error:
        done.set_exception(error)


def _leave_short_run_folder() -> None:
    """Leave nothing in the temporary folder; the next start makes it again."""
    with contextlib.suppress(OSError):
        link, folder = Path(paths.in_data("run")), Path(paths.run_folder())
        if link.is_symlink():
            link.unlink()  # first: a name that leads nowhere could be taken by somebody else
            shutil.rmtree(folder)


def _start_log() -> None:
    """A log that cannot be written stops nothing."""
    logging.raiseExceptions = False
    handler: logging.Handler = logging.NullHandler()
    with contextlib.suppress(OSError):
        handler = logging.handlers.RotatingFileHandler(
            paths.in_data("worker.log"), maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8"
        )
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler])
    # It writes where the database is, and nothing that we do not say ourselves.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
