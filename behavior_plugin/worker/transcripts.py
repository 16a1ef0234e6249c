"""What the client itself has written of a session. A payload names the file, so it is opened with care."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from behavior_plugin.adapters import Reading, codex
from behavior_plugin.calls import LONGEST_LINE
from behavior_plugin.model import MAIN, USER, Event
from behavior_plugin.transcript import read, subagent_file

LONGEST = 512 * 1024 * 1024
MOST_SUBAGENTS = 500

log = logging.getLogger(__name__)


def recorded(reported: Sequence[Event]) -> list[Event]:
    """The events of the transcript that a session's events name, and of its subagents'; none where it cannot be read.

    `reported` is what hooks told of the session.
    """
    if reported and reported[0].client == codex.NAME:
        return _rollout(reported)
    named = next((event.transcript for event in reversed(reported) if event.transcript), None)
    if not named or not named.endswith(".jsonl"):
        return []
    session_ids = {event.session_id for event in reported}
    events = _read(named, reported[0].session_id, MAIN, session_ids)
    done = {MAIN, USER}
    while new := sorted(_agents([*reported, *events]) - done)[: MOST_SUBAGENTS - len(done)]:
        for agent in new:
            if file := subagent_file(named, agent):
                events += _read(file, reported[0].session_id, agent, session_ids)
        done.update(new)
    return events


class _Carefully(Reading):
    """A log of parts that only its adapter knows: each is opened as a transcript is."""

    def lines(self, file: Path) -> Iterator[bytes]:
        with open(file, "rb", opener=_regular_file) as log:
            yield from _lines(log)


def _rollout(reported: Sequence[Event]) -> list[Event]:
    """What Codex wrote. A subagent's hooks name a rollout of its own; the session's has the session's name."""
    named = {Path(event.transcript) for event in reported if event.transcript}
    rollouts = [file for file in sorted(named) if codex.thread(file) == reported[0].session_id]
    try:
        return [event for file in rollouts[-1:] for part in codex.read(file, _Carefully()) for event in part]
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        log.warning("a transcript was not read: %s", _why(error))
        return []


def _agents(events: Sequence[Event]) -> set[str]:
    actions = [event.action for event in events if event.action]
    return {agent for action in actions for agent in (action.agent, action.started_agent) if agent}


def _read(path: str, session_id: str, agent: str, session_ids: set[str]) -> list[Event]:
    try:
        with open(path, "rb", opener=_regular_file) as file:
            return read(_lines(file), session_id=session_id, agent=agent, session_ids=session_ids)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:  # a path may hold a NUL
        log.warning("a transcript was not read: %s", _why(error))
        return []


def _why(error: OSError | ValueError) -> str | None:
    return error.strerror if isinstance(error, OSError) else "no path"


def _regular_file(path: str, _: int) -> int:
    """Opened without following a link and without waiting for a pipe.

    Raises OSError where it is no file of ours, or too long.
    """
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    found = os.fstat(file)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_size <= LONGEST:
        return file
    os.close(file)
    raise OSError(0, "not a file of this user's, or longer than 512 MB")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Line by line; one that is too long comes in pieces, of which none is read as a record."""
    return iter(lambda: file.readline(LONGEST_LINE + 1), b"")
