"""Forget the oldest work by itself, as the settings `keep_days` and `keep_megabytes` ask; by default nothing.

A day goes as a whole, and of a size a tenth more than it must, so that the database's files are rewritten seldom.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from behavior_plugin import api
from behavior_plugin.config import Settings
from behavior_plugin.store import Selection, Store

EVERY_S = 60 * 60.0
# Not right after the start: the clock of a machine that wakes may still be wrong, and what is deleted is gone.
FIRST_AFTER_S = 60.0
# The share of the limit that is kept when it is exceeded.
KEPT = 0.9
BYTES_PER_MB = 1_000_000

log = logging.getLogger(__name__)


class Forgetter(Protocol):
    def run(self, selection: Selection, store: Store, *, is_marked: bool) -> api.ForgetReport: ...


class Resources(Protocol):
    def can_store(self) -> bool: ...
    def store(self, within_s: float) -> Store: ...


class Retention:
    """Called when nothing else is to be done; looks once an hour. Only for the main thread."""

    def __init__(self, settings: Settings, resources: Resources, forgetter: Forgetter) -> None:
        self._days = settings.keep_days
        self._bytes = settings.keep_megabytes * BYTES_PER_MB
        self._resources = resources
        self._forgetter = forgetter
        self._due = time.monotonic() + FIRST_AFTER_S

    def enforce(self) -> None:
        """Forget what is too old or too much. A failure is repaired by a later call."""
        if not (self._days or self._bytes) or time.monotonic() < self._due or not self._resources.can_store():
            return
        self._due = time.monotonic() + EVERY_S
        store = self._resources.store(0)
        if self._days:
            today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            self._forget_before(today - timedelta(days=self._days), store)
        if self._bytes and store.size(int(self._bytes)).beyond and (at := store.size(int(self._bytes * KEPT)).beyond):
            self._forget_before(at + timedelta(microseconds=1), store)

    def _forget_before(self, moment: datetime, store: Store) -> None:
        """Without marks: whoever imports old logs again sees them go again."""
        if not store.has_work_before(moment):
            return
        done = self._forgetter.run(Selection(until=moment), store, is_marked=False)
        log.info("work from before %s was forgotten, as the settings ask: %d pieces", moment.date(), done.episodes)
