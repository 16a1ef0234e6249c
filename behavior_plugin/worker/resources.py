"""The worker's store and embedder: the embedder is loaded once, the store opened again whenever it fails.

The store is opened and closed on the main thread, which lives as long as an embedded server should. Every thread uses
it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any

from behavior_plugin.backoff import Backoff
from behavior_plugin.config import Settings
from behavior_plugin.embed import Embedder, Embedders, open_embedder
from behavior_plugin.errors import BehaviorError, EmbedError, StoreUnavailableError, describe_for_log
from behavior_plugin.store import Store
from behavior_plugin.store.opening import OpenStore, open_store
from behavior_plugin.worker import NOT_OPEN

POLL_S = 0.05

log = logging.getLogger(__name__)


class Resources:
    """The store and the embedder of one worker."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: Future[OpenStore] = Future()
        self._embedder: Future[Embedder | None] = Future()
        self.embedder_problem = self._embedder_hint = ""
        self._backoff = Backoff()
        self._failed_openings = 0
        self.last_error = self._hint = ""

    def store(self, within_s: float) -> Store:
        """The store, once it is open.

        Raises:
            StoreUnavailableError: it is not open in time, or a try to open it has just failed: the caller gets the
                reason at once, without waiting for the tries that follow.
        """
        deadline, failed_before = time.monotonic() + within_s, self._failed_openings
        while True:
            left = deadline - time.monotonic()
            try:
                return self._store.result(max(0, min(POLL_S, left))).patterns
            except FutureTimeoutError:
                if left <= POLL_S or self._failed_openings > failed_before:
                    raise self._why_not_open() from None

    def embedder(self, within_s: float) -> Embedder | None:
        """The embedder, once it is loaded; None if there is none, and prompts are compared by their letters."""
        try:
            return self._embedder.result(within_s)
        except FutureTimeoutError:
            raise EmbedError("The embedder is still starting.") from None

    def has_embedder(self) -> bool:
        """Whether the embedder is loaded, or known to be missing."""
        return self._embedder.done()

    def close_embedder(self) -> None:
        """End the processes that embedders have."""
        if self._embedder.done() and isinstance(embedder := self._embedder.result(), Embedders):
            embedder.close()

    def start_embedder(self) -> None:
        """Load the embedder on a thread of its own."""
        threading.Thread(target=self._load_embedder, daemon=True).start()

    def when_embedder_is_there(self, do: Callable[[], None]) -> None:
        """Run something as soon as the embedder is loaded, or known to be missing."""
        self._embedder.add_done_callback(lambda _: do())

    def open_store(self) -> None:
        """Open the store unless it is open."""
        if self._store.done():
            return
        try:
            self._store.set_result(open_store(self._settings))
            self.last_error = self._hint = ""
        except BehaviorError as error:
            self._opening_failed(error)
        except Exception as error:  # whatever it is, it is logged, and tried again later
            self._opening_failed(
                StoreUnavailableError(f"The pattern store cannot be opened: {describe_for_log(error)}")
            )

    def close_store(self) -> None:
        """Close the store; after a failure the next try then opens it again, with its server."""
        if self._store.done():
            opened, self._store = self._store.result(), Future()
            opened.close()

    def rewrite_files(self) -> str:
        """Free the database's files of deleted rows, on the main thread; returns the reason if it was not possible."""
        try:
            return self._store.result(0).rewrite_files()
        except (FutureTimeoutError, BehaviorError) as error:
            return str(error) or "the pattern store is not open"

    def can_store(self) -> bool:
        """Whether the store is open, and has not failed a moment ago."""
        return self._store.done() and self.can_retry()

    def retry_now(self) -> None:
        """Open the store at the next round, if it is not open: a person asks for it, and may have repaired it."""
        if not self._store.done():
            self._backoff.end_pause()

    def can_retry(self) -> bool:
        return self._backoff.may_try()

    def back_off(self, error: BehaviorError) -> None:
        """Do not try the store for a while, and after each failure for longer."""
        log.warning("%s", error)
        self.last_error, self._hint = str(error), error.hint
        self._backoff.note_failure()

    def reset_backoff(self) -> None:
        """The store has answered."""
        self._backoff.note_success()
        self.last_error = self._hint = ""

    def status(self) -> dict[str, Any]:
        opened = self._store  # once: it may be closed and opened again meanwhile
        store = opened.result() if opened.done() else None
        return {
            "store": store.where if store else NOT_OPEN,
            "patterns": _count(store.patterns) if store else None,
            "to_redact_again": _to_redact_again(store.patterns) if store else 0,
            "embedder": self._embedder_named(),
            "embedder_problem": self.embedder_problem or self._problem_of_others(),
            "embedder_hint": self._embedder_hint,
        }

    def _embedder_named(self) -> str:
        if not self._embedder.done():
            return "still loading"
        embedder = self._embedder.result()
        return embedder.model if embedder else "none, prompts are compared by their letters"

    def _problem_of_others(self) -> str:
        embedder = self._embedder.result() if self._embedder.done() else None
        return embedder.problem if isinstance(embedder, Embedders) else ""

    def _opening_failed(self, error: BehaviorError) -> None:
        self.back_off(error)
        self._failed_openings += 1

    def _why_not_open(self) -> StoreUnavailableError:
        """Always of this class, whatever the store refused: no session may become a dead letter for it."""
        return StoreUnavailableError(self.last_error or "The pattern store is still starting.", hint=self._hint)

    def _load_embedder(self) -> None:
        try:
            self._embedder.set_result(open_embedder(self._settings.embedder))
        except Exception as error:  # threads that wait for the embedder must get an answer
            log.warning("no embedder, prompts are compared by their letters: %s", describe_for_log(error))
            self.embedder_problem = describe_for_log(error)
            if isinstance(error, EmbedError):
                self._embedder_hint = error.hint
            self._embedder.set_result(None)


def _to_redact_again(patterns: Store) -> int:
    try:
        found = patterns.to_redact()
    except BehaviorError:
        return 0
    return found.sessions + found.remarks


def _count(patterns: Store) -> int | None:
    """None if the store fails: the status still reports the rest."""
    try:
        return patterns.count()
    except BehaviorError:
        return None
