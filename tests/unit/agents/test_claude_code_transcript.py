"""Transcripts of Claude Code become events: real ones, and damaged ones."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.agents import session_log
from behavior_plugin.agents.claude_code import transcript
from behavior_plugin.agents.claude_code.transcript import subagent_file
from behavior_plugin.model import DurationSource, Event, EventKind, EventSource, Outcome
from tests.factories import SESSIONS, START, transcript_lines
from tests.work import steps

Call = tuple[str, str, str, str]

FIX = [
    ("01", "Read", "success", "main"),
    ("02", "Bash", "failed", "main"),
    ("05", "Edit", "success", "main"),
    ("08", "Bash", "success", "main"),
    ("09", "Bash", "success", "main"),
    ("10", "Read", "failed", "main"),
    ("13", "Write", "success", "main"),
    ("16", "Bash", "success", "main"),
    ("21", "Edit", "success", "main"),
    ("24", "Bash", "success", "main"),
]
SUBAGENTS = [
    ("29", "Agent", "success", "main"),
    ("37", "Agent", "success", "main"),
    ("43", "Bash", "success", "main"),
    ("49", "Bash", "failed", "main"),
    ("54", "NoSuchTool", "failed", "main"),
    ("57", "Edit", "failed", "main"),
]
INTERACTIVE = [
    ("01", "Bash", "failed", "main"),
    ("06", "Bash", "success", "main"),
    ("11", "Bash", "partial", "main"),
    ("14", "Bash", "partial", "main"),
    ("2a", "Bash", "success", "user"),
    ("21", "Bash", "success", "main"),
    ("24", "Edit", "success", "main"),
    ("31", "Edit", "failed", "main"),
]


def read(lines: Iterable[bytes], **more: Any) -> list[Event]:
    return transcript.read(lines, session_id="session", **more)


def record(kind: str, content: Any, *, at: float = 0, **fields: Any) -> bytes:
    time = (START + timedelta(seconds=at)).isoformat()
    message = {"role": kind, "content": content, **fields.pop("message", {})}
    return json.dumps({"type": kind, "timestamp": time, "message": message, **fields}).encode() + b"\n"


def call(name: str = "t1", tool: str = "Bash", *, at: float = 0, **tool_input: Any) -> bytes:
    return record("assistant", [{"type": "tool_use", "id": name, "name": tool, "input": tool_input}], at=at)


def result(name: str = "t1", text: str = "", *, at: float = 1, is_error: bool = False, **fields: Any) -> bytes:
    block = {"type": "tool_result", "tool_use_id": name, "content": text, "is_error": is_error}
    return record("user", [block], at=at, **fields)


def kinds(events: Iterable[Event]) -> list[str]:
    return [event.kind.value for event in events]


def calls(events: Iterable[Event]) -> list[Call]:
    actions = [event.action for event in events if event.action]
    return [((action.id or "")[-2:], action.tool, action.outcome.value, action.actor) for action in actions]


def prompts(events: Iterable[Event]) -> list[str | None]:
    return [event.prompt for event in events if event.kind is EventKind.PROMPT]


@pytest.mark.parametrize(("session", "expected"), list(zip(SESSIONS, (FIX, SUBAGENTS, INTERACTIVE), strict=True)))
def test_a_real_session_has_every_call_with_its_outcome(session: str, expected: list[Call]) -> None:
    """Refused, rejected and interrupted ones too, which no hook reports."""
    events = read(transcript_lines(session))

    assert calls(events) == expected
    assert {event.source for event in events} == {EventSource.TRANSCRIPT}
    for action in filter(None, (event.action for event in events)):
        assert action.duration_ms is not None
        assert action.duration_source is DurationSource.TRANSCRIPT


def test_prompts_copied_by_a_real_fork_keep_their_own_ids() -> None:
    """The client gives them the id of the fork's first prompt, which would make one turn of all that came before."""
    events = read(transcript_lines("fork"))

    prompts = [event for event in events if event.kind is EventKind.PROMPT]
    calls = [event for event in events if event.action]
    assert [event.prompt for event in prompts] == ["hello one", "go on"]
    assert len({event.prompt_id for event in prompts}) == 2
    assert [event.prompt_id for event in calls] == [event.prompt_id for event in prompts]
    assert prompts[1].prompt_id == "d99277ee-e010-40de-b87e-31f3d8c15261"


def test_a_real_session_has_only_the_users_prompts() -> None:
    """Typed, queued while a tool ran, and built in; the client's own words between them are none."""
    events = read(transcript_lines("interactive-interrupts-and-compaction"))

    assert prompts(events) == [
        "Run the tests",
        "Make a pipe",
        "Make a pipe",
        "Watch the build",
        "Tell me a story",
        "Watch the build",
        "Carry on",
        "/compact keep it short",
        "Carry on please",
    ]


def test_a_slash_command_reads_the_same_as_in_the_hook() -> None:
    """The two are one prompt."""
    events = read(transcript_lines("print-subagents"))

    assert prompts(events)[-1] == "/greet Ada"


def test_a_queued_prompt_belongs_to_the_turn_it_steers() -> None:
    """The hook reports it under the prompt that is being worked on."""
    events = read(transcript_lines("interactive-interrupts-and-compaction"))

    [queued] = [event for event in events if event.prompt == "Carry on"]
    [first] = [event for event in events if event.prompt == "Watch the build" and event.prompt_id == queued.prompt_id]
    assert first.at < queued.at


@pytest.mark.parametrize(("mode", "expected"), [("prompt", ["use the parser"]), ("bash", [])])
def test_a_queued_shell_line_is_no_prompt(mode: str, expected: list[str]) -> None:
    """It has records of its own when it is run."""
    queued = {"type": "queued_command", "prompt": "use the parser", "commandMode": mode}

    assert prompts(read([json.dumps({"type": "attachment", "attachment": queued}).encode()])) == expected


def test_a_turn_that_was_interrupted_has_no_end() -> None:
    """Whether the work was finished is not known then."""
    events = read(transcript_lines("interactive-interrupts-and-compaction"))

    ended = {event.prompt_id for event in events if event.kind is EventKind.TURN_END}
    open_turns = [event.prompt for event in events if event.prompt and event.prompt_id not in ended]
    assert open_turns == ["Make a pipe", "Watch the build", "Tell me a story", "/compact keep it short"]


@pytest.mark.parametrize(
    "between",
    [
        record("user", [{"type": "text", "text": "[Request interrupted by user]"}], uuid="u2"),
        record("user", "<bash-input>git status</bash-input>", uuid="u2"),
    ],
)
def test_the_clients_text_after_an_interrupt_ends_no_turn(between: bytes) -> None:
    """The work was broken off; that the model has a word to say on something else does not finish it."""
    end = record("assistant", [{"type": "text", "text": "OK."}], message={"stop_reason": "end_turn"})

    broken_off = read([record("user", "fix it", uuid="u1"), call(), result(), between, end])
    ended = read([record("user", "fix it", uuid="u1"), call(), result(), end])

    assert EventKind.TURN_END not in {event.kind for event in broken_off}
    assert ended[-1].kind is EventKind.TURN_END


@pytest.mark.parametrize("agent", SESSIONS["print-subagents"])
def test_a_subagents_file_contributes_only_calls(agent: str) -> None:
    """Its first message is the main agent's, and its end is no turn's."""
    events = read(transcript_lines("print-subagents", agent), actor=agent)

    assert {event.kind for event in events} == {EventKind.ACTION}
    assert {event.action.actor for event in events if event.action} == {agent}
    assert {event.prompt_id for event in events} == {"293fa597-b60b-45d9-a229-59d22d730e16"}


def test_a_call_names_its_subagent_and_has_its_duration() -> None:
    """So its calls can stand under it; the client measures those that run in the foreground."""
    foreground, background = [
        event.action for event in read(transcript_lines("print-subagents")) if event.action and event.action.id
    ][:2]

    assert (foreground.started_agent, foreground.duration_ms) == ("a6747a4b1259f8dcf", 326)
    assert background.started_agent == "a1a578ecf73e36bf7"


def test_a_call_without_result_stays_partial() -> None:
    """The client was killed while it ran."""
    [event] = read([call(command="make")])

    assert event.action
    assert event.action.outcome is Outcome.PARTIAL
    assert event.action.duration_ms is None
    assert event.action.duration_source is None


@pytest.mark.parametrize(
    ("text", "fields", "outcome"),
    [
        ("Exit code 1", {}, Outcome.FAILED),
        ("<tool_use_error>No such tool</tool_use_error>", {}, Outcome.FAILED),
        ("not allowed", {"toolDenialKind": "automode-unavailable"}, Outcome.FAILED),
        ("no", {"toolDenialKind": "user-rejected"}, Outcome.PARTIAL),
        ("The user doesn't want to proceed with this tool use.", {}, Outcome.PARTIAL),
        ("[Request interrupted by user for tool use]", {}, Outcome.PARTIAL),
    ],
)
def test_a_failed_or_rejected_call_has_its_outcome(text: str, fields: dict[str, Any], outcome: Outcome) -> None:
    """A stopped call is partial; a refused call has failed, though it never ran."""
    [event] = read([call(), result(text=text, is_error=True, **fields)])

    assert event.action
    assert event.action.outcome is outcome
    assert "tool_use_error" not in (event.action.error or "")


@pytest.mark.parametrize(
    ("asked", "response", "outcome"),
    [
        ({}, {"stdout": "ok"}, Outcome.SUCCESS),
        ({}, {"interrupted": True}, Outcome.PARTIAL),
        ({"timeout": 1500}, {"backgroundTaskId": "b1", "timedOutAfterMs": 1500}, Outcome.PARTIAL),
        ({}, {"backgroundTaskId": "b1"}, Outcome.PARTIAL),
        ({"run_in_background": True}, {"backgroundTaskId": "b1"}, Outcome.SUCCESS),
        ({}, {"isAsync": True, "status": "async_launched", "agentId": "a1"}, Outcome.SUCCESS),
    ],
)
def test_a_result_sets_the_outcome_of_its_call(asked: Any, response: Any, outcome: Outcome) -> None:
    """A call that was moved to the background goes on; one that was to start there has started."""
    [event] = read([call(**asked), result(toolUseResult=response)])

    assert event.action
    assert event.action.outcome is outcome
    assert event.action.duration_ms == 1000


def test_a_result_may_stand_before_its_call() -> None:
    """The client writes them side by side, and not always in order."""
    [event] = read([result(text="Exit code 2", at=3, is_error=True), call(at=1)])

    assert event.action
    assert event.action.outcome is Outcome.FAILED
    assert event.action.duration_ms == 2000


def test_a_user_shell_line_is_an_action_of_the_user() -> None:
    """`!git status` is part of the user's way of working, and no hook reports it."""
    lines = [
        record("user", "<bash-input>git status</bash-input>", uuid="u1", promptId="p9"),
        record("user", "<bash-stdout>clean</bash-stdout><bash-stderr></bash-stderr>", uuid="u2", at=2),
        record("assistant", [{"type": "text", "text": "OK."}], message={"stop_reason": "end_turn"}),
    ]

    [event] = read(lines)

    assert event.action
    assert (event.action.tool, event.action.actor) == ("Bash", "user")
    assert event.action.parameters == {"command": "git status"}
    assert (event.action.outcome, event.action.duration_ms) == (Outcome.SUCCESS, 2000)


@pytest.mark.parametrize(
    "line",
    [
        record("user", "Expanded text of a command", isMeta=True),
        record("user", "What a subagent was asked", isSidechain=True),
        record("user", "What was said before", isCompactSummary=True),
        record("user", "The same again", repeatsCompactSummary=True),
        record("user", "<local-command-stdout>done</local-command-stdout>"),
        record("user", [{"type": "text", "text": "[Request interrupted by user]"}]),
        record("user", [{"type": "image", "source": {"data": "iVBORw0KGgo"}}]),
        record("user", ""),
    ],
)
def test_text_that_no_user_typed_is_no_prompt(line: bytes) -> None:
    """Else a pattern would be triggered by the client's own words."""
    assert read([line]) == []


def test_a_prompt_with_an_image_is_its_text() -> None:
    """The picture is nothing to remember work by."""
    content = [{"type": "text", "text": "[Image #1] centre the title"}, {"type": "image", "source": {"data": "iVBO"}}]

    assert prompts(read([record("user", content)])) == ["[Image #1] centre the title"]


def test_text_added_by_an_editor_is_not_part_of_the_prompt() -> None:
    """Else the file that happened to be open would be a part of the task."""
    added = [{"type": "text", "text": "<ide_opened_file>shop.py</ide_opened_file>"}, {"type": "text", "text": "fix it"}]

    assert prompts(read([record("user", added)])) == ["fix it"]


def test_repeated_records_count_once() -> None:
    """A resumed transcript has some of them again."""
    lines = [record("user", "fix it", uuid="u1", promptId="p1"), call(), result(text="ok")]

    assert read(lines * 3) == read(lines)


def test_copied_turns_of_a_fork_keep_their_own_ids() -> None:
    """The client writes all it copies under the name of the fork's first prompt, which would make one turn of them."""
    copied = [
        record("user", "fix it", uuid="u1", promptId="new"),
        call("t1"),
        result("t1", promptId="new"),
        record("user", "/greet Ada", uuid="u2", promptId="new"),
        call("t2"),
    ]
    lines = [*copied, record("user", "go on", uuid="u3", promptId="new"), call("t3")]

    events = read(lines)

    assert [event.prompt_id for event in events] == ["u1", "u1", "u2", "u2", "new", "new"]


def test_results_are_not_kept() -> None:
    """They are most of a file, and where secrets lie."""
    [event] = read([call(), result(text="x" * 50_000, toolUseResult={"stdout": "x" * 50_000})])

    assert len(event.model_dump_json()) < 1_000


def test_each_event_has_the_context_of_its_record() -> None:
    """The branch is the one at that time."""
    main = read([record("user", "fix it", cwd="/home/dev/project", gitBranch="main")])[0].context
    detached = read([record("user", "fix it", cwd="/home/dev/project", gitBranch="HEAD")])[0].context

    assert (main.directory, main.branch) == ("/home/dev/project", "main")
    assert detached.branch is None


def test_a_turn_without_an_end_marker_ends_with_its_last_text() -> None:
    """Older clients give no reason for a stop; without an end all their work would count as broken off."""
    prompt, words = record("user", "fix it", uuid="p1"), record("assistant", [{"type": "text", "text": "Done."}], at=2)
    lines = [prompt, call(), result(), words]
    later = record("user", "now the other one", uuid="p2", at=3)
    with_reason = record("assistant", [{"type": "text", "text": "I look"}], at=2, message={"stop_reason": "tool_use"})

    assert kinds(read(lines)) == ["prompt", "action", "turn_end"]
    assert kinds(read([*lines, later])) == ["prompt", "action", "turn_end", "prompt"]
    assert kinds(read([prompt, words, call(), result()])) == ["prompt", "action"]
    assert kinds(read([prompt, call(), result(), with_reason])) == ["prompt", "action"]


def test_a_long_file_is_split_between_pieces_of_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the file, and no work is cut in two."""
    monkeypatch.setattr(session_log, "MAX_EVENTS", 10)
    lines = [
        line
        for number in range(0, 100, 5)
        for line in (
            record("user", f"fix number {number} of them", uuid=f"p{number}", promptId=f"p{number}", at=number),
            call(f"t{number}", at=number + 1),
            result(f"t{number}", at=number + 2),
            record("user", "go on", uuid=f"q{number}", promptId=f"q{number}", at=number + 3),
            call(f"u{number}", at=number + 4),
        )
    ]

    parts = list(transcript.read_in_parts(lines, session_id="session", skip=print))

    assert [event for part in parts for event in part] == read(lines)
    assert len(parts) > 5
    assert all((part[0].prompt or "").startswith("fix number") for part in parts)


def test_requests_are_skipped_without_parsing() -> None:
    """They are two thirds of a file."""
    skipped: list[int] = []

    assert (
        read([b'{"type":"api-request-blob", this is never parsed\n'], skip=lambda line, _: skipped.append(line)) == []
    )
    assert not skipped


def test_unreadable_lines_are_reported_with_their_number() -> None:
    """An import says which they were; the others are read."""
    lines = [call(), b'{"type": "from-the-future"}\n', b"[]\n", b"\n", result(), b'{"type": "user", "mess']
    skipped: list[int] = []

    [event] = read(lines, skip=lambda line, _: skipped.append(line))

    assert event.action
    assert event.action.outcome is Outcome.SUCCESS
    assert skipped == [2, 3, 6]


@pytest.mark.parametrize("session", SESSIONS)
def test_a_cut_transcript_is_read_to_its_last_whole_line(session: str) -> None:
    """The client may be writing still, or have been killed in the middle of a line."""
    lines = transcript_lines(session)
    whole = calls(read(lines))

    for end in range(len(lines)):
        torn = lines[end][: len(lines[end]) // 2]
        found = calls(read([*lines[:end], torn]))
        assert [each[0] for each in found] == [each[0] for each in whole[: len(found)]]


@pytest.mark.parametrize("seed", range(5))
def test_junk_between_the_lines_changes_nothing(seed: int) -> None:
    """One bad record must not cost the others."""
    dice = random.Random(seed)
    junk: Sequence[bytes] = [
        b"",
        b"\x00\xff\n",
        b"null\n",
        b"[" * 100_000,
        b'{"type": "user"}\n',
        b'{"type": "user", "message": {"content": [1, {"type": "tool_result", "tool_use_id": []}]}}\n',
        b'{"type": "assistant", "message": {"content": [{"type": "tool_use", "id": 5, "input": []}]}}\n',
        b'{"type": "attachment", "attachment": {"type": "queued_command", "prompt": 7}}\n',
        b'{"type": {}, "timestamp": []}\n',
    ]
    lines = transcript_lines("print-subagents")
    spoiled = [line for each in lines for line in (dice.choice(junk), each)]

    assert read(spoiled) == read(lines)


def test_old_clients_kept_subagents_in_the_main_file() -> None:
    """Their calls are theirs all the same."""
    line = record(
        "assistant", [{"type": "tool_use", "id": "t1", "name": "Read", "input": {}}], isSidechain=True, agentId="a1"
    )

    assert calls(read([line])) == [("t1", "Read", "partial", "a1")]


@pytest.mark.parametrize("agent", ["../../x", "/etc/passwd", "a/b", "", "a\n", "x" * 300, "é"])
def test_an_id_with_a_path_names_no_file(agent: str) -> None:
    """A payload may contain any id."""
    assert subagent_file("/home/dev/.claude/projects/p/session.jsonl", agent) is None
    assert subagent_file("/home/dev/.claude/projects/p/session.jsonl", "a1b2") == (
        "/home/dev/.claude/projects/p/session/subagents/agent-a1b2.jsonl"
    )


@pytest.mark.parametrize(("tool", "started"), [("Agent", "a1"), ("mcp__crm__find", None)])
def test_another_tools_result_starts_no_subagent(tool: str, started: str | None) -> None:
    """A server's own word for its agents is none of ours."""
    [event] = read([call(tool=tool), result(toolUseResult={"agentId": "a1"})])

    assert event.action
    assert event.action.started_agent == started


def test_records_of_other_sessions_are_skipped() -> None:
    """They are those sessions' to store; an import takes all, and one that names none may be ours."""
    lines = [record("user", text, sessionId=name) for text, name in [("fix it", "ours"), ("steal", "theirs")]]
    lines.append(record("user", "write the changelog"))

    assert prompts(read(lines, session_ids={"ours"})) == ["fix it", "write the changelog"]
    assert prompts(read(lines)) == ["fix it", "steal", "write the changelog"]


def test_alternating_prompt_ids_take_linear_time() -> None:
    """A forged transcript must not keep the worker busy for hours."""

    def work(count: int) -> int:
        lines = [record("user", "fix it", uuid=f"u{place}", promptId=f"p{place % count}") for place in range(2 * count)]
        return steps(lambda: read(lines))

    assert work(1_000) < 2.5 * work(500)
