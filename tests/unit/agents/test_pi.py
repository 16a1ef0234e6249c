"""Logs of Pi become events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from behavior_plugin.agents import agent_of_log, pi
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import DurationSource, Outcome
from tests.factories import TRANSCRIPTS
from tests.logs import Log, episodes, read, summary

HEADER = {
    "type": "session",
    "version": 3,
    "id": "s-1",
    "timestamp": "2026-03-02T09:00:00.000Z",
    "cwd": "/home/dev/shop",
}


def message(second: int, role: str, content: Any, **more: Any) -> dict[str, Any]:
    time = f"2026-03-02T09:00:{second:02}.000Z"
    body = {"role": role, "content": content, "timestamp": 1772442000000 + second * 1000, **more}
    return {"type": "message", "id": f"e{second}", "parentId": None, "timestamp": time, "message": body}


def said(second: int, words: str) -> dict[str, Any]:
    return message(second, "user", [{"type": "text", "text": words}])


def answer(second: int, *calls: tuple[str, str, dict[str, Any]], stop: str = "toolUse") -> dict[str, Any]:
    blocks = [{"type": "toolCall", "id": name, "name": tool, "arguments": given} for name, tool, given in calls]
    return message(second, "assistant", [{"type": "text", "text": "Well."}, *blocks], stopReason=stop)


def result(second: int, name: str, words: str = "", *, is_error: bool = False) -> dict[str, Any]:
    content = [{"type": "text", "text": words}]
    return message(second, "toolResult", content, toolCallId=name, toolName="", isError=is_error)


EDIT = {"path": "shop/tax.py", "oldText": "CONTENTS", "newText": "CONTENTS"}
RECORDS: list[dict[str, Any]] = [
    HEADER,
    {"type": "model_change", "id": "m", "timestamp": "2026-03-02T09:00:00.000Z", "modelId": "x"},
    said(1, "Round the tax once"),
    answer(2, ("c1", "bash", {"command": "make test"}), ("c2", "read", {"path": "shop/tax.py"})),
    result(4, "c1", "1 failed\n\nCommand exited with code 1", is_error=True),
    result(5, "c2", "text"),
    answer(6, ("c3", "edit", EDIT)),
    result(7, "c3", "done"),
    answer(8, stop="stop"),
]
SAMPLE = Log("sessions/--home-dev-shop--/2026_s-1.jsonl", RECORDS)


def test_a_turn_becomes_its_events(tmp_path: Path) -> None:
    """Prompt, calls and outcome are all that there is to learn."""
    events = read(pi.AGENT, SAMPLE.write(tmp_path))

    assert summary(events) == [
        "Round the tax once",
        "Bash make test failed 2000",
        "Read shop/tax.py success 3000",
        "Edit shop/tax.py success 1000",
        "turn_end",
    ]
    assert events[0].prompt_id == "e1"
    assert events[0].session_id == "s-1"
    [episode] = episodes(events)
    assert (episode.judgement.outcome, episode.judgement.because) == (Outcome.PARTIAL, "`make test` failed last")
    assert episode.context.directory == "/home/dev/shop"
    assert episode.context.files_touched == ("shop/tax.py",)
    assert episode.actions[0].error == "1 failed\n\nCommand exited with code 1"
    assert episode.actions[0].duration_source is DurationSource.TRANSCRIPT


def test_a_log_of_the_real_client_is_read() -> None:
    """Version 0.73: a command that failed, and an edit that did not fit."""
    [file] = (TRANSCRIPTS / "pi").iterdir()
    reader = LogReader()

    events = read(pi.AGENT, file, reader)

    assert agent_of_log(file) is pi.AGENT
    assert reader.problems == []
    assert summary(events) == [
        "Fix the greeting",
        "Bash ls nothing-here failed 9",
        "Write a.txt success 2",
        "Read a.txt success 4",
        "Edit a.txt success 3",
        "Edit a.txt failed 1",
        "turn_end",
    ]


def test_a_prompt_typed_while_the_agent_works_steers(tmp_path: Path) -> None:
    """It belongs to the task at hand, and is none of its own."""
    call = answer(3, ("c1", "bash", {"command": "make"}))
    prompts = [said(1, "Build"), said(2, "Build it")]
    log = Log("a.jsonl", [HEADER, *prompts, call, result(4, "c1"), said(5, "and install it somewhere")])

    _, asked, _, steering = read(pi.AGENT, log.write(tmp_path))

    assert steering.prompt == "and install it somewhere"
    assert steering.prompt_id == asked.prompt_id == "e2"


def test_a_stopped_turn_has_no_end(tmp_path: Path) -> None:
    """It did not end well, and the next prompt begins a task of its own."""
    stopped = [said(1, "Build it"), answer(2, ("c1", "bash", {"command": "make"}))]
    stopped += [result(3, "c1", "Command aborted", is_error=True), answer(4, stop="aborted")]
    log = Log("a.jsonl", [HEADER, *stopped, said(5, "Clean it instead")])

    events = read(pi.AGENT, log.write(tmp_path))

    assert summary(events) == ["Build it", "Bash make partial 1000", "Clean it instead"]
    assert events[2].prompt_id == "e5"


def test_a_user_shell_line_is_an_action_of_the_user(tmp_path: Path) -> None:
    """It is no work of the agent's to learn from, and how long it took nobody noted."""
    line = message(1, "bashExecution", None, command="git pull", exitCode=1, cancelled=False)

    events = read(pi.AGENT, Log("a.jsonl", [HEADER, line]).write(tmp_path))

    assert summary(events) == ["user: Bash git pull failed None"]
    assert episodes(events) == []


def test_a_fork_has_only_its_own_work(tmp_path: Path) -> None:
    """Its first records are the other session's, and learned from there."""
    fork = {**HEADER, "id": "s-2", "parentSession": "/s-1.jsonl", "timestamp": "2026-03-02T09:00:09.000Z"}
    log = Log("a.jsonl", [fork, *RECORDS[2:], said(10, "Now the invoice")])

    assert summary(read(pi.AGENT, log.write(tmp_path))) == ["Now the invoice"]


def test_records_of_the_first_version_have_no_ids(tmp_path: Path) -> None:
    """A prompt still needs one, so that it is stored once."""
    records = [{key: value for key, value in record.items() if key != "id"} for record in [said(1, "a"), said(2, "b")]]

    first, second = read(pi.AGENT, Log("a.jsonl", [HEADER, *records]).write(tmp_path))

    assert first.prompt_id
    assert second.prompt_id
    assert first.prompt_id != second.prompt_id


def test_unknown_records_are_counted(tmp_path: Path) -> None:
    """A new version may hold something that we miss."""
    reader = LogReader()
    log = Log("a.jsonl", [HEADER, {"type": "hologram"}, message(1, "oracle", "no"), message(2, "custom", "injected")])

    events = read(pi.AGENT, log.write(tmp_path), reader)

    assert events == []
    assert [(problem.line, problem.reason) for problem in reader.problems] == [
        (2, "the record's type is unknown (hologram)"),
        (3, "the message's role is unknown (oracle)"),
    ]
