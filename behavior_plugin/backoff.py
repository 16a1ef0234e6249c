"""Decide whether something that has failed may be tried again: after each failure in a row later, with jitter."""

from __future__ import annotations

import random
import time

# How long it is left alone after the first failure, and at most.
FIRST_S, MAX_S = 2.0, 60.0


class Backoff:
    """The pause after failures of one thing, such as a server. Safe to use from several threads."""

    def __init__(self) -> None:
        self._not_before, self._pause_s = 0.0, FIRST_S

    def may_try(self) -> bool:
        return time.monotonic() >= self._not_before

    def note_failure(self) -> None:
        """Pause, and after the next failure for twice as long."""
        # Jitter: a team's workers should not all come back at once.
        self._not_before = time.monotonic() + self._pause_s * random.uniform(0.5, 1)  # noqa: S311 - guards nothing
        self._pause_s = min(self._pause_s * 2, MAX_S)

    def note_success(self) -> None:
        """The next failure counts as the first."""
        self._pause_s = FIRST_S

    def end_pause(self) -> None:
        """Allow the next try now: a person asks for it, and may have repaired it."""
        self._not_before = 0.0
