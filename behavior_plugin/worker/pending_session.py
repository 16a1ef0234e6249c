"""A session that waits in the spool: what is known of it, and whether it is live or over.

The wall clock jumps, so it is asked but once: whether a client's process is as old as the event that names it. From
then on the kernel's own count tells it from a later one with its number. Silence is measured by the monotonic clock,
which stands still while the machine sleeps.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Self

import psutil

from behavior_plugin.model import Event, EventKind
from behavior_plugin.worker import PROBE

# A session whose client is not known counts as over after this much silence.
SILENCE_S = 30 * 60


TURNS = (EventKind.SESSION_START, EventKind.PROMPT, EventKind.CALL_END, EventKind.SESSION_END)


class AgentProcess:
    """The process that an event came from, as it was then."""

    def __init__(self, pid: int, since: datetime) -> None:
        self.pid = pid
        try:
            process = psutil.Process(pid)
            self._process = process if process.create_time() <= since.timestamp() + 1 else None
        except psutil.Error:
            self._process = None

    @classmethod
    def of(cls, event: Event) -> Self | None:
        """Nothing where it is not known, or runs on another machine or in another container that shares the folder."""
        is_here = event.machine in ("", os.uname().nodename) and event.pid_space in (None, _pid_space())
        return cls(event.agent_pid, event.at) if is_here and event.agent_pid else None

    def is_running(self) -> bool:
        try:
            return bool(self._process and self._process.is_running() and self._process.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False


@cache
def _pid_space() -> int | None:
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return None


@dataclass
class PendingSession:
    """A session that is not stored yet. `seen` is monotonic: when its last event was filed.

    `last_at` is when that was noted, by the wall clock. `proofs` is what proves that an event belongs to it, and
    `follows` the session that the same client had before. `delays` counts how often the store did not take it, `tries`
    how often it failed by itself, and `read` has the names of the records that were learned from. `turned_at` is the
    order of the newest event that began or ended it.
    """

    key: str
    session_id: str
    last_at: datetime
    client: AgentProcess | None = None
    follows: str | None = None
    proofs: set[str] = field(default_factory=set)
    seen: float = field(default_factory=time.monotonic)
    is_ended: bool = False
    turned_at: int = 0
    delays: int = 0
    tries: int = 0
    read: set[str] = field(default_factory=set)

    @property
    def is_probe(self) -> bool:
        return self.session_id.startswith(PROBE)

    def note(self, event: Event) -> None:
        """Take in what an event says, in the order of arrival."""
        self.seen = time.monotonic()
        self.last_at = max(self.last_at, event.at)
        is_other = self.client is None or self.client.pid != event.agent_pid
        if event.agent_pid and (is_other or event.kind is EventKind.SESSION_START):
            self.client = AgentProcess.of(event)
        # Taken up again under its old id, by a start or a prompt; any other event after the end is only late. Events
        # may be found in another order than they came: a folder that is listed while it is written to may miss one.
        if event.kind in TURNS and event.order >= self.turned_at:
            self.turned_at = event.order
            self.is_ended = event.kind is EventKind.SESSION_END

    def is_over(self, quiet_s: float) -> bool:
        """Ended, or left by its client, and quiet for long enough that no event is still on its way."""
        return self.quiet_s() >= (quiet_s if self.is_ended or self.client else SILENCE_S) and not self.is_live()

    def is_live(self) -> bool:
        if self.is_ended:
            return False
        return self.client.is_running() if self.client else self.quiet_s() < SILENCE_S

    def quiet_s(self) -> float:
        return time.monotonic() - self.seen
