"""Codex CLI's rollouts: those that the real client wrote, and the forms that it had before."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import agent_of_log, codex
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import Action, Event, EventKind, Outcome
from behavior_plugin.patterns.evidence import episodes_of
from behavior_plugin.patterns.reconcile import reconcile
from behavior_plugin.patterns.turns import turns_of
from tests.logs import UNREADABLE, Log, episodes, make_unreadable, read

ROLLOUTS = Path(__file__).parents[2] / "transcripts" / "codex"
FIX = ROLLOUTS / "rollout-2026-11-25T21-20-36-01a21494-f770-76a0-a917-bdb70433be96.jsonl"
FORK = ROLLOUTS / "rollout-2026-11-25T21-20-58-01a21495-4dd1-7851-9da1-d90f9739195c.jsonl"
STARTER = ROLLOUTS / "rollout-2026-11-25T21-20-04-01a21494-7b02-71e1-ba13-eb45ad719db9.jsonl"
SUBAGENT = ROLLOUTS / "rollout-2026-11-25T21-20-05-01a21494-7bb3-7362-b4bf-62d691aa657f.jsonl"
SCRIPTS = ROLLOUTS / "rollout-2026-11-25T21-21-28-01a21495-bfff-7632-9889-7fd10884d489.jsonl"
THREAD = "019f0000-0000-7000-8000-000000000001"
PATCH = "*** Begin Patch\n*** Update File: shop.py\n@@\n-one\n+two\n*** Add File: tests/new.py\n+x\n*** End Patch"


def actions(events: list[Event]) -> list[Action]:
    return [event.action for event in events if event.action]


def kinds(events: list[Event]) -> list[str]:
    return [event.kind.value for event in events]


def rollout(folder: Path, *records: dict[str, Any], thread: str = THREAD, **meta: Any) -> Path:
    """A rollout as Codex writes it: a description, then a record each second."""
    described = {"id": thread, "cwd": "/home/dev/project", "git": {"branch": "main"}, **meta}
    lines = [{"type": "session_meta", "payload": described}, *records]
    stamped = [{"timestamp": f"2026-03-02T09:00:{second:02}.000Z", **line} for second, line in enumerate(lines)]
    file = folder / f"rollout-2026-03-02T09-00-00-{thread}.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in stamped), encoding="utf-8")
    return file


def event(kind: str, /, **fields: Any) -> dict[str, Any]:
    return {"type": "event_msg", "payload": {"type": kind, **fields}}


def item(kind: str, /, **fields: Any) -> dict[str, Any]:
    return {"type": "response_item", "payload": {"type": kind, **fields}}


def message(role: str, said: str) -> dict[str, Any]:
    return item("message", role=role, content=[{"type": "input_text", "text": said}])


def call(tool: str = "exec_command", name: str = "call_1", **arguments: Any) -> dict[str, Any]:
    return item("function_call", name=tool, call_id=name, arguments=json.dumps(arguments))


def answer(output: Any, name: str = "call_1") -> dict[str, Any]:
    return item("function_call_output", call_id=name, output=output)


def turn(name: str, said: str = "Fix the rounding") -> list[dict[str, Any]]:
    return [event("task_started", turn_id=name), event("user_message", message=said)]


def only(file: Path) -> Action:
    """The one call of a rollout."""
    [action] = actions(read(codex.AGENT, file))
    return action


def test_a_real_rollout_has_each_prompt_and_call_once() -> None:
    """Each call has three records: the model's request, the output, and the item that ended."""
    reader = LogReader()

    events = read(codex.AGENT, FIX, reader)

    assert reader.skipped == 0
    assert kinds(events) == ["prompt", "action", "action", "action", "turn_end", "prompt", "action", "turn_end"]
    assert [event.prompt for event in events if event.prompt] == [
        "The invoice total is off by some cents, find out why and fix it",
        "commit it",
    ]
    assert [(action.tool, action.outcome.value) for action in actions(events)] == [
        ("Bash", "failed"),
        ("Edit", "success"),
        ("Bash", "success"),
        ("Bash", "success"),
    ]
    assert {event.session_id for event in events} == {"01a21494-f770-76a0-a917-bdb70433be96"}
    assert {event.agent for event in events} == {"codex"}


def test_turns_have_the_ids_that_live_hooks_report() -> None:
    """An import and live capture of one session must come to the same key, or it is there twice."""
    payload = json.loads((Path(__file__).parents[2] / "payloads/codex/UserPromptSubmit.json").read_text("utf-8"))

    [first, *_] = read(codex.AGENT, FIX)

    assert (first.session_id, first.prompt_id) == (payload["session_id"], payload["turn_id"])


def test_a_real_patch_keeps_its_file_but_not_its_text() -> None:
    """Text written into a file says little about the work, and often holds secrets."""
    edits = [event for event in read(codex.AGENT, FIX) if event.action and event.action.tool == "Edit"]

    [edit] = edits

    assert edit.files == ("/home/dev/project/shop.py",)
    assert edit.action
    assert edit.action.parameters == {"file_path": "/home/dev/project/shop.py"}


def test_a_real_rollout_becomes_an_episode_and_its_delivery() -> None:
    """The events must suit the rest of the plugin."""
    whole, part = episodes_of(turns_of(reconcile([], read(codex.AGENT, FIX))))

    assert [(each.trigger, each.judgement.outcome) for each in (whole, part)] == [
        ("The invoice total is off by some cents, find out why and fix it", Outcome.SUCCESS),
        ("commit it", Outcome.SUCCESS),
    ]
    assert part.part_of == whole.source_key
    assert whole.judgement.because == "`git commit` worked, with no edit after it"
    assert whole.context.branch == "main"
    assert whole.turns[0].provenance.agent == "codex"


def test_a_real_fork_has_only_its_own_turn() -> None:
    """The turns before it are the other session's."""
    events = read(codex.AGENT, FORK)

    assert [event.prompt for event in events if event.prompt] == ["show the log"]
    assert [action.parameters for action in actions(events)] == [{"command": "git log --oneline"}]


def test_a_real_subagents_calls_follow_the_call_that_started_it() -> None:
    """It is a part of another's work: neither its prompt nor its rollout is a person's."""
    events = reconcile([], read(codex.AGENT, STARTER))

    [episode] = episodes(events)

    assert episode.trigger == "Have somebody look"
    assert [(action.tool, action.actor == "main") for action in episode.actions] == [
        ("Agent", True),
        ("Bash", False),
        ("wait_agent", True),
        ("Bash", True),
    ]
    assert agent_of_log(SUBAGENT) is None
    assert agent_of_log(STARTER) is codex.AGENT


def test_a_real_script_is_read_as_its_calls() -> None:
    """A model that calls its tools from scripts runs the same commands, and hooks name them as the items do."""
    found = actions(read(codex.AGENT, SCRIPTS))

    assert [(action.parameters, action.outcome.value) for action in found] == [
        ({"command": "exit 3"}, "failed"),
        ({"command": "echo two"}, "success"),
        ({"file_path": "/home/dev/project/n.txt"}, "success"),
    ]
    assert all(action.id and action.id.startswith("exec-") for action in found)


def test_events_mark_prompts_and_added_text_is_none(tmp_path: Path) -> None:
    """Instructions and the environment are sent in the user's name as well."""
    file = rollout(
        tmp_path,
        event("task_started", turn_id="turn-1"),
        message("user", "# AGENTS.md instructions for /home/dev/project"),
        message("user", "<environment_context>"),
        message("user", "Fix the rounding"),
        event("user_message", message="Fix the rounding"),
        event("task_complete", turn_id="turn-1"),
    )

    events = read(codex.AGENT, file)

    assert [(event.prompt, event.prompt_id) for event in events if event.prompt] == [("Fix the rounding", "turn-1")]


def test_without_prompt_events_messages_are_the_prompts(tmp_path: Path) -> None:
    """Rollouts that were made from a history have nothing else."""
    file = rollout(
        tmp_path,
        message("user", "<environment_context>"),
        message("user", "Fix the rounding"),
        call(cmd="make test"),
        answer("Exit code: 0\nWall time: 0.2 seconds\nOutput:\nok"),
        message("assistant", "Done."),
        message("user", "Commit it"),
        message("assistant", "Done."),
    )

    events = read(codex.AGENT, file)

    assert kinds(events) == ["prompt", "action", "turn_end", "prompt", "turn_end"]
    assert [event.prompt for event in events if event.prompt] == ["Fix the rounding", "Commit it"]


def test_the_first_rollouts_are_read_too(tmp_path: Path) -> None:
    """In the summer of 2025 records had no time, no wrapping and no events."""
    lines = [
        {"id": THREAD, "timestamp": "2025-07-01T09:00:00.000Z", "instructions": None, "git": {"branch": "main"}},
        {"record_type": "state"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Fix the rounding"}]},
        {"type": "reasoning", "summary": []},
        {
            "type": "function_call",
            "name": "shell",
            "arguments": json.dumps({"command": ["bash", "-lc", "make test"]}),
            "call_id": "call_1",
        },
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": json.dumps({"output": "1 failed", "metadata": {"exit_code": 2, "duration_seconds": 1.5}}),
        },
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "It fails."}]},
    ]
    file = tmp_path / f"rollout-2025-07-01T09-00-00-{THREAD}.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    reader = LogReader()

    events = read(codex.AGENT, file, reader)

    assert (reader.skipped, agent_of_log(file)) == (0, codex.AGENT)
    assert kinds(events) == ["prompt", "action", "turn_end"]
    [action] = actions(events)
    assert (action.parameters, action.outcome, action.duration_ms) == ({"command": "make test"}, Outcome.FAILED, 1500)
    assert action.error == "1 failed"


def test_a_message_typed_while_a_turn_runs_steers_it(tmp_path: Path) -> None:
    """It begins no work of its own."""
    file = rollout(
        tmp_path,
        *turn("turn-1"),
        call(cmd="make test"),
        event("user_message", message="Leave the other file alone"),
        answer("Process exited with code 0\nOutput:\n"),
        event("task_complete", turn_id="turn-1"),
        *turn("turn-2", "Commit it"),
    )

    events = read(codex.AGENT, file)

    prompts = [(event.prompt, event.prompt_id) for event in events if event.prompt]
    assert prompts == [
        ("Fix the rounding", "turn-1"),
        ("Leave the other file alone", "turn-1"),
        ("Commit it", "turn-2"),
    ]
    assert len(episodes(events)) == 1


def test_a_message_after_a_turns_end_begins_another(tmp_path: Path) -> None:
    """Not every version says that a turn begins."""
    file = rollout(
        tmp_path,
        *turn("turn-1"),
        event("task_complete", turn_id="turn-1"),
        event("user_message", message="Commit it"),
    )

    first, second = [event.prompt_id for event in read(codex.AGENT, file) if event.prompt]

    assert first != second


def test_an_interrupted_turn_has_no_end(tmp_path: Path) -> None:
    """Else work that somebody stopped would be offered as work that went well."""
    file = rollout(
        tmp_path,
        *turn("turn-1"),
        call(cmd="make test"),
        event("turn_aborted", turn_id="turn-1", reason="interrupted"),
        answer("aborted by user after 2.3s"),
        event("task_complete", turn_id="turn-1"),
        *turn("turn-2", "Commit it"),
    )

    events = read(codex.AGENT, file)

    assert EventKind.TURN_END not in {event.kind for event in events}
    assert [action.outcome for action in actions(events)] == [Outcome.PARTIAL]


@pytest.mark.parametrize(
    ("asked", "tool", "parameters"),
    [
        (call("shell", command=["bash", "-lc", "make test | tail"]), "Bash", {"command": "make test | tail"}),
        (call("container.exec", command=["git", "commit", "-m", "a b"]), "Bash", {"command": "git commit -m 'a b'"}),
        (call("exec_command", cmd="ls", workdir="/", yield_time_ms=10), "Bash", {"command": "ls"}),
        (call("shell_command", command="ls"), "Bash", {"command": "ls"}),
        (
            item("local_shell_call", call_id="call_1", action={"type": "exec", "command": ["ls", "-l"]}),
            "Bash",
            {"command": "ls -l"},
        ),
        (
            item("custom_tool_call", call_id="call_1", name="apply_patch", input=PATCH),
            "Edit",
            {"file_path": "/home/dev/project/shop.py"},
        ),
        (
            call("shell", command=["apply_patch", PATCH]),
            "Edit",
            {"file_path": "/home/dev/project/shop.py"},
        ),
        (call("update_plan", plan=[]), "TodoWrite", {"todos": []}),
        (call("view_image", path="/home/dev/a.png"), "Read", {"file_path": "/home/dev/a.png"}),
        (
            call("spawn_agent", message="Look", agent_type="explorer"),
            "Agent",
            {"prompt": "Look", "subagent_type": "explorer"},
        ),
        (
            item("tool_search_call", call_id="call_1", arguments={"query": "calendar"}),
            "ToolSearch",
            {"query": "calendar"},
        ),
        (call("wait_agent", targets=["a"]), "wait_agent", {"targets": ["a"]}),
        (call("mcp__shop__find", id=3), "mcp__shop__find", {"id": 3}),
        (
            item("function_call", call_id="call_1", namespace="mcp__shop", name="find", arguments="{}"),
            "mcp__shop__find",
            {},
        ),
        (
            item(
                "custom_tool_call", call_id="call_1", name="exec", input='await tools.exec_command({cmd:"a \\"b\\""})'
            ),
            "Bash",
            {"command": 'a "b"'},
        ),
        (
            item("custom_tool_call", call_id="call_1", name="exec", input="tools.web__run({}); tools.view({})"),
            "exec",
            {"tools": "web__run, view"},
        ),
        (call("shell", command=None), "Bash", {"command": ""}),
    ],
)
def test_tools_have_our_names(tmp_path: Path, asked: dict[str, Any], tool: str, parameters: dict[str, Any]) -> None:
    """The same workflow must read the same, and be found, whichever agent went through it."""
    file = rollout(tmp_path, *turn("turn-1"), asked, answer("ok"))

    action = only(file)

    assert (action.tool, action.parameters) == (tool, parameters)


def test_every_file_of_a_patch_is_touched(tmp_path: Path) -> None:
    """A patch may change many; only the first is a parameter."""
    asked = item("custom_tool_call", call_id="call_1", name="apply_patch", input=PATCH)
    done = item("custom_tool_call_output", call_id="call_1", output="Exit code: 0\nWall time: 0 seconds\nOutput:\n")
    file = rollout(tmp_path, *turn("turn-1"), asked, done)

    events = read(codex.AGENT, file)

    assert [event.files for event in events if event.action] == [
        ("/home/dev/project/shop.py", "/home/dev/project/tests/new.py")
    ]


def test_a_failed_patch_touches_no_file(tmp_path: Path) -> None:
    """Otherwise an unchanged file would count as part of the work."""
    asked = item("custom_tool_call", call_id="call_1", name="apply_patch", input=PATCH)
    told = event("patch_apply_end", call_id="call_1", success=False, stderr="no such line", changes={"/a": {}})
    file = rollout(tmp_path, *turn("turn-1"), asked, told)

    [found] = [each for each in read(codex.AGENT, file) if each.action]

    assert (found.files, found.action and found.action.outcome) == ((), Outcome.FAILED)


def test_a_background_command_is_one_call_until_it_ends(tmp_path: Path) -> None:
    """The model looks again and again; a reader of the workflow wants the command, and how it ended."""
    file = rollout(
        tmp_path,
        *turn("turn-1"),
        call(cmd="make slow"),
        answer("Wall time: 1.0 seconds\nProcess running with session ID 77\nOutput:\n"),
        call("write_stdin", "call_2", session_id=77, chars=""),
        answer("Wall time: 1.0 seconds\nProcess running with session ID 77\nOutput:\n", "call_2"),
        call("write_stdin", "call_3", session_id=77, chars=""),
        answer("Wall time: 1.0 seconds\nProcess exited with code 2\nOutput:\n", "call_3"),
    )

    action = only(file)

    assert (action.parameters, action.outcome) == ({"command": "make slow"}, Outcome.FAILED)
    assert action.duration_ms == 5000


def test_input_written_to_a_command_is_a_call(tmp_path: Path) -> None:
    """An answer to a question is part of the work; its text may be a password."""
    file = rollout(
        tmp_path,
        *turn("turn-1"),
        call(cmd="make ask"),
        answer("Process running with session ID 77\nOutput:\nsure?"),
        call("write_stdin", "call_2", session_id=77, chars="y\n"),
        answer("Process exited with code 0\nOutput:\n", "call_2"),
    )

    found = actions(read(codex.AGENT, file))

    assert [(action.tool, action.outcome.value) for action in found] == [
        ("Bash", "success"),
        ("write_stdin", "success"),
    ]
    assert found[1].parameters == {}


def test_a_command_without_an_end_stays_partial(tmp_path: Path) -> None:
    """A server that was started and left alone neither worked nor failed, and took no known time."""
    running = answer("Wall time: 1.0 seconds\nProcess running with session ID 77\nOutput:\n")
    file = rollout(tmp_path, *turn("turn-1"), call(cmd="make serve"), running)

    action = only(file)

    assert (action.outcome, action.duration_ms) == (Outcome.PARTIAL, None)


def test_a_script_that_only_polls_is_no_call(tmp_path: Path) -> None:
    """Scripts poll commands too, and receive the same output as a call."""
    first = 'const r = await tools.exec_command({"cmd":"make slow"}); text(JSON.stringify(r))'
    wait = 'const r = await tools.write_stdin({"session_id":77,"chars":""}); text(JSON.stringify(r))'
    head = "Script completed\nWall time 0.2 seconds\nOutput:\n"
    running = '{"chunk_id":"a","wall_time_seconds":1.0,"session_id":77,"output":""}'
    ended = '{"chunk_id":"b","wall_time_seconds":1.0,"exit_code":1,"output":""}'
    file = rollout(
        tmp_path,
        *turn("turn-1"),
        item("custom_tool_call", call_id="call_1", name="exec", input=first),
        item("custom_tool_call_output", call_id="call_1", output=[{"text": head}, {"text": running}]),
        item("custom_tool_call", call_id="call_2", name="exec", input=wait),
        item("custom_tool_call_output", call_id="call_2", output=[{"text": head}, {"text": ended}]),
    )

    action = only(file)

    assert (action.parameters, action.outcome) == ({"command": "make slow"}, Outcome.FAILED)


@pytest.mark.parametrize(("has_ended", "name", "outcome"), [(True, "exec-1", "failed"), (False, "call_1", "partial")])
def test_a_background_script_is_one_call_even_without_an_end(
    tmp_path: Path, name: str, outcome: str, *, has_ended: bool
) -> None:
    """The item of its end may come much later, and its name is the one that hooks report."""
    said = {"type": "UserMessage", "content": [{"type": "text", "text": "Fix it"}]}
    head = "Script completed\nWall time 0.7 seconds\nOutput:\n"
    running = '{"chunk_id":"a","wall_time_seconds":0.5,"session_id":77,"output":""}'
    ran = {"type": "CommandExecution", "id": "exec-1", "process_id": "77", "command": ["bash", "-lc", "make slow"]}
    records = [
        event("item_completed", turn_id="turn-1", item=said),
        item("custom_tool_call", call_id="call_1", name="exec", input='tools.exec_command({cmd:"make slow"})'),
        item("custom_tool_call_output", call_id="call_1", output=[{"text": head}, {"text": running}]),
        event("item_completed", turn_id="turn-1", item={**ran, "exit_code": 5}),
    ]
    file = rollout(tmp_path, *(records if has_ended else records[:3]))

    action = only(file)

    assert (action.id, action.parameters, action.outcome) == (name, {"command": "make slow"}, outcome)


def test_a_search_without_an_id_is_a_call(tmp_path: Path) -> None:
    """The model's service runs it; two of them must stay two."""
    search = item("web_search_call", status="completed", action={"type": "search", "query": "rounding"})
    file = rollout(tmp_path, *turn("turn-1"), search, event("web_search_end", call_id="ws_1"), search)

    found = actions(read(codex.AGENT, file))

    assert [(action.tool, action.parameters) for action in found] == [("WebSearch", {"query": "rounding"})] * 2


def test_an_mcp_call_has_the_outcome_of_its_result(tmp_path: Path) -> None:
    """Its output is the server's own words."""
    invocation = {"server": "shop", "tool": "find", "arguments": {"id": 3}}
    failed = event("mcp_tool_call_end", call_id="call_1", invocation=invocation, result={"Err": "gone"})
    file = rollout(tmp_path, *turn("turn-1"), call("mcp__shop__find", id=3), failed, answer("err: gone"))

    action = only(file)

    assert (action.tool, action.outcome) == ("mcp__shop__find", Outcome.FAILED)


def test_a_user_shell_line_is_an_action_of_the_user(tmp_path: Path) -> None:
    """The user's own tries in between are no steps of the agent's work."""
    line = {"type": "CommandExecution", "id": "shell-1", "command": ["zsh", "-lc", "ls"], "source": "user_shell"}
    file = rollout(tmp_path, *turn("turn-1"), event("item_completed", item={**line, "exit_code": 0}))

    assert only(file).actor == "user"


def test_a_turn_can_change_the_directory(tmp_path: Path) -> None:
    """One may go on in another folder than it began in; a fork also describes the thread that it was forked from."""
    file = rollout(
        tmp_path,
        {"type": "session_meta", "payload": {"id": "another", "cwd": "/home/dev/other", "git": {"branch": "old"}}},
        *turn("turn-1"),
        {"type": "turn_context", "payload": {"turn_id": "turn-2", "cwd": "/home/dev/project/sub"}},
        event("user_message", message="Go on there"),
    )

    places = [(event.context.directory, event.context.branch) for event in read(codex.AGENT, file)]

    assert places == [("/home/dev/project", "main"), ("/home/dev/project/sub", "main")]


def test_a_forked_subagent_repeats_no_calls(tmp_path: Path) -> None:
    """Its rollout begins with a copy of its origin's records."""
    child = "019f0000-0000-7000-8000-000000000002"
    before = [*turn("turn-1"), call(cmd="make test"), answer("Process exited with code 0\nOutput:\n")]
    rollout(tmp_path, *before, call(cmd="ls", name="call_9"), thread=child, parent_thread_id=THREAD)
    started = event("sub_agent_activity", kind="started", event_id="call_2", agent_thread_id=child)
    file = rollout(tmp_path, *before, call("spawn_agent", "call_2"), started, answer('{"task_name":"x"}', "call_2"))

    found = actions(read(codex.AGENT, file))

    assert [(action.id, action.actor) for action in found] == [
        ("call_1", "main"),
        ("call_2", "main"),
        ("call_9", child),
    ]


def test_a_subagent_in_the_next_days_folder_is_found(tmp_path: Path) -> None:
    """Its rollout lies in the folder of its own day."""
    days = [tmp_path / "sessions" / "2026" / "03" / day for day in ("02", "03")]
    for day, source in zip(days, (STARTER, SUBAGENT), strict=True):
        day.mkdir(parents=True)
        shutil.copy(source, day)

    events = read(codex.AGENT, days[0] / STARTER.name)

    assert [event.model_copy(update={"order": 0}) for event in events] == [
        event.model_copy(update={"order": 0}) for event in read(codex.AGENT, STARTER)
    ]


@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_subagent_rollout_costs_only_its_own_calls(what: str, tmp_path: Path) -> None:
    """The rest of the session is read, and the user sees which file to look at."""
    file, bad = (Path(shutil.copy(rollout, tmp_path)) for rollout in (STARTER, SUBAGENT))
    make_unreadable(bad, what)
    reader = LogReader()

    events = read(codex.AGENT, file, reader)

    assert [(problem.file, problem.line) for problem in reader.problems] == [(bad, 0)]
    assert events == [event for event in read(codex.AGENT, STARTER) if not event.action or event.action.actor == "main"]


def test_unknown_records_are_counted(tmp_path: Path) -> None:
    """Later versions write new records, and odd lines come from anywhere."""
    file = rollout(
        tmp_path,
        {"type": "someday", "payload": {}},
        item("someday"),
        event("someday"),
        event("item_completed", item={"type": "Someday"}),
        event("item_completed", item={"type": "CommandExecution"}, started_at_ms="noon"),
        *turn("turn-1"),
        item("function_call", name=3, call_id="call_1", arguments="{"),
        item("function_call", name="shell"),
        answer({"content": 3}),
        answer("ok", "nobody"),
        message("user", "never asked"),
        event("patch_apply_end", call_id="call_2", changes="none"),
    )
    with file.open("a", encoding="utf-8") as log:
        log.write('{"type": "event_msg"\n[]\n{"type": "event_msg", "pay')
    reader = LogReader()

    events = read(codex.AGENT, file, reader)

    assert reader.skipped == 7
    assert [event.prompt for event in events if event.prompt] == ["Fix the rounding"]


@pytest.mark.parametrize(
    ("name", "line", "is_log"),
    [
        (f"rollout-2026-03-02T09-00-00-{THREAD}.jsonl", '{"timestamp":"x","type":"session_meta","payload":{}}', True),
        (f"rollout-{THREAD}.jsonl", '{"id":"x","timestamp":"y","instructions":null}', True),
        (
            f"rollout-{THREAD}.jsonl",
            '{"type":"session_meta","payload":{"parent_thread_id":"y"}}',
            False,
        ),
        (f"rollout-{THREAD}.jsonl", '{"type":"session_meta","payload":{"source":{"subagent":"review"}}}', False),
        (f"rollout-{THREAD}.jsonl", '{"type":"session_meta","payload":{"t":"\\"parent_thread_id\\":\\"y\\""}}', True),
        ("history.jsonl", '{"type":"session_meta","payload":{}}', False),
        (f"rollout-{THREAD}.json", '{"type":"session_meta","payload":{}}', False),
        (f"rollout-{THREAD}.jsonl", '{"sessionId":"x","type":"user"}', False),
        (f"rollout-{THREAD}.jsonl", "", False),
    ],
)
def test_only_rollouts_are_recognised(name: str, line: str, *, is_log: bool) -> None:
    """A folder that is imported holds all sorts of things; a subagent's rollout is a part of another's."""
    assert codex.AGENT.logs.is_log(Path(name), line.encode() + b"\n") is is_log


def test_rollouts_are_in_the_folders_of_codex(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users may have moved the folder of their Codex."""
    monkeypatch.setenv("CODEX_HOME", "/home/dev/elsewhere")

    assert codex.AGENT.logs.folders()[0] == Path("/home/dev/elsewhere/sessions")


SAMPLE = Log(
    f"sessions/2026/03/02/rollout-2026-03-02T09-00-00-{THREAD}.jsonl",
    [
        {"timestamp": f"2026-03-02T09:00:{second:02}.000Z", **record}
        for second, record in enumerate(
            [
                {
                    "type": "session_meta",
                    "payload": {"id": THREAD, "cwd": "/home/dev/project", "git": {"branch": "main"}},
                },
                *turn("turn-1"),
                call("exec_command", "c1", cmd="make test"),
                answer("Process exited with code 0\nOutput:\nok", "c1"),
                item("custom_tool_call", name="apply_patch", call_id="c2", input=PATCH.replace("+two", "+CONTENTS")),
                item(
                    "custom_tool_call_output", call_id="c2", output="Success. Updated the following files:\nM shop.py"
                ),
                event("task_complete", turn_id="turn-1"),
            ]
        )
    ],
)
