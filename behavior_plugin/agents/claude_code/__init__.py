"""Claude Code: a transcript for each session, in a folder for each directory; its subagents have files of their own.

`projects/<folder>/<session>.jsonl`, and `projects/<folder>/<session>/subagents/agent-<id>.jsonl`, or in old clients
`projects/<folder>/agent-<id>.jsonl`. What a record means is in `transcript`, which also serves live sessions.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from behavior_plugin.agents import fields
from behavior_plugin.agents.claude_code import transcript
from behavior_plugin.agents.log_file import Reading
from behavior_plugin.agents.subagents import Subagents
from behavior_plugin.model import CLAUDE_CODE, Event

NAME, TITLE = CLAUDE_CODE, "Claude Code"

# Of the first lines: some that begin a transcript name no session.
LINES_LOOKED_AT = 20


def folders() -> list[Path]:
    return [Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude") / "projects"]


def is_log(file: Path, head: bytes) -> bool:
    if file.suffix != ".jsonl" or file.parent.name == "subagents":
        return False
    for line in head.splitlines()[:LINES_LOOKED_AT]:
        with suppress(ValueError, RecursionError):
            record = fields.read_json(line)
            if isinstance(record, dict) and _is_record(record):
                return record.get("isSidechain") is not True or not file.name.startswith("agent-")
    return False


def read(file: Path, reading: Reading) -> Iterator[list[Event]]:
    subagents = _subagents(file, reading, session_id=file.stem)
    lines = reading.lines(file)
    for part in transcript.read_in_parts(lines, session_id=file.stem, skip=partial(reading.skip, file)):
        yield [*part, *subagents.followed(part)]


def read_live(file: Path, reading: Reading, reported: Sequence[Event]) -> list[Event]:
    """The events of a session of which hooks have told as well, with the subagents that only they may have named.

    Records of other sessions are passed over: a payload may name any file, and those sessions have theirs stored.
    """
    name, skip = reported[0].session_id, partial(reading.skip, file)
    own = {event.session_id for event in reported}
    events = transcript.read(reading.lines(file), session_id=name, session_ids=own, skip=skip)
    subagents = _subagents(file, reading, session_id=name, session_ids=own)
    return [*events, *subagents.followed(events, also=reported)]


def _subagents(
    file: Path, reading: Reading, *, session_id: str, session_ids: Collection[str] | None = None
) -> Subagents:
    def read_one(place: Path, agent: str) -> list[Event]:
        lines, skip = reading.lines(place), partial(reading.skip, place)
        return transcript.read(lines, session_id=session_id, agent=agent, session_ids=session_ids, skip=skip)

    return Subagents(partial(_places, file), read_one, reading)


def _places(file: Path, agent: str) -> Iterable[Path]:
    named = transcript.subagent_file(str(file), agent)
    return [Path(named), file.with_name(f"agent-{agent}.jsonl")] if named else []


def _is_record(record: dict[str, Any]) -> bool:
    """Every version writes these, and no other agent does."""
    return isinstance(record.get("sessionId"), str) and isinstance(record.get("type"), str)
