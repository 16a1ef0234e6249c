"""Wait for a condition: never longer than a deadline, and never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from behavior_plugin.errors import BehaviorError

# Only a hang takes longer, even with all processors busy with other tests.
DEADLINE_S = 30.0
POLL_S = 0.01

Found = TypeVar("Found")


def wait_for(
    find: Callable[[], Found | None],
    description: str,
    *,
    within_s: float = DEADLINE_S,
    passing: type[BehaviorError] = BehaviorError,
) -> Found:
    """Call `find` until it returns something, and return that. Retry on `passing` errors, as of a starting worker."""
    deadline = time.monotonic() + within_s
    while True:
        last: BehaviorError | None = None
        try:
            if found := find():
                return found
        except passing as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {description}") from last
        time.sleep(POLL_S)
