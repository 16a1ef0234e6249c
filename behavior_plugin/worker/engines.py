"""What a worker runs on: the embedder, loaded once, and the store, opened anew wherever it fails.

The store is opened and closed on the main thread, which lives as long as an embedded server should; every thread asks.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from behavior_plugin.config import Settings
from behavior_plugin.embed import Embedder, open_embedder
from behavior_plugin.errors import BehaviorError, EmbedError, StoreUnavailableError, told
from behavior_plugin.store import OpenStore, PostgresStore, open_store

# How long a store that cannot be reached is left alone, at first and at most.
RETRY_S, LONGEST_RETRY_S = 2.0, 60.0

log = logging.getLogger(__name__)


class Engines:
    """The store and the embedder of one worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Future[OpenStore] = Future()
        self._embedder: Future[Embedder | None] = Future()
        self._embedder_problem = ""
        self._retry_at, self._retry_s = 0.0, RETRY_S
        self.last_error = ""

    def store(self, within_s: float) -> PostgresStore:
        """The store, once it is open. Raises StoreUnavailableError where it is not in time."""
        try:
            return self._store.result(within_s).patterns
        except FutureTimeoutError:
            raise StoreUnavailableError(self.last_error or "The pattern store is still starting.") from None

    def embedder(self, within_s: float) -> Embedder | None:
        """The embedder, once it is loaded; None where there is none, and words must do."""
        try:
            return self._embedder.result(within_s)
        except FutureTimeoutError:
            raise EmbedError("The embedder is still starting.") from None

    def start_embedder(self) -> None:
        """Load the embedder beside whatever else is done."""
        threading.Thread(target=self._load_embedder, daemon=True).start()

    def when_embedder_is_there(self, do: Callable[[], None]) -> None:
        """Do something as soon as the embedder can be asked, or is known to be missing."""
        self._embedder.add_done_callback(lambda _: do())

    def open_store(self) -> None:
        """Open the store where it is not open."""
        if self._store.done():
            return
        try:
            self._store.set_result(open_store(self._settings))
            self.last_error = ""
        except BehaviorError as error:
            self.put_off(error)
        except Exception as error:  # whatever it is, it is told, and tried again later
            self.put_off(StoreUnavailableError(f"The pattern store cannot be opened: {told(error)}"))

    def close_store(self) -> None:
        """Also of use where a store has failed: the next try opens it anew, with its server."""
        if self._store.done():
            opened, self._store = self._store.result(), Future()
            opened.close()

    def can_store(self) -> bool:
        """Whether the store is open, and has not failed a moment ago."""
        return self._store.done() and self.may_try()

    def may_try(self) -> bool:
        return time.monotonic() >= self._retry_at

    def put_off(self, error: BehaviorError) -> None:
        """Leave the store alone for a while, and after each failure for longer."""
        log.warning("%s", error)
        self.last_error = str(error)
        # Not all of a team at the same moment, when their server is back.
        self._retry_at = time.monotonic() + self._retry_s * random.uniform(0.5, 1)  # noqa: S311 - guards nothing
        self._retry_s = min(self._retry_s * 2, LONGEST_RETRY_S)

    def went_well(self) -> None:
        self._retry_s = RETRY_S

    def status(self) -> dict[str, Any]:
        opened = self._store  # once: it may be closed and opened anew meanwhile
        store = opened.result() if opened.done() else None
        embedder = self._embedder.result() if self._embedder.done() else None
        return {
            "store": store.where if store else "not open",
            "patterns": _count(store.patterns) if store else None,
            "embedder": embedder.model if embedder else "none, full text search only",
            "embedder_problem": self._embedder_problem,
        }

    def _load_embedder(self) -> None:
        try:
            self._embedder.set_result(open_embedder(self._settings.embedder))
        except Exception as error:  # whoever waits for the embedder must get an answer
            log.warning("no embedder, full text search only: %s", told(error))
            self._embedder_problem = told(error)
            self._embedder.set_result(None)


def _count(patterns: PostgresStore) -> int | None:
    """What is not known is left open: that the store fails is what the state must tell."""
    try:
        return patterns.count()
    except BehaviorError:
        return None
