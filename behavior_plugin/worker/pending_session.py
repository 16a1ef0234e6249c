"""A session that waits in the spool, and whether it is live or over.

The wall clock jumps, so it is read only once: to see whether an agent's process is as old as the event that names it.
From then on the kernel's own start time distinguishes it from a later process with the same pid. Silence is measured by
the monotonic clock, which stands still while the machine sleeps.
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

from behavior_plugin.agents.payload import EventHeader
from behavior_plugin.model import EventKind
from behavior_plugin.worker import PROBE

# A session whose agent process is unknown counts as over after this much silence.
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
    def of(cls, header: EventHeader) -> Self | None:
        """None if it is unknown, or runs on another machine or in another container that shares the folder."""
        is_here = header.machine in ("", os.uname().nodename) and header.pid_space in (None, _pid_space())
        return cls(header.agent_pid, header.at) if is_here and header.agent_pid else None

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

    `last_at` is when that event was saved, by the wall clock. Events with one of `correlation_keys` belong to it, and
    `follows` is the session that the same process had before. `delays` counts how often the store did not take it,
    `tries` how often it failed by itself, and `read` has the names of the records that were learned from. `turned_at`
    is the order of the newest event that began or ended it, in the run `boot` of the machine.
    """

    key: str
    session_id: str
    last_at: datetime
    process: AgentProcess | None = None
    follows: str | None = None
    correlation_keys: set[str] = field(default_factory=set)
    seen: float = field(default_factory=time.monotonic)
    is_ended: bool = False
    turned_at: int = 0
    boot: str | None = None
    delays: int = 0
    tries: int = 0
    read: set[str] = field(default_factory=set)

    @property
    def is_probe(self) -> bool:
        return self.session_id.startswith(PROBE)

    def note(self, header: EventHeader) -> None:
        """Update the session by one of its events, in the order of arrival."""
        self.seen = time.monotonic()
        self.last_at = max(self.last_at, header.at)
        is_other = self.process is None or self.process.pid != header.agent_pid
        if header.agent_pid and (is_other or header.kind is EventKind.SESSION_START):
            self.process = AgentProcess.of(header)
        # A start or a prompt resumes a session under its old id; any other event after the end is only late. A
        # directory listing taken during writes can miss a file, so events may be read out of order.
        # After the machine was started again, the order begins anew.
        is_newer = header.order >= self.turned_at or header.boot != self.boot
        if header.kind in TURNS and is_newer:
            self.turned_at, self.boot = header.order, header.boot
            self.is_ended = header.kind is EventKind.SESSION_END

    def is_over(self, quiet_s: float) -> bool:
        """Whether it has ended, or its agent is gone, and it has been quiet for so long that no event is on its way."""
        return self.quiet_s() >= (quiet_s if self.is_ended or self.process else SILENCE_S) and not self.is_live()

    def is_live(self) -> bool:
        if self.is_ended:
            return False
        return self.process.is_running() if self.process else self.quiet_s() < SILENCE_S

    def quiet_s(self) -> float:
        return time.monotonic() - self.seen
