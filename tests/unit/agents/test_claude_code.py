"""Claude Code's logs: a session with its subagents, from the files that the client wrote."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import agent_of_log, claude_code
from behavior_plugin.agents.log_file import HEAD_BYTES, LogReader
from behavior_plugin.patterns.reconcile import reconcile
from tests.factories import SESSIONS, TRANSCRIPTS, recorded_events
from tests.logs import UNREADABLE, Log, make_unreadable, read, summary

LOG = TRANSCRIPTS / "print-subagents.jsonl"


def record(second: int, kind: str, content: Any, **more: Any) -> dict[str, Any]:
    message = {"role": kind, "content": content, "stop_reason": more.pop("stop_reason", None)}
    place = {"sessionId": "s-1", "cwd": "/home/dev/shop", "gitBranch": "main", "isSidechain": False}
    time = f"2026-03-02T09:00:{second:02}.000Z"
    return {"type": kind, "uuid": f"u{second}", "timestamp": time, **place, "message": message, **more}


def call(second: int, name: str, tool: str, **given: Any) -> dict[str, Any]:
    return record(second, "assistant", [{"type": "tool_use", "id": name, "name": tool, "input": given}])


def result(second: int, name: str, **response: Any) -> dict[str, Any]:
    block = {"type": "tool_result", "tool_use_id": name, "content": ""}
    return record(second, "user", [block], toolUseResult=response)


SAMPLE = Log(
    "projects/-home-dev-shop/s-1.jsonl",
    [
        record(1, "user", "Round the tax once", promptId="p1"),
        call(2, "c1", "Bash", command="make test"),
        result(3, "c1", stdout="ok"),
        call(4, "c2", "Edit", file_path="/home/dev/shop/tax.py", old_string="CONTENTS", new_string="CONTENTS"),
        result(5, "c2", originalFile="CONTENTS"),
        record(6, "assistant", [{"type": "text", "text": "Done."}], stop_reason="end_turn"),
    ],
)


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_includes_its_subagents_calls(session: str) -> None:
    """The same as live sessions have it from the same files."""
    assert reconcile([], read(claude_code.AGENT, TRANSCRIPTS / f"{session}.jsonl")) == reconcile(
        [], recorded_events(session)
    )


def test_old_clients_keep_a_subagents_file_beside_the_sessions(tmp_path: Path) -> None:
    """It is found there too."""
    shutil.copy(LOG, tmp_path)
    for file in (TRANSCRIPTS / "print-subagents" / "subagents").glob("*.jsonl"):
        shutil.copy(file, tmp_path)

    assert read(claude_code.AGENT, tmp_path / LOG.name) == read(claude_code.AGENT, LOG)


def test_missing_subagent_files_are_no_problem(tmp_path: Path) -> None:
    """A fork has none, and they may have been swept."""
    shutil.copy(LOG, tmp_path)

    events = read(claude_code.AGENT, tmp_path / LOG.name)

    assert {event.action.actor for event in events if event.action} == {"main"}


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_subagent_file_costs_only_its_own_calls(what: str, tmp_path: Path) -> None:
    """The rest of the session is read, and the user sees which file to look at."""
    shutil.copy(LOG, tmp_path)
    folder = shutil.copytree(LOG.with_suffix(""), tmp_path / LOG.stem) / "subagents"
    bad, other = (folder / f"agent-{agent}.jsonl" for agent in SESSIONS[LOG.stem])
    make_unreadable(bad, what)
    reader = LogReader()

    events = read(claude_code.AGENT, tmp_path / LOG.name, reader)

    assert [(problem.file, problem.line) for problem in reader.problems] == [(bad, 0)]
    agents = {event.action.actor for event in events if event.action}
    assert agents == {"main", other.stem.removeprefix("agent-")}
    assert summary(event for event in events if event.action and event.action.actor == "main") == summary(
        event for event in read(claude_code.AGENT, LOG) if event.action and event.action.actor == "main"
    )


def test_problems_name_their_file_and_line(tmp_path: Path) -> None:
    """A person can then look at it; all else is read."""
    torn = tmp_path / "torn.jsonl"
    torn.write_bytes(LOG.read_bytes() + b'{"type":"from-the-future"}\n{"type":"user","mess')
    reader = LogReader()

    events = read(claude_code.AGENT, torn, reader)

    lines = len(LOG.read_bytes().splitlines())
    assert len(events) == len(
        [event for event in read(claude_code.AGENT, LOG) if not event.action or event.action.actor == "main"]
    )
    assert [(problem.file, problem.line) for problem in reader.problems] == [(torn, lines + 1), (torn, lines + 2)]
    assert reader.skipped == 2


def test_progress_counts_every_byte() -> None:
    """The progress bar shows this number."""
    sizes: list[int] = []

    read(claude_code.AGENT, TRANSCRIPTS / "print-fix-and-follow-up.jsonl", LogReader(sizes.append))

    assert sum(sizes) == (TRANSCRIPTS / "print-fix-and-follow-up.jsonl").stat().st_size


def test_a_session_that_begins_with_a_picture_is_recognised(tmp_path: Path) -> None:
    """The first record with a session id may be longer than the head of the file."""
    first = {
        "type": "user",
        "message": {"role": "user", "content": "x" * 2 * HEAD_BYTES},
        "sessionId": "s",
        "uuid": "u",
    }
    log = tmp_path / "s.jsonl"
    log.write_text(json.dumps(first) + "\n")

    assert agent_of_log(log) is claude_code.AGENT


def test_a_deeply_nested_record_costs_only_itself(tmp_path: Path) -> None:
    """One line of a forged log must not end the import of all others."""
    log = tmp_path / "s.jsonl"
    log.write_bytes(LOG.read_bytes() + b'{"sessionId":"s","type":' + b"[" * 900 + b"]" * 900 + b"}\n")
    reader = LogReader()

    events = read(claude_code.AGENT, log, reader)

    assert len(events) == len(
        [event for event in read(claude_code.AGENT, LOG) if not event.action or event.action.actor == "main"]
    )
    assert [problem.line for problem in reader.problems] == [len(LOG.read_bytes().splitlines()) + 1]
