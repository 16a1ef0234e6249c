"""Logs of Gemini CLI become events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import agent_of_log, gemini
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import Outcome
from tests.factories import TRANSCRIPTS
from tests.logs import UNREADABLE, Log, episodes, make_unreadable, read, summary

HEADER = {
    "sessionId": "s-1",
    "projectHash": "0a1b2c",
    "startTime": "2026-03-02T09:00:00.000Z",
    "lastUpdated": "2026-03-02T09:00:00.000Z",
}


def message(second: int, kind: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"id": f"m{second}", "timestamp": time(second), "type": kind, "content": content, **more}


def said(second: int, words: str, **more: Any) -> dict[str, Any]:
    return message(second, "user", [{"text": words}], **more)


def call(
    second: int, name: str, tool: str, output: str = "", *, status: str = "success", **given: Any
) -> dict[str, Any]:
    answer = {"functionResponse": {"id": name, "name": tool, "response": {"output": output}}}
    return {"id": name, "name": tool, "args": given, "result": [answer], "status": status, "timestamp": time(second)}


def time(second: int) -> str:
    return f"2026-03-02T09:00:{second:02}.000Z"


EDIT = {"file_path": "/home/dev/shop/tax.py", "old_string": "CONTENTS", "new_string": "CONTENTS"}
CALLS = [
    call(
        4,
        "c1",
        "run_shell_command",
        "<untrusted_context>\nOutput: 1 failed\nExit Code: 2\nProcess Group PGID: 7\n</untrusted_context>",
        command="make test",
    ),
    call(4, "c2", "read_file", "text", absolute_path="/home/dev/shop/tax.py"),
]
RECORDS: list[dict[str, Any]] = [
    {**HEADER, "kind": "main"},
    said(
        1,
        "Round the tax once\n--- Content from referenced files ---",
        displayContent=[{"text": "Round the tax once"}],
    ),
    message(2, "gemini", "I will look."),
    {"$set": {"lastUpdated": time(2)}},
    message(2, "gemini", "I will look.", toolCalls=CALLS),
    message(5, "gemini", "", toolCalls=[call(5, "c3", "replace", "done", **EDIT)]),
    message(9, "gemini", "It is rounded once.", tokens={"total": 3}),
]
SAMPLE = Log("tmp/shop/chats/session-2026-03-02T09-00-s1.jsonl", RECORDS)


def test_a_turn_becomes_its_events(tmp_path: Path) -> None:
    """A message is written again when its calls have ended, and a command that failed has succeeded in running."""
    events = read(gemini.AGENT, SAMPLE.write(tmp_path))

    assert [line for line in summary(events) if line != "turn_end"] == [
        "Round the tax once",
        "Bash make test failed 2000",
        "Read /home/dev/shop/tax.py success 2000",
        "Edit /home/dev/shop/tax.py success None",
    ]
    assert events[0].prompt_id == "m1"
    assert events[0].session_id == "s-1"
    [episode] = episodes(events)
    assert (episode.judgement.outcome, episode.judgement.because) == (Outcome.PARTIAL, "`make test` failed last")
    assert episode.actions[2].duration_source is None


def test_a_log_of_the_real_client_is_read() -> None:
    """Version 0.61: a command that failed, and an edit that did not fit."""
    [file] = (TRANSCRIPTS / "gemini").iterdir()
    reader = LogReader()

    events = read(gemini.AGENT, file, reader)

    assert agent_of_log(file) is gemini.AGENT
    assert reader.problems == []
    assert summary(events) == [
        "Fix the greeting @a.txt please",
        "turn_end",
        "Bash ls nothing-here failed 54",
        "Write /home/dev/shop/a.txt success 9",
        "LS /home/dev/shop success 9",
        "Read /home/dev/shop/a.txt success 15",
        "Edit /home/dev/shop/a.txt success 6",
        "Edit /home/dev/shop/a.txt failed 10",
        "Grep two success 30",
        "Bash sleep 1; cat a.txt success 1046",
        "turn_end",
    ]


def test_the_directory_comes_from_the_project_root(tmp_path: Path) -> None:
    """The log has only a hash of it."""
    file = SAMPLE.write(tmp_path)
    (tmp_path / "tmp/shop/.project_root").write_text("/home/dev/shop\n", encoding="utf-8")

    [episode] = episodes(read(gemini.AGENT, file))

    assert episode.context.directory == "/home/dev/shop"
    assert episode.context.files_touched == ("tax.py",)


def test_a_document_has_the_same_events(tmp_path: Path) -> None:
    """Older versions wrote the whole session again at each step; newer ones take that over into lines."""
    messages = [said(1, "Build it"), message(2, "gemini", "I will.", toolCalls=[CALLS[0]])]
    lines = [HEADER, *messages]

    old = read(gemini.AGENT, Log("session-a.json", {**HEADER, "messages": messages}).write(tmp_path))

    assert summary(old) == ["Build it", "Bash make test failed 2000"]
    assert old == read(gemini.AGENT, Log("session-a.jsonl", lines).write(tmp_path))


def test_repeated_messages_count_once(tmp_path: Path) -> None:
    """A compressed history has summaries in the user's place; a rewind does not undo the work."""
    compressed = message(11, "user", [{"text": "<state_snapshot>..."}])
    results = message(12, "user", [{"functionResponse": {"id": "c1"}}, {"text": "Mind the tests."}])
    again: list[dict[str, Any]] = [
        {"$set": {"messages": RECORDS[1:4]}},
        {"$rewindTo": "m2"},
        *RECORDS[1:4],
        compressed,
        results,
    ]

    events = read(gemini.AGENT, SAMPLE.write(tmp_path))
    more = read(gemini.AGENT, Log("b.jsonl", [*RECORDS, *again]).write(tmp_path))

    assert summary(more) == summary(events)


def test_a_stopped_turn_has_no_end(tmp_path: Path) -> None:
    """A call that was cancelled, or took too long, neither worked nor failed."""
    cancelled = call(3, "c1", "run_shell_command", status="cancelled", command="make")
    late = call(
        3, "c2", "run_shell_command", "<untrusted_context>\nCommand was automatically cancelled", command="serve"
    )
    stopped = [said(1, "Build it"), message(2, "gemini", "", toolCalls=[cancelled, late])]
    log = Log("a.jsonl", [HEADER, *stopped, message(4, "info", "Request cancelled."), said(5, "Clean it")])

    events = read(gemini.AGENT, log.write(tmp_path))

    assert summary(events) == ["Build it", "Bash make partial 1000", "Bash serve partial 1000", "Clean it"]


def test_a_subagents_calls_follow_the_call_that_started_it(tmp_path: Path) -> None:
    """Its log lies in a folder that is named as the session is."""
    started = {**call(5, "c1", "invoke_agent", agent_name="explorer", prompt="Look"), "agentId": "a-1"}
    asked = [said(1, "Find the tax"), message(2, "gemini", "", toolCalls=[started]), message(6, "gemini", "Found.")]
    inner = [said(2, "Look"), message(3, "gemini", "", toolCalls=[call(4, "a-1#0", "glob", pattern="tax*")])]
    file = Log("chats/session-a.jsonl", [HEADER, *asked]).write(tmp_path)
    Log("chats/s-1/a-1.jsonl", [{**HEADER, "sessionId": "a-1", "kind": "subagent"}, *inner]).write(tmp_path)

    events = read(gemini.AGENT, file)

    assert summary(events) == [
        "Find the tax",
        "Agent explorer success 3000",
        "a-1: Glob tax* success 1000",
        "turn_end",
    ]
    [episode] = episodes(events)
    assert episode.judgement.outcome is Outcome.SUCCESS


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_subagent_log_costs_only_its_own_calls(what: str, tmp_path: Path) -> None:
    """The rest of the session is read, and the user sees which file to look at."""
    started = {**call(5, "c1", "invoke_agent", agent_name="explorer"), "agentId": "a-1"}
    asked = [said(1, "Find the tax"), message(2, "gemini", "", toolCalls=[started]), message(6, "gemini", "Found.")]
    file = Log("chats/session-a.jsonl", [HEADER, *asked]).write(tmp_path)
    bad = Log("chats/s-1/a-1.jsonl", [HEADER]).write(tmp_path)
    make_unreadable(bad, what)
    reader = LogReader()

    events = read(gemini.AGENT, file, reader)

    assert summary(events) == ["Find the tax", "Agent explorer success 3000", "turn_end"]
    assert [(problem.file, problem.line) for problem in reader.problems] == [(bad, 0)]


def test_a_subagents_log_is_skipped(tmp_path: Path) -> None:
    """Nobody typed its task, and its calls are read with the session that started it."""
    reader = LogReader()
    file = Log("chats/s-1/a.jsonl", [{**HEADER, "kind": "subagent"}, said(1, "Find the tax")]).write(tmp_path)

    assert agent_of_log(file) is None
    assert read(gemini.AGENT, file, reader) == []
    assert reader.skipped == 1


def test_unknown_messages_are_counted(tmp_path: Path) -> None:
    """A new version may hold something that we miss."""
    reader = LogReader()

    read(gemini.AGENT, Log("a.jsonl", [HEADER, message(1, "hologram", "")]).write(tmp_path), reader)

    assert [problem.reason for problem in reader.problems] == ["the message's type is unknown (hologram)"]
