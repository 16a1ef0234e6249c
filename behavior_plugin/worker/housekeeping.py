"""What is looked after now and then: that nothing grows without bounds, and that the worker is still the right one.

The spool, MAX_WAITING records or MAX_BYTES (capture/spool.py): from then on hooks keep nothing, and say so.
A session that the store has not taken for 30 days is set aside, without its secrets.
Dead letters, 30 days, a thousand, or 256 MB (dead.py): the oldest are deleted.
The worker's memory, MAX_MEMORY_BYTES, and its code, once it is other code: it starts anew.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

import psutil

from behavior_plugin.capture import spool
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.code import Code
from behavior_plugin.worker.inbox import Inbox

EVERY_S = 60.0
SELF_EVERY_S = 5.0
KEPT = timedelta(days=30)
# The wall clock may jump, so it is believed only when it has said so for this long.
BELIEVED_S = 10 * 60
MAX_MEMORY_BYTES = 1024 * 1024 * 1024

log = logging.getLogger(__name__)


class Overdue:
    """What has waited for too long: remembers since when each thing seems too old."""

    def __init__(self, kept: timedelta) -> None:
        self._kept = kept
        self._since: dict[str, float] = {}

    def is_overdue(self, name: str, *, since: datetime, now: datetime) -> bool:
        if now - since <= self._kept:
            self._since.pop(name, None)
            return False
        return time.monotonic() - self._since.setdefault(name, time.monotonic()) >= BELIEVED_S


class Housekeeping:
    """To be asked on every look of the worker's; most of the time it does nothing."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._code = Code()
        self._process = psutil.Process()
        self._sessions, self._letters = Overdue(KEPT), Overdue(dead_letters.KEPT)
        self._due = self._self_due = 0.0

    def enforce_limits(self) -> None:
        """Once a minute."""
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
        """Whether the worker should start anew, with the code that is there now; looked at every few seconds."""
        if time.monotonic() < self._self_due:
            return False
        self._self_due = time.monotonic() + SELF_EVERY_S
        if self._code.has_changed():
            log.info("the code has changed")
            return True
        if self._process.memory_info().rss > MAX_MEMORY_BYTES:
            log.warning("the worker has grown beyond %d MB", MAX_MEMORY_BYTES >> 20)
            return True
        return False

    def _set_aside_overdue(self, now: datetime) -> None:
        for session in list(self._inbox.sessions.values()):
            if not session.is_live() and self._sessions.is_overdue(session.key, since=session.last_at, now=now):
                self._inbox.dead_letter(session, f"the store has not taken it for {KEPT.days} days")

    def _is_old(self, letter: dead_letters.DeadLetter, now: datetime) -> bool:
        return self._letters.is_overdue(letter.path.name, since=letter.set_aside_at, now=now)
