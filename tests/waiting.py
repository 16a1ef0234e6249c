"""Wait until something is so: never longer than a deadline, and never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from behavior_plugin.errors import BehaviorError

# Only what hangs takes longer, also where all processors are busy with other tests.
DEADLINE_S = 30.0
POLL_S = 0.01

Found = TypeVar("Found")


def wait_for(
    find: Callable[[], Found | None],
    what: str,
    *,
    within_s: float = DEADLINE_S,
    passing: type[BehaviorError] = BehaviorError,
) -> Found:
    """What `find` returns as soon as that is something. A `passing` error is waited out: a worker is on its way up."""
    deadline = time.monotonic() + within_s
    while True:
        last: BehaviorError | None = None
        try:
            if found := find():
                return found
        except passing as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}") from last
        time.sleep(POLL_S)
