"""Payloads become events: recorded ones, and malformed ones."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.agents import read_record
from behavior_plugin.agents.payload import UnreadableError
from behavior_plugin.model import DurationSource, Event, EventKind, Outcome, Verdict
from tests.factories import PAYLOADS, payload

ENVELOPE = {"v": 1, "time_ns": 1_780_000_000_000_000_000, "monotonic_ns": 5, "machine": "laptop", "host_pid": 7}


def read(name: str, **changes: Any) -> Event:
    return read_record({**ENVELOPE, "event": name.partition("-")[0]}, json.dumps(payload(name, **changes)).encode())


@pytest.mark.parametrize("name", sorted(file.stem for file in PAYLOADS.glob("*.json")))
def test_every_recorded_payload_is_understood(name: str) -> None:
    """The client sent these."""
    event = read(name)

    assert event.session_id
    assert event.kind is not EventKind.OTHER
    assert (event.kind is EventKind.ACTION) == (event.action is not None)


def test_a_task_notification_is_the_end_of_its_call() -> None:
    """It arrives where a prompt does, but no person wrote it."""
    event = read("UserPromptSubmit-task_notification")

    assert (event.kind, event.prompt, event.prompt_kind) == (EventKind.CALL_END, None, None)
    assert event.call_end
    assert (event.call_end.call_id, event.call_end.duration_ms) == ("toolu_mock00000037", 675)


def test_a_call_has_its_duration_and_parameters() -> None:
    """An action has a tool, bounded input, outcome and time."""
    action = read("PostToolUse").action

    assert action
    assert action.outcome is Outcome.SUCCESS
    assert action.duration_ms is not None
    assert action.actor == "main"


def test_a_call_began_before_it_was_reported() -> None:
    """The hook runs at its end; the host says how long it took."""
    event = read("PostToolUse", duration_ms=2500)

    assert event.action
    assert event.at - event.action.timestamp == timedelta(milliseconds=2500)
    assert event.action.duration_source is DurationSource.AGENT


def test_a_call_without_duration_has_no_source_of_one() -> None:
    """Clients before 2.1.119 measured nothing."""
    action = read("PostToolUse", duration_ms=None).action

    assert action
    assert (action.duration_ms, action.duration_source) == (None, None)


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("PostToolUse-Bash-timed_out", Outcome.PARTIAL),
        ("PostToolUse-Bash-background", Outcome.SUCCESS),
        ("PostToolUse-Agent-background", Outcome.SUCCESS),
        ("PostToolUse-Agent-foreground", Outcome.SUCCESS),
        ("PostToolUse-mcp", Outcome.SUCCESS),
        ("PostToolUseFailure-mcp", Outcome.FAILED),
        ("PostToolUseFailure-subagent-Read", Outcome.FAILED),
    ],
)
def test_each_kind_of_end_has_its_outcome(name: str, outcome: Outcome) -> None:
    """A call that ran into its limit goes on in the background; one that was to start there has started."""
    action = read(name).action

    assert action
    assert action.outcome is outcome


def test_a_call_names_the_subagent_that_it_started() -> None:
    """So that the subagent's own calls find their place."""
    action = read("PostToolUse-Agent-background").action

    assert action
    assert action.started_agent == "a1a578ecf73e36bf7"


def test_a_failure_is_another_event_and_carries_its_error() -> None:
    """Without this event, only successes would be learned."""
    action = read("PostToolUseFailure").action

    assert action
    assert action.outcome is Outcome.FAILED
    assert action.error
    assert action.error.startswith("Exit code 1")


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("PostToolUse", Verdict(passed=2, failed=0)),
        ("PostToolUseFailure", Verdict(passed=1, failed=1, error="AssertionError: got 4.62")),
        ("PostToolUseFailure-Bash", Verdict(error="AssertionError: -1")),
        ("PostToolUse-Bash-timed_out", None),
        ("PostToolUse-subagent-Bash", None),
        ("PostToolUse-Read", None),
        ("PostToolUse-Edit", None),
    ],
)
def test_a_command_has_the_verdict_of_its_output(name: str, verdict: Verdict | None) -> None:
    """The output itself is not kept."""
    action = read(name).action

    assert action
    assert action.verdict == verdict


def test_the_output_is_read_whatever_its_channel() -> None:
    """Test runners print to one, package managers to the other."""
    response = {"stdout": "3 failed, 2 passed in 0.1s", "stderr": "npm ERR! Test failed.\n[main 1a2b3c4] Round once"}

    action = read("PostToolUse", tool_response=response).action

    assert action
    assert action.verdict == Verdict(passed=2, failed=3, error="npm ERR! Test failed.", commit="1a2b3c4 Round once")


def test_the_end_of_a_turn_has_the_agents_closing_words() -> None:
    """They say what was done where no commit does."""
    event = read("Stop", last_assistant_message="Fixed. The total of `cart.py` is rounded **once**.\n\n- cart.py")

    assert (event.kind, event.closing) == (EventKind.TURN_END, "The total of cart.py is rounded once.")
    assert read("Stop", last_assistant_message=None).closing is None
    assert read("UserPromptSubmit").closing is None


def test_a_subagents_call_names_its_agent() -> None:
    """Actions belong to their agent."""
    action = read("PostToolUse-subagent-Bash").action

    assert action
    assert action.actor != "main"


def test_file_contents_are_not_kept() -> None:
    """They say little about the work, and often hold secrets."""
    event = read("PostToolUse-Write")

    assert event.action
    assert "content" not in event.action.parameters
    assert event.files == (payload("PostToolUse-Write")["tool_input"]["file_path"],)


def test_files_changed_by_the_shell_are_listed() -> None:
    """The client reports which files a command touched."""
    event = read("PostToolUse-Bash-changed_files")

    assert event.files == tuple(
        payload("PostToolUse-Bash-changed_files")["tool_response"]["bashEditDiff"]["changedFiles"]
    )


@pytest.mark.parametrize("change", [{"is_interrupt": True}, {"tool_response": {"interrupted": True}}])
def test_an_interrupted_call_is_partial(change: dict[str, Any]) -> None:
    """It neither worked nor failed."""
    action = read("PostToolUse", **change).action

    assert action
    assert action.outcome is Outcome.PARTIAL


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"{",
        b'{"session_id": 5}',
        b'{"session_id": ""}',
        b"[" * 100_000,
        b"\x00\xff",
    ],
)
def test_malformed_payloads_are_refused_with_a_reason(raw: bytes) -> None:
    """It goes to the dead letters, where a person can read why."""
    with pytest.raises(UnreadableError, match="payload"):
        read_record({**ENVELOPE, "event": "PostToolUse"}, raw)


@pytest.mark.parametrize(
    "odd", ["null", "5", "[]", "{}", "true", '"text"', "1e400", "-1", "1e300", "NaN", "9" * 100_000]
)
@pytest.mark.parametrize(
    "field", ["tool_name", "tool_input", "tool_response", "tool_use_id", "duration_ms", "cwd", "agent_id", "prompt_id"]
)
def test_a_field_of_another_type_is_absent(field: str, odd: str) -> None:
    """Hosts change; an event with an odd field is still an event."""
    raw = json.dumps(payload("PostToolUse", **{field: "@"})).replace('"@"', odd)

    event = read_record({**ENVELOPE, "event": "PostToolUse"}, raw.encode())

    assert event.action
    json.dumps(event.model_dump(mode="json"), allow_nan=False)


@pytest.mark.parametrize("depth", [20, 300, 480, 490, 500])
def test_deeply_nested_parameters_are_cut(depth: int) -> None:
    """Parameters that parse here and overflow the stack elsewhere would cost their whole session."""
    raw = json.dumps(payload("PostToolUse", tool_input={"a": "@"})).replace('"@"', "[" * depth + "]" * depth)

    event = read_record({**ENVELOPE, "event": "PostToolUse"}, raw.encode())

    assert event.action
    assert len(json.dumps(event.action.parameters)) < 60


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_other_encodings_are_read(encoding: str) -> None:
    """A byte order mark in front must not cost the event."""
    raw = json.dumps(payload("UserPromptSubmit", prompt="größer"), ensure_ascii=False).encode(encoding)

    event = read_record({**ENVELOPE, "event": "UserPromptSubmit"}, raw)

    assert event.prompt == "größer"


def test_undecodable_bytes_are_replaced() -> None:
    """One wrong byte must not cost the event."""
    raw = json.dumps(payload("UserPromptSubmit", prompt="caf@")).encode().replace(b"@", b"\xe9")

    event = read_record({**ENVELOPE, "event": "UserPromptSubmit"}, raw)

    assert event.prompt == "caf\ufffd"


def test_the_hooks_context_wins_over_the_payloads_directory() -> None:
    """The branch is the one when the prompt was typed, not when the worker read it."""
    noted = {"directory": "/home/dev/project/sub", "project": "/home/dev/project", "branch": "main"}

    event = read_record(
        {**ENVELOPE, **noted, "event": "UserPromptSubmit"}, json.dumps(payload("UserPromptSubmit")).encode()
    )

    assert event.context.branch == "main"
    assert event.context.project == "/home/dev/project"


def test_long_ids_stay_different() -> None:
    """Cut alike they would make one session of two."""
    ends = [
        read_record({"event": "Stop"}, json.dumps({"session_id": "x" * long}).encode()).session_id
        for long in (300, 5000)
    ]

    assert len(set(ends)) == 2
    assert max(map(len, ends)) <= 200


def test_another_tools_answer_starts_no_subagent() -> None:
    """A server's own word for its agents is none of ours."""
    fields = payload("PostToolUse-Agent-background", tool_name="mcp__crm__find")

    action = read_record({"event": "PostToolUse"}, json.dumps(fields).encode()).action

    assert action
    assert action.started_agent is None


def read_codex(name: str, **changes: Any) -> Event:
    """One of Codex's payloads, as its hook keeps it."""
    envelope = {**ENVELOPE, "event": name.partition("-")[0], "client": "codex"}
    return read_record(envelope, json.dumps(payload(f"codex/{name}", **changes)).encode())


@pytest.mark.parametrize("name", sorted(file.stem for file in (PAYLOADS / "codex").glob("*.json")))
def test_every_recorded_payload_of_codex_is_understood(name: str) -> None:
    """The real Codex sent these."""
    event = read_codex(name)

    assert event.agent == "codex"
    assert event.session_id
    assert event.transcript
    assert (event.kind is EventKind.ACTION) == (event.action is not None)
    assert (event.kind in (EventKind.SESSION_START, EventKind.SESSION_END)) == (event.prompt_id is None)


@pytest.mark.parametrize("name", ["PostToolUse-Bash", "PostToolUse-Bash-failed"])
def test_a_command_of_codex_is_partial_until_its_rollout_is_read(name: str) -> None:
    """A failure looks like a success, so neither may be claimed."""
    action = read_codex(name).action

    assert action
    assert (action.tool, action.parameters) == ("Bash", {"command": "python3 -m unittest"})
    assert (action.outcome, action.duration_ms) == (Outcome.PARTIAL, None)
    failed = Verdict(passed=0, failed=1, error="AssertionError: 1.2 != 1.23")
    assert action.verdict == (failed if name.endswith("failed") else Verdict(passed=1, failed=0))


def test_a_patch_of_codex_is_an_edit_of_its_file() -> None:
    """Its output does have the outcome; the written text is left out."""
    event = read_codex("PostToolUse-apply_patch")

    assert event.action
    assert (event.action.tool, event.action.outcome) == ("Edit", Outcome.SUCCESS)
    assert event.action.parameters == {"file_path": "/home/dev/project/shop.py"}
    assert event.files == ("/home/dev/project/shop.py",)


def test_tools_of_codex_have_our_names() -> None:
    """A hook and the rollout report the same call, and a workflow reads the same for every agent."""
    action = read_codex("PostToolUse-spawn_agent").action

    assert action
    assert (action.tool, list(action.parameters)) == ("Agent", ["prompt"])


def test_a_subagents_task_is_no_prompt() -> None:
    """Another agent wrote it: it opens no piece of work, and is answered with no suggestion."""
    event = read_codex("UserPromptSubmit-subagent")

    assert (event.kind, event.prompt) == (EventKind.OTHER, None)


def test_a_subagents_task_is_no_prompt_for_an_unnamed_agent() -> None:
    """A hook that asks the worker for a suggestion sends the payload alone."""
    raw = json.dumps(payload("codex/UserPromptSubmit-subagent")).encode()

    event = read_record({"event": "UserPromptSubmit"}, raw)

    assert (event.agent, event.kind) == ("claude-code", EventKind.OTHER)


@pytest.mark.parametrize(
    ("named", "agent"),
    [("someday", "someday"), ("x" * 500, "x" * 200), (None, "claude-code"), ("", "claude-code"), (3, "claude-code")],
)
def test_an_unknown_agent_keeps_its_name(named: Any, agent: str) -> None:
    """A record may come from a later version, or from nobody."""
    event = read_record({**ENVELOPE, "event": "Stop", "client": named}, json.dumps(payload("Stop")).encode())

    assert event.agent == agent


@pytest.mark.parametrize(("name", "outcome"), [("PostToolUse-Write", "partial"), ("PostToolUseFailure-Read", "failed")])
def test_a_success_of_an_unknown_agent_is_partial(name: str, outcome: str) -> None:
    """Codex reports a failure like a success; the next agent may as well."""
    envelope = {**ENVELOPE, "event": name.partition("-")[0], "client": "someday"}

    event = read_record(envelope, json.dumps(payload(name)).encode())

    assert event.action
    assert (event.action.outcome.value, event.files) == (outcome, ())
