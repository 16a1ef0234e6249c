"""Enforce the worker's limits now and then, and check whether it should restart.

* The spool (MAX_WAITING and MAX_BYTES in capture/spool.py): beyond them hooks save nothing, and say so.
* A session that the store has not taken for 30 days becomes a dead letter, redacted.
* Dead letters (30 days, a thousand, 256 MB; see dead_letters.py): the oldest are deleted.
* The worker's memory (MAX_MEMORY_BYTES) and its code: it restarts.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from behavior_plugin.capture import spool, wake
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.inbox import Inbox

EVERY_S = 60.0
SELF_EVERY_S = 5.0
KEPT = timedelta(days=30)
# The wall clock may jump, so it counts only once it has said so for this long.
BELIEVED_S = 10 * 60
MAX_MEMORY_BYTES = 1024 * 1024 * 1024

log = logging.getLogger(__name__)


class Overdue:
    """Find sessions and letters that are too old, by remembering since when each has seemed so."""

    def __init__(self, kept: timedelta) -> None:
        self._kept = kept
        self._since: dict[str, float] = {}

    def is_overdue(self, name: str, *, since: datetime, now: datetime) -> bool:
        if now - since <= self._kept:
            self._since.pop(name, None)
            return False
        return time.monotonic() - self._since.setdefault(name, time.monotonic()) >= BELIEVED_S


class CodeChange:
    """Whether the plugin was updated or removed under the worker, by its version file.

    An update from a marketplace lies in another folder; the handshake of a request shows that one.
    """

    def __init__(self) -> None:
        self._at_start = self._last = self._stamp()

    def is_complete(self) -> bool:
        """Whether the file differs from the one at the start, and has not changed since the last call.

        Files are updated one after the other, so the first look may find half an update.
        """
        last, self._last = self._last, self._stamp()
        return self._last != self._at_start and self._last == last

    def _stamp(self) -> tuple[int, int] | None:
        """The file's time and size; None if it is gone."""
        try:
            found = Path(wake.ROOT, "behavior_plugin", "__init__.py").stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size


class Housekeeping:
    """Called on every round of the worker's loop; most of the time it does nothing."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._code = CodeChange()
        self._process = psutil.Process()
        self._sessions, self._letters = Overdue(KEPT), Overdue(dead_letters.KEPT)
        self._due = self._self_due = 0.0

    def enforce_limits(self) -> None:
        """Enforce every limit, at most once a minute."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + EVERY_S
        self._inbox.retry_postponed()
        spool.enforce_limits()
        now = datetime.now(UTC)
        self._set_aside_overdue(now)
        if gone := dead_letters.enforce_limits(lambda letter: self._is_old(letter, now)):
            log.warning("%d dead letters were deleted: they were too old, or too many", gone)
        dead_letters.clean_up()

    def should_restart(self) -> bool:
        """Whether the worker should restart, with the code that is there now; checked every few seconds."""
        if time.monotonic() < self._self_due:
            return False
        self._self_due = time.monotonic() + SELF_EVERY_S
        if self._code.is_complete():
            log.info("the plugin was updated or removed")
            return True
        if self._process.memory_info().rss > MAX_MEMORY_BYTES:
            log.warning("the worker uses more than %d MB", MAX_MEMORY_BYTES >> 20)
            return True
        return False

    def _set_aside_overdue(self, now: datetime) -> None:
        for session in list(self._inbox.sessions.values()):
            if not session.is_live() and self._sessions.is_overdue(session.key, since=session.last_at, now=now):
                self._inbox.dead_letter(session, f"the store has not taken it for {KEPT.days} days")

    def _is_old(self, letter: dead_letters.DeadLetter, now: datetime) -> bool:
        return self._letters.is_overdue(letter.path.name, since=letter.set_aside_at, now=now)
