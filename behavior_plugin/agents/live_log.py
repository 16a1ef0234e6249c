"""What the client itself has written of a session. A payload names the file, so it is opened with care."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from behavior_plugin.agents import Reading, claude_code, codex
from behavior_plugin.agents.log_file import regular_file
from behavior_plugin.model import Event

LONGEST = 512 * 1024 * 1024

log = logging.getLogger(__name__)


def recorded(reported: Sequence[Event]) -> list[Event]:
    """The events of the transcript that a session's events name, and of its subagents'; none where it cannot be read.

    `reported` is what hooks told of the session.
    """
    reading = Reading(opener=_own_file)
    try:
        events = _read(reported, reading)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:  # a path may hold a NUL
        log.warning("a transcript was not read: %s", error.strerror if isinstance(error, OSError) else "no path")
        return []
    for problem in reading.problems:
        if problem.line == 0:
            log.warning("a subagent's transcript was not read: %s", problem.reason)
    return events


def _read(reported: Sequence[Event], reading: Reading) -> list[Event]:
    """Where an agent that we do not know keeps its log, and what it holds, is not known either."""
    readers = {claude_code.NAME: _transcript, codex.NAME: _rollout}
    reader = readers.get(reported[0].client) if reported else None
    return reader(reported, reading) if reader else []


def _transcript(reported: Sequence[Event], reading: Reading) -> list[Event]:
    named = next((event.transcript for event in reversed(reported) if event.transcript), "")
    return claude_code.read_live(Path(named), reading, reported) if named.endswith(".jsonl") else []


def _rollout(reported: Sequence[Event], reading: Reading) -> list[Event]:
    """What Codex wrote. A subagent's hooks name a rollout of its own; the session's has the session's name."""
    named = {Path(event.transcript) for event in reported if event.transcript}
    rollouts = [file for file in sorted(named) if codex.thread(file) == reported[0].session_id]
    return [event for file in rollouts[-1:] for part in codex.read(file, reading) for event in part]


def _own_file(path: str, flags: int) -> int:
    """Opened without following a link. Raises OSError where it is no file of ours, or too long."""
    file = regular_file(path, flags | os.O_NOFOLLOW)
    found = os.fstat(file)
    if found.st_uid == os.geteuid() and found.st_size <= LONGEST:
        return file
    os.close(file)
    raise OSError(0, "not a file of this user's, or longer than 512 MB")
