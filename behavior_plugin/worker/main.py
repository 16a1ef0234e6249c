"""The worker's main loop: up as fast as it can, and gone a few minutes after the last live session.

Three kinds of threads matter. The main one owns the embedded server and the spool; one loads the embedder beside it;
the listener's answer requests. Work on the spool that a request asks for runs as a task on the main thread.
"""

from __future__ import annotations

import contextlib
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
from io import TextIOWrapper
from typing import Any, TypeVar

from behavior_plugin import __version__, api, config, exclude
from behavior_plugin.capture import paths, wake
from behavior_plugin.errors import BehaviorError, describe_for_log
from behavior_plugin.worker import RESTART
from behavior_plugin.worker.housekeeping import Housekeeping
from behavior_plugin.worker.inbox import Inbox, backlog, oldest
from behavior_plugin.worker.learner import Learner
from behavior_plugin.worker.listener import Listener
from behavior_plugin.worker.renewal import Renewal
from behavior_plugin.worker.resources import Resources
from behavior_plugin.worker.retention import Retention
from behavior_plugin.worker.routes import Routes
from behavior_plugin.worker.service import Service
from behavior_plugin.worker.troubles import save_trouble, trouble_of
from behavior_plugin.worker.watch import Watch

# The watcher's hints may be lost; a record may then lie unseen for so long.
RESCAN_S = 5.0
# A worker that has not looked at the spool for so long hangs: nothing it does takes nearly as long.
HUNG_S = 15 * 60.0
# A caller that waits for the store at least so long is a person at a terminal, and no hook.
PERSON_S = 10.0
LOG_BYTES = 512 * 1024

log = logging.getLogger(__name__)


T = TypeVar("T")


def main(holds_lock: Callable[[], bool]) -> int:
    """Run the worker until it is not needed, or does not hold the worker's lock any more.

    Returns 0, or the exit status that `behavior` would have, or RESTART.
    """
    _start_log()
    changed = file_changes()
    try:
        settings = config.load()
        config.apply_environment(settings)
        return Worker(settings, holds_lock, is_outdated=changed).run_until_unneeded()
    except BehaviorError as error:
        log.error("%s %s", error, error.hint)
        save_trouble(f"the worker cannot run: {error}")
        wake.clear_starting_mark()  # nobody needs to wait for it any more
        return 1
    except Exception as error:
        log.error("the worker ended unexpectedly: %s", describe_for_log(error))
        wake.clear_starting_mark()
        return 3


def file_changes() -> Callable[[], bool]:
    """A function that reports whether config.toml has changed since this call."""

    def state() -> tuple[int, ...]:
        try:
            found = config.config_file().stat()
        except OSError:
            return ()
        return found.st_ino, found.st_mtime_ns, found.st_size

    before = state()
    return lambda: state() != before


class Worker:
    """One worker, from start to end. The service calls its public methods from other threads."""

    def __init__(
        self, settings: config.Settings, holds_lock: Callable[[], bool], *, is_outdated: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._holds_lock = holds_lock
        self._has_old_settings = is_outdated
        self._started = datetime.now(UTC)
        self._resources = Resources(settings)
        self._inbox = Inbox(self.let_prompts_go_first)
        self._learner = Learner(self._inbox, self._resources)
        self._renewal = Renewal(self._resources)
        self._housekeeping = Housekeeping(self._inbox)
        self.service = Service(settings, resources=self._resources, learner=self._learner, loop=self)
        self._retention = Retention(settings, self._resources, self.service.forgetter)
        self._routes = Routes(self.service, settings, self)
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._hint = threading.Event()
        self._watch = Watch(self._hint)
        self._is_stopping = False
        self._is_behind = self._has_vectors_to_make = False
        self._needed_at = self._looked_at = time.monotonic()
        self._trouble = ""
        self._reported: str | None = None
        self._exclusions: exclude.Exclusions | None = None

    def run_until_unneeded(self) -> int:
        """Returns RESTART if a new process should take over, else 0."""
        self._listener = self._listen()
        # On a thread: the handler interrupts the main one, which may hold the lock of the hint that it would set.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=self.stop, daemon=True).start())
        self._resources.start_embedder()
        try:
            self._resources.open_store()
            # A prompt needs the embedder too, and waits longer for a worker that has not got it yet.
            self._resources.when_embedder_is_there(wake.clear_starting_mark)
            log.info("the worker %s is up, pid %d", __version__, os.getpid())
            while not self._is_stopping and self._holds_lock():
                if self._has_old_settings():
                    log.info("config.toml has changed")
                    return RESTART
                self._look()
                if self._housekeeping.should_restart():
                    return RESTART
                if not self._is_needed():
                    break
                self._hint.wait(self._pause())
                self._hint.clear()
            return 0
        finally:
            self._listener.leave()
            wake.clear_starting_mark()  # if it had not come up whole
            self._watch.stop()
            self._resources.close_store()
            self._resources.close_embedder()
            paths.leave_short_run_folder()
            log.info("the worker ends")

    def ping(self) -> api.Pong:
        return api.Pong(version=__version__, pid=os.getpid())

    def is_leaving(self) -> bool:
        """Whether another worker should be started: this one is about to end, or hangs."""
        if self._has_old_settings():
            self._hint.set()
            return True
        looked_at = max(self._looked_at, self._learner.last_heartbeat)
        return self._is_stopping or time.monotonic() - looked_at > HUNG_S

    def stop(self) -> None:
        self._is_stopping = True
        self._hint.set()

    def need_store(self, within_s: float) -> None:
        """Stay for a caller that needs the store, and open it now if the caller can wait for that."""
        self._needed_at = time.monotonic()
        if within_s >= PERSON_S:
            self._resources.retry_now()
            self._hint.set()

    def compute_soon(self) -> None:
        """Have the patterns computed in the next round: there is new evidence."""
        self._learner.mark_stale()
        self._hint.set()

    def run(self, task: Callable[[], T], within_s: float) -> T:
        """Run a task on the main thread, and wait for its result."""
        done: Future[T] = Future()
        self._tasks.put(lambda: _fulfil(done, task))
        self._hint.set()
        return done.result(within_s)

    def status(self) -> api.Status:
        waiting = backlog()
        return api.Status(
            version=__version__,
            pid=os.getpid(),
            started_at=self._started,
            **self._resources.status(),
            live_sessions=sum(session.is_live() for session in self._inbox.sessions.copy().values()),
            learned=self._learner.learned,
            dropped=self._learner.dropped,
            left_out=self._learner.left_out,
            last_error=self._resources.last_error or self._learner.last_error or self._trouble,
            left_in_spool="; ".join(sorted(set(self._inbox.postponed.copy().values()))),
            **waiting.model_dump(),
            oldest_event=oldest(),
            vectors_to_renew=self._renewal.left,
            vectors_of_other_models=self._renewal.others,
            unreadable_projects=self._renewal.unreadable_projects,
        )

    def _look(self) -> None:
        """One round of everything. A part that fails is logged, and the others still run."""
        self._trouble, self._is_behind = "", False
        parts = [self._listen_again, self._sync_exclusions, self._run_tasks, self._file]
        if not paths.planted_links():  # filing reports them, the others would follow them
            parts += [self._open_store, self._learn, self._compute]
            parts += [self._renew_vectors, self._housekeeping.enforce_limits, self._retain]
        for part in parts:
            self._looked_at = time.monotonic()
            self.let_prompts_go_first()
            try:
                part()
            except Exception as error:
                is_ours = isinstance(error, BehaviorError)
                self._trouble = str(error) if is_ours else f"{part.__name__.strip('_')}: {type(error).__name__}"
                log.error("%s failed: %s", part.__name__.strip("_"), describe_for_log(error))
        self._report_trouble()

    def let_prompts_go_first(self) -> None:
        """Wait for the prompts that are being answered, unless they wait for the store, which this thread opens."""
        if self._resources.can_store():
            self.service.precedence.wait()

    def _report_trouble(self) -> None:
        """Save what is wrong for the next session's start, which cannot wait for a worker."""
        found = trouble_of(
            not_learning=self._resources.last_error or self._trouble,
            embedder_problem=self._resources.embedder_problem,
        )
        if found != self._reported:
            self._reported = found
            save_trouble(found)

    def _listen(self) -> Listener:
        paths.make_run_folder()
        return Listener(paths.worker_socket(), self._routes)

    def _listen_again(self) -> None:
        """Recreate the socket if it was deleted; otherwise we are unreachable but still hold the lock."""
        if not self._listener.is_found():
            self._listener = self._listen()

    def _sync_exclusions(self) -> None:
        """Write the exclusions for hooks, when they have changed."""
        if (found := exclude.current()) is not self._exclusions:
            self._exclusions = exclude.sync()
            log.info("%d pauses, %d excluded projects", len(found.pauses), len(found.exclude_projects))

    def _run_tasks(self) -> None:
        while not self._tasks.empty():
            self._tasks.get()()

    def _file(self) -> None:
        if self._inbox.file_new():
            self._is_behind = True
        while self._inbox.compacted:
            self.service.rearm(*self._inbox.compacted.popleft())
        self._watch.refresh()

    def _open_store(self) -> None:
        if self._resources.can_retry():
            self._resources.open_store()

    def _learn(self) -> None:
        if self._learner.learn_from_what_is_over(self._settings.settle_s):
            self._is_behind = True

    def _compute(self) -> None:
        """Once for all the sessions that wait to be learned from."""
        if not self._is_behind and self._learner.compute():
            self._renewal.look_again()

    def _renew_vectors(self) -> None:
        """Only when nothing else waits. A worker that is not needed leaves all the same; the next one goes on."""
        self._has_vectors_to_make = not self._is_behind and self._tasks.empty() and self._renewal.work()

    def _retain(self) -> None:
        """Only when nothing else waits."""
        if not self._is_behind and self._tasks.empty():
            self._retention.enforce()

    def _is_needed(self) -> bool:
        """Whether a session is live, or was until a moment ago, or work is left that can be done."""
        now = time.monotonic()
        can_store = self._resources.can_store()
        if any(can_store or session.is_live() for session in self._inbox.sessions.values()):
            self._needed_at = now
        return now - self._needed_at <= self._settings.idle_timeout_s or self._is_behind or not self._tasks.empty()

    def _pause(self) -> float:
        if (self._is_behind or self._has_vectors_to_make) and not self._trouble:
            return 0
        is_settling = any(not session.is_live() for session in self._inbox.sessions.values())
        soon = self._settings.settle_s if is_settling else self._settings.idle_timeout_s
        return min(RESCAN_S, max(0.05, soon))


def _fulfil(done: Future[Any], task: Callable[[], Any]) -> None:
    try:
        done.set_result(task())
    except Exception as error:
        done.set_exception(error)


class _LogFile(logging.handlers.RotatingFileHandler):
    """The log's file, which may not be a link; renaming and deleting it does not follow one anyway."""

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return TextIOWrapper(os.fdopen(paths.open_carefully(self.baseFilename, flags), "ab"), encoding=self.encoding)


def _start_log() -> None:
    """A log that cannot be written stops nothing."""
    logging.raiseExceptions = False
    handler: logging.Handler = logging.NullHandler()
    with contextlib.suppress(OSError):
        handler = _LogFile(paths.in_data("worker.log"), maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", handlers=[handler])
    # It writes where the database is, and nothing that we do not say ourselves.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
