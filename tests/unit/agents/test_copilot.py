"""Logs of Copilot CLI become events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from behavior_plugin.agents import copilot
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import Outcome
from tests.logs import Log, episodes, read, summary


def event(second: int, kind: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
    time = f"2026-03-02T09:00:{second:02}.000Z"
    return {"type": kind, "data": data, "id": f"e{second}", "timestamp": time, "parentId": None, **more}


PLACE = {"cwd": "/home/dev/shop", "gitRoot": "/home/dev/shop", "branch": "main", "repository": "dev/shop"}
START = event(0, "session.start", {"sessionId": "s-1", "version": 1, "producer": "copilot-agent", "context": PLACE})


def said(second: int, words: str, **more: Any) -> dict[str, Any]:
    return event(second, "user.message", {"content": words, "transformedContent": f"<date>{words}", **more})


def call(second: int, name: str, tool: str, arguments: Any, **more: Any) -> dict[str, Any]:
    return event(second, "tool.execution_start", {"toolCallId": name, "toolName": tool, "arguments": arguments}, **more)


def result(second: int, name: str, content: str = "", **more: Any) -> dict[str, Any]:
    data = {"toolCallId": name, "success": True, "result": {"content": content}, **more}
    return event(second, "tool.execution_complete", data)


def answer(second: int, *requests: str) -> list[dict[str, Any]]:
    asked = [{"toolCallId": name} for name in requests]
    message = event(second, "assistant.message", {"content": "", "toolRequests": asked})
    return [message, event(second, "assistant.turn_end", {"turnId": "0"})]


SAMPLE = Log(
    "session-state/s-1/events.jsonl",
    [
        START,
        event(1, "hook.start", {"hookType": "userPromptSubmitted"}),
        said(2, "Round the tax once"),
        *answer(3, "c1", "c2"),
        call(3, "c1", "bash", {"command": "make test", "description": "Test"}),
        call(3, "c2", "view", {"path": "/home/dev/shop/tax.py"}),
        result(4, "c2", "1. text"),
        result(5, "c1", "1 failed\n<shellId: 0 completed with exit code 2>"),
        call(6, "c3", "edit", {"path": "/home/dev/shop/tax.py", "old_str": "CONTENTS", "new_str": "CONTENTS"}),
        result(7, "c3"),
        call(7, "c4", "create", {"path": "/home/dev/shop/new.py", "file_text": "CONTENTS"}),
        result(8, "c4"),
        *answer(9),
    ],
)


def test_a_turn_becomes_its_events(tmp_path: Path) -> None:
    """A command that failed has run, and is a success for the client; its last line says otherwise."""
    events = read(copilot.AGENT, SAMPLE.write(tmp_path))

    assert summary(events) == [
        "Round the tax once",
        "Bash make test failed 2000",
        "Read /home/dev/shop/tax.py success 1000",
        "Edit /home/dev/shop/tax.py success 1000",
        "Write /home/dev/shop/new.py success 1000",
        "turn_end",
    ]
    assert events[0].prompt_id == "e2"
    [episode] = episodes(events)
    assert (episode.judgement.outcome, episode.judgement.because) == (Outcome.PARTIAL, "`make test` failed last")
    assert (episode.context.directory, episode.context.branch) == ("/home/dev/shop", "main")
    assert episode.context.files_touched == ("tax.py", "new.py")


def test_a_rejected_call_is_partial_and_a_failed_one_failed(tmp_path: Path) -> None:
    """One that the user did not allow neither worked nor failed."""
    calls = [call(1, name, "web_fetch", {"url": name}) for name in ("a", "b", "c")]
    refused = {"message": "The user rejected this tool call.", "code": "rejected"}
    broken = {"message": "Path does not exist", "code": "failure"}
    results = [result(2, "a", success=False, error=refused), result(2, "b", success=False, error=broken)]

    events = read(copilot.AGENT, Log("a.jsonl", [START, *calls, *results]).write(tmp_path))

    assert summary(events) == ["WebFetch a partial 1000", "WebFetch b failed 1000", "WebFetch c partial None"]
    assert events[1].action
    assert events[1].action.error == "Path does not exist"


def test_text_in_the_users_place_is_no_prompt(tmp_path: Path) -> None:
    """Otherwise skills and the autopilot would be learned as tasks of people."""
    injected = [said(1, "skill text", source="skill-pdf"), said(2, "Go on", isAutopilotContinuation=True)]
    inner = said(3, "Find the tax")
    subagents = {**inner, "agentId": "a-1"}

    events = read(copilot.AGENT, Log("a.jsonl", [START, *injected, subagents, said(4, "Mine")]).write(tmp_path))

    assert summary(events) == ["Mine"]


def test_a_prompt_typed_while_the_agent_works_steers(tmp_path: Path) -> None:
    """Newer versions say how a message was delivered; in older ones it stands between the calls."""
    working = [START, said(1, "Build it"), call(2, "c1", "bash", {"command": "make"})]
    log = Log("a.jsonl", [*working, said(3, "with docs", delivery="steering"), said(4, "and tests")])
    queued = Log("b.jsonl", [*working, said(3, "Then deploy it", delivery="queued")])

    assert [event.prompt_id for event in read(copilot.AGENT, log.write(tmp_path)) if event.prompt] == ["e1", "e1", "e1"]
    assert [event.prompt_id for event in read(copilot.AGENT, queued.write(tmp_path)) if event.prompt] == ["e1", "e3"]


def test_a_stopped_turn_has_no_end(tmp_path: Path) -> None:
    """Its last step may have ended before, which is not the turn's end."""
    stopped = [said(1, "Build it"), *answer(2, "c1"), call(2, "c1", "bash", {"command": "make"}), result(3, "c1")]
    abort = event(4, "abort", {"reason": "user_initiated"})

    events = read(copilot.AGENT, Log("a.jsonl", [START, *stopped, abort, said(5, "Clean it")]).write(tmp_path))

    assert summary(events) == ["Build it", "Bash make success 1000", "Clean it"]
    assert events[2].prompt_id == "e5"


def test_a_subagents_calls_follow_the_call_that_started_it(tmp_path: Path) -> None:
    """Newer versions name the subagent, older ones its call."""
    records = [
        START,
        said(1, "Look around"),
        call(2, "c1", "task", {"prompt": "look", "agent_type": "explore"}),
        event(2, "subagent.started", {"toolCallId": "c1", "agentName": "explore"}, agentId="a-1"),
        call(3, "c2", "bash", {"command": "other"}),
        call(4, "c3", "grep", {"pattern": "tax"}, agentId="a-1"),
        event(5, "tool.execution_start", {"toolCallId": "c4", "toolName": "glob", "parentToolCallId": "c1"}),
        event(6, "assistant.message", {"content": "Found", "toolRequests": []}, agentId="a-1"),
        event(6, "assistant.turn_end", {}),
        result(7, "c1"),
    ]

    [episode] = episodes(read(copilot.AGENT, Log("a.jsonl", records).write(tmp_path)))

    assert [(action.id, action.actor) for action in episode.actions] == [
        ("c1", "main"),
        ("c3", "c1"),
        ("c4", "c1"),
        ("c2", "main"),
    ]
    assert episode.judgement.outcome is Outcome.PARTIAL


def test_a_patch_is_an_edit_of_its_files(tmp_path: Path) -> None:
    """It reads like the edits of other agents, and none of it is kept."""
    patch = "*** Begin Patch\n*** Update File: a.py\n+CONTENTS\n*** Add File: b.py\n+x\n*** End Patch"
    records = [START, call(1, "c1", "apply_patch", patch), result(2, "c1")]

    [edit] = read(copilot.AGENT, Log("a.jsonl", records).write(tmp_path))

    assert edit.action
    assert (edit.action.tool, edit.action.parameters) == ("Edit", {"file_path": "a.py"})
    assert edit.files == ("a.py", "b.py")


def test_mcp_tools_have_our_names(tmp_path: Path) -> None:
    """The same server serves several agents."""
    data = {"toolCallId": "c1", "toolName": "x", "mcpServerName": "github", "mcpToolName": "get_issue"}
    own = event(1, "tool.user_requested", {"toolCallId": "c2", "toolName": "bash"})
    line = call(2, "c2", "bash", '{"command": "git pull"}')

    events = read(
        copilot.AGENT, Log("a.jsonl", [START, event(1, "tool.execution_start", data), own, line]).write(tmp_path)
    )

    assert summary(events) == ["mcp__github__get_issue  partial None", "user: Bash git pull partial None"]


def test_unknown_records_are_counted(tmp_path: Path) -> None:
    """A new version may hold something that we miss."""
    reader = LogReader()

    read(copilot.AGENT, Log("a.jsonl", [START, event(1, "hologram.shown", {})]).write(tmp_path), reader)

    assert [problem.reason for problem in reader.problems] == ["the record's type is unknown (hologram.shown)"]
