"""A call has the same verdict whichever source reports it: a hook's payload, or the agent's own log."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import codex, read_record
from behavior_plugin.agents.claude_code import transcript
from behavior_plugin.agents.session_log import SessionLog
from behavior_plugin.model import Action, Event, EventKind, Outcome, Verdict
from tests.factories import PAYLOADS, SESSIONS, START, recorded_events
from tests.logs import read

FAILING = "F\n1 failed, 2 passed in 0.1s\n"


def commands(events: Iterable[Event]) -> dict[tuple[str | None, str], Action]:
    """The commands among events by id and text: the scripted sessions use the same ids again."""
    actions = [event.action for event in events if event.action and event.action.tool == "Bash"]
    return {(action.id, action.parameters["command"]): action for action in actions}


def reported(folder: str, client: str) -> list[Event]:
    """The events in the recorded payloads."""
    files = sorted((PAYLOADS / folder).glob("PostToolUse*.json"))
    return [read_record({"event": file.stem.partition("-")[0], "client": client}, file.read_bytes()) for file in files]


def assert_agree(by_hooks: list[Event], by_log: list[Event]) -> None:
    here, there = commands(by_hooks), commands(by_log)
    both = here.keys() & there.keys()
    assert len(both) >= 2
    assert any(there[key].verdict for key in both)
    assert {key: here[key].verdict for key in both} == {key: there[key].verdict for key in both}


def test_hooks_and_transcripts_of_claude_code_agree() -> None:
    """Both were recorded in the same sessions."""
    assert_agree(reported("", "claude-code"), [event for name in SESSIONS for event in recorded_events(name)])


def result(content: Any, response: Any, **block: Any) -> list[Event]:
    """A transcript with one failing test run."""
    call = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "make test"}}
    said = {"type": "tool_result", "tool_use_id": "t1", "content": content, **block}
    records = [
        {"type": "assistant", "uuid": "a", "message": {"content": [call]}},
        {"type": "user", "uuid": "b", "message": {"content": [said]}, "toolUseResult": response},
    ]
    return transcript.read([json.dumps(record).encode() for record in records], session_id="s")


@pytest.mark.parametrize(
    ("content", "response"),
    [
        (FAILING, {"stdout": FAILING, "stderr": ""}),
        (FAILING, None),
        ([{"type": "text", "text": FAILING}], "Error: x"),
        # The client shortens a long output in the message, and saves it in a file.
        ("<persisted-output>\nPreview\n</persisted-output>", {"stdout": "x\n" * 99 + FAILING, "stderr": ""}),
        (FAILING, {"stdout": "F", "stderr": ""}),
    ],
)
def test_the_longer_text_of_a_result_is_read(content: Any, response: Any) -> None:
    """One of the two may be cut."""
    [event] = result(content, response)

    assert event.action
    assert event.action.verdict == Verdict(passed=2, failed=1)


def test_a_refused_call_has_no_verdict() -> None:
    """The client's words are no output of the command."""
    [event] = result("<tool_use_error>Error: 1 failed</tool_use_error>", None, is_error=True)

    assert event.action
    assert (event.action.outcome, event.action.verdict) == (Outcome.FAILED, None)


def test_a_line_of_the_users_own_shell_has_a_verdict() -> None:
    """Its output is a record of its own."""
    texts = ["<bash-input>make test</bash-input>", f"<bash-stdout>{FAILING}</bash-stdout><bash-stderr></bash-stderr>"]
    lines = [{"type": "user", "uuid": text[:9], "message": {"content": text}} for text in texts]

    [event] = transcript.read([json.dumps(line).encode() for line in lines], session_id="s")

    assert event.action
    assert event.action.verdict == Verdict(passed=2, failed=1)


def test_transcripts_have_closing_words() -> None:
    """The last text of the agent, which may stand in a record after the thinking that ended the turn."""
    closings = [
        event.closing for event in recorded_events("print-fix-and-follow-up") if event.kind is EventKind.TURN_END
    ]
    assert closings
    assert all(closings)


def assistant(kind: str, text: str, **message: Any) -> dict[str, Any]:
    return {"type": "assistant", "uuid": text, "message": {"content": [{"type": kind, kind: text}], **message}}


@pytest.mark.parametrize("is_thinking_last", [False, True])
def test_a_turn_ends_after_the_text_that_follows_thinking(is_thinking_last: bool) -> None:
    """Each block of a message has a record, and all of them have its stop reason."""
    prompts = [{"type": "user", "uuid": name, "promptId": name, "message": {"content": f"fix {name}"}} for name in "ab"]
    answer = [
        assistant("text", "I look at the cart.", stop_reason="tool_use"),
        assistant("thinking", "hm", stop_reason="end_turn"),
        *([] if is_thinking_last else [assistant("text", "The total is rounded once.", stop_reason="end_turn")]),
        assistant("text", "API Error: 500", model="<synthetic>"),
    ]
    records = [prompts[0], *answer[: 2 if is_thinking_last else 4], prompts[1]]

    events = transcript.read([json.dumps(record).encode() for record in records], session_id="s")

    assert [event.kind for event in events] == [EventKind.PROMPT, EventKind.TURN_END, EventKind.PROMPT]
    assert events[1].closing == ("I look at the cart." if is_thinking_last else "The total is rounded once.")


def test_closing_words_are_of_their_own_turn() -> None:
    """Those of a broken-off turn are nobody's."""
    records = [
        {"type": "user", "uuid": "a", "promptId": "a", "message": {"content": "fix a"}},
        assistant("text", "I look at the cart.", stop_reason="tool_use"),
        {"type": "user", "uuid": "c", "message": {"content": "[Request interrupted by user]"}},
        {"type": "user", "uuid": "b", "promptId": "b", "message": {"content": "fix b"}},
        {"type": "system", "subtype": "turn_duration"},
    ]

    events = transcript.read([json.dumps(record).encode() for record in records], session_id="s")

    assert [event.closing for event in events] == [None, None, None]


def test_hooks_and_rollouts_of_codex_agree() -> None:
    """The rollout has the exit code as well."""
    rollouts = Path(__file__).parents[2] / "transcripts" / "codex"
    events = [event for file in rollouts.glob("*.jsonl") for event in read(codex.AGENT, file)]

    assert_agree(reported("codex", "codex"), events)
    assert {event.closing for event in events if event.kind is EventKind.TURN_END} >= {"All done 2."}


def test_a_log_gives_its_commands_verdicts() -> None:
    """All other agents' readers use it."""
    log = SessionLog("pi", "s")
    log.prompt("fix it", START)
    log.call("c1", "Bash", {"command": "make test"}, START)
    log.call("c2", "Read", {"file_path": "a.py"}, START)
    log.call("c3", "Bash", {"command": "make test"}, START)

    log.result("c1", START, Outcome.SUCCESS, output=FAILING)
    log.result("c2", START, Outcome.SUCCESS, output=FAILING)
    log.result("c3", START, Outcome.FAILED, error=FAILING)
    log.end_turn(START, "Done. The total is rounded once.")

    _, *calls, end = log.drain()
    failed = Verdict(passed=2, failed=1)
    assert [event.action and event.action.verdict for event in calls] == [failed, None, failed]
    assert end.closing == "The total is rounded once."
