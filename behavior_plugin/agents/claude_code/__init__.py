"""Claude Code: a transcript for each session, in a folder for each directory; its subagents have files of their own.

`projects/<folder>/<session>.jsonl`, and `projects/<folder>/<session>/subagents/agent-<id>.jsonl`, or in old clients
`projects/<folder>/agent-<id>.jsonl`. `transcript` reads the records.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from behavior_plugin.agents.agent import Agent, Logs
from behavior_plugin.agents.claude_code import transcript
from behavior_plugin.agents.claude_code.hooks import HOOKS
from behavior_plugin.agents.fields import parse_json
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.subagents import Subagents
from behavior_plugin.model import CLAUDE_CODE, Event

# Some of the first lines of a transcript name no session; this many are searched for one that does.
MAX_HEAD_LINES = 20


def _folders() -> list[Path]:
    return [Path(os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude") / "projects"]


def _is_log(file: Path, head: bytes) -> bool:
    if file.suffix != ".jsonl" or file.parent.name == "subagents":
        return False
    for line in head.splitlines()[:MAX_HEAD_LINES]:
        with suppress(ValueError, RecursionError):
            record = parse_json(line)
            if isinstance(record, dict) and _is_record(record):
                return record.get("isSidechain") is not True or not file.name.startswith("agent-")
    return False


def read(file: Path, reader: LogReader) -> Iterator[list[Event]]:
    subagents = _subagents(file, reader, session_id=file.stem)
    lines = reader.lines(file)
    for part in transcript.read_in_parts(lines, session_id=file.stem, skip=partial(reader.skip, file)):
        yield [*part, *subagents.calls_named_in(part)]


def _read_live(reported: Sequence[Event], reader: LogReader) -> list[Event]:
    """The transcript that hook events name, with the subagents that only they may have named.

    Records of other sessions are skipped: a payload may name any file, and those sessions are stored on their own.
    """
    named = next((event.transcript for event in reversed(reported) if event.transcript), "")
    if not named.endswith(".jsonl"):
        return []
    file, session_id = Path(named), reported[0].session_id
    skip = partial(reader.skip, file)
    own = {event.session_id for event in reported}
    events = transcript.read(reader.lines(file), session_id=session_id, session_ids=own, skip=skip)
    subagents = _subagents(file, reader, session_id=session_id, session_ids=own)
    return [*events, *subagents.calls_named_in(events, also=reported)]


def _subagents(
    file: Path, reader: LogReader, *, session_id: str, session_ids: Collection[str] | None = None
) -> Subagents:
    def read_one(place: Path, subagent: str) -> list[Event]:
        lines, skip = reader.lines(place), partial(reader.skip, place)
        return transcript.read(lines, session_id=session_id, actor=subagent, session_ids=session_ids, skip=skip)

    return Subagents(partial(_places, file), read_one, reader)


def _places(file: Path, subagent: str) -> Iterable[Path]:
    named = transcript.subagent_file(str(file), subagent)
    return [Path(named), file.with_name(f"agent-{subagent}.jsonl")] if named else []


def _is_record(record: dict[str, Any]) -> bool:
    """Every version writes these fields, and no other agent does."""
    return isinstance(record.get("sessionId"), str) and isinstance(record.get("type"), str)


AGENT = Agent(
    CLAUDE_CODE, "Claude Code", Logs(folders=_folders, is_log=_is_log, read=read, read_live=_read_live), HOOKS
)
