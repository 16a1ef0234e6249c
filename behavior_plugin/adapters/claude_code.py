"""Claude Code: a transcript for each session, in a folder for each directory; its subagents have files of their own.

`projects/<folder>/<session>.jsonl`, and `projects/<folder>/<session>/subagents/agent-<id>.jsonl`, or in old clients
`projects/<folder>/agent-<id>.jsonl`. What a record means is in `transcript`, which also serves live sessions.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from behavior_plugin import calls, transcript
from behavior_plugin.adapters.reading import Reading
from behavior_plugin.adapters.session import Subagents
from behavior_plugin.model import CLAUDE_CODE, Event

NAME, TITLE = CLAUDE_CODE, "Claude Code"

# Of the first lines: some that begin a transcript name no session.
LINES_LOOKED_AT = 20


def folder() -> Path:
    return Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude") / "projects"


def is_log(file: Path, head: bytes) -> bool:
    if file.suffix != ".jsonl" or file.parent.name == "subagents":
        return False
    for line in head.splitlines()[:LINES_LOOKED_AT]:
        with suppress(ValueError, RecursionError):
            record = calls.read_json(line)
            if isinstance(record, dict) and _is_record(record):
                return record.get("isSidechain") is not True or not file.name.startswith("agent-")
    return False


def read(file: Path, reading: Reading) -> Iterator[list[Event]]:
    subagents = Subagents(partial(_places, file), partial(_of_subagent, file.stem, reading), reading)
    lines = reading.lines(file)
    for part in transcript.read_in_parts(lines, session_id=file.stem, skip=partial(reading.skip, file)):
        yield [*part, *subagents.followed(part)]


def _places(file: Path, agent: str) -> Iterable[Path]:
    named = transcript.subagent_file(str(file), agent)
    return [Path(named), file.with_name(f"agent-{agent}.jsonl")] if named else []


def _of_subagent(session_id: str, reading: Reading, place: Path, agent: str) -> list[Event]:
    lines = reading.lines(place)
    return transcript.read(lines, session_id=session_id, agent=agent, skip=partial(reading.skip, place))


def _is_record(record: dict[str, Any]) -> bool:
    """Every version writes these, and no other agent does."""
    return isinstance(record.get("sessionId"), str) and isinstance(record.get("type"), str)
