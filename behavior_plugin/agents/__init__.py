"""The logs that agents keep of their own sessions: whose one is, where they lie, how one is read. One module an agent.

docs/adapters.md tells how to add one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from behavior_plugin.agents import claude_code, codex, copilot, gemini, opencode, pi
from behavior_plugin.agents.log_file import HEAD_BYTES, Reading
from behavior_plugin.model import Event

__all__ = ["ADAPTERS", "Adapter", "Reading", "adapter_for", "named"]


class Adapter(Protocol):
    """What a module here has. `NAME` is what `--agent` takes and provenance keeps, `TITLE` is for people."""

    NAME: str
    TITLE: str

    def folders(self) -> list[Path]:
        """Where this agent keeps its logs, unless told otherwise; they need not be there."""
        ...

    def is_log(self, file: Path, head: bytes) -> bool:
        """Whether a file that begins so is the log of one session or of many, and not a part of another's."""
        ...

    def read(self, file: Path, reading: Reading) -> Iterator[list[Event]]:
        """The events of one session, in parts that each hold whole pieces of work.

        Of a file that holds many sessions, those of one after the other, and no part has two.

        Raises:
            OSError: the file cannot be read. All else that is wrong is told to `reading`, and passed over.
        """
        ...


ADAPTERS: tuple[Adapter, ...] = (claude_code, codex, copilot, gemini, opencode, pi)


def named(name: str) -> Adapter:
    """Raises KeyError for an agent that is not known."""
    return {adapter.NAME: adapter for adapter in ADAPTERS}[name]


def adapter_for(file: Path, among: tuple[Adapter, ...] = ADAPTERS) -> Adapter | None:
    """The adapter that can read a file; None where it is no log of those.

    Raises:
        OSError: the file cannot be read.
    """
    head = Reading().head(file, HEAD_BYTES)
    return next((adapter for adapter in among if adapter.is_log(file, head)), None)
