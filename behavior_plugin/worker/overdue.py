"""What has waited for too long. The wall clock may jump, so it is believed only when it has said so for a while."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

BELIEVED_S = 10 * 60


class Overdue:
    """Remembers since when each thing seems too old."""

    def __init__(self, kept: timedelta) -> None:
        self._kept = kept
        self._since: dict[str, float] = {}

    def is_overdue(self, name: str, *, since: datetime, now: datetime) -> bool:
        if now - since <= self._kept:
            self._since.pop(name, None)
            return False
        return time.monotonic() - self._since.setdefault(name, time.monotonic()) >= BELIEVED_S
