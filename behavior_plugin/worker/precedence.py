"""Let prompts go first: Python runs one thread at a time, and a prompt waits for a moment only."""

from __future__ import annotations

import sys
import threading
from types import TracebackType

# Learning waits no longer than this, however many prompts there are.
PATIENCE_S = 1.0
# How long a thread computes before another one may: each time a prompt waits for anything else, it waits so long to go
# on. Ten times less than usual.
SWITCH_S = 0.0005


class Precedence:
    """`with precedence:` is around the answer to a prompt; other work waits for its end. For several threads."""

    def __init__(self) -> None:
        sys.setswitchinterval(SWITCH_S)
        self._prompts = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._prompts += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._prompts -= 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until no prompt is being answered, for a second at most."""
        with self._changed:
            self._changed.wait_for(lambda: not self._prompts, PATIENCE_S)
