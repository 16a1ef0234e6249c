"""Tool calls of Codex and their outputs get our names."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.agents.codex.tools import (
    MAX_SCRIPT_CHARS,
    ToolCall,
    awaited_process,
    command_line,
    exit_outcome,
    normalize_call,
    parse_end,
    parse_item,
    parse_output,
    parse_script,
    started_thread_id,
)
from behavior_plugin.agents.tools import MAX_FILES
from behavior_plugin.model import Outcome

PATCH = "*** Begin Patch\n*** Update File: shop.py\n*** Move to: /srv/tax.py\n*** End Patch"


@pytest.mark.parametrize(
    ("output", "outcome", "duration_ms"),
    [
        ("Chunk ID: 1\nWall time: 0.2500 seconds\nProcess exited with code 0\nOutput:\nExit code: 1\n", "success", 250),
        ("Wall time: 2 seconds\nProcess exited with code 3\nOriginal token count: 0\nOutput:\n", "failed", 2000),
        ("Exit code: 1\nWall time: 0.3 seconds\nOutput:\nno", "failed", 300),
        ('{"output":"ok","metadata":{"exit_code":0,"duration_seconds":0.1}}', "success", 100),
        ('{"output":"no","metadata":{"exit_code":1,"duration_seconds":1e308}}', "failed", None),
        ({"content": "Exit code: 0\nOutput:\nok", "success": True}, "success", None),
        ([{"type": "input_text", "text": "Script failed\nWall time 0.1 seconds\nOutput:\n"}], "failed", 100),
        ("unsupported call: shell", "failed", None),
        ("exec command rejected by user", "partial", None),
        ("Wall time: 18.7 seconds\naborted by user", "partial", 18700),
        ("Wall time: 1 seconds\nOutput:\naborted by user", "success", 1000),
        ("Exit code: 0 is what it prints", "success", None),
        (None, "success", None),
    ],
)
def test_the_outcome_of_a_command_is_in_its_output(output: Any, outcome: str, duration_ms: int | None) -> None:
    """No record has it as a field; the command's own output must not be mistaken for it."""
    answer = parse_output(output)

    assert (answer.outcome.value, answer.duration_ms) == (outcome, duration_ms)


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("update_plan", {"plan": []}, ToolCall("TodoWrite", {"todos": []})),
        ("web_search", {"query": "tax"}, ToolCall("WebSearch", {"query": "tax"})),
        ("grep_files", {"pattern": "tax", "include": "*.py"}, ToolCall("Grep", {"pattern": "tax", "glob": "*.py"})),
        ("list_dir", {"dir_path": "/srv"}, ToolCall("LS", {"path": "/srv"})),
        ("someday", {"path": "a"}, ToolCall("someday", {"path": "a"})),
        ("someday", "a text", ToolCall("someday", {"input": "a text"})),
        ("someday", ["a"], ToolCall("someday", {})),
        ("shell", {"command": ["zsh", "-lc", "ls | wc"]}, ToolCall("Bash", {"command": "ls | wc"})),
    ],
)
def test_tools_have_our_names(tool: str, arguments: Any, expected: ToolCall) -> None:
    """Hooks and rollouts report the same call; a tool without a name of ours keeps its own."""
    assert normalize_call(tool, arguments, directory="/home/dev") == expected


@pytest.mark.parametrize(
    "found",
    [
        normalize_call("apply_patch", PATCH, directory="/home/dev"),
        normalize_call("apply_patch", {"input": PATCH}, directory="/home/dev"),
        normalize_call("shell", {"command": ["apply_patch", PATCH]}, directory="/home/dev"),
        parse_script(f"tools.apply_patch({PATCH!r})", directory="/home/dev"),
    ],
)
def test_a_patch_is_an_edit_of_all_its_files(found: ToolCall) -> None:
    """It comes in many ways; where a file was moved to is touched as well as where it was."""
    assert found == ToolCall("Edit", {"file_path": "/home/dev/shop.py"}, ("/home/dev/shop.py", "/srv/tax.py"))


def test_a_patch_of_very_many_files_is_bounded() -> None:
    """Every stored part of a call is bounded."""
    many = "".join(f"*** Add File: {number}\n" for number in range(2 * MAX_FILES))

    assert len(normalize_call("apply_patch", many, directory="").files) == MAX_FILES


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "function_call", "name": "shell", "arguments": '{"command": "ls"}'}, ("shell", {"command": "ls"})),
        ({"type": "function_call", "name": "shell", "arguments": "{"}, ("shell", {})),
        ({"type": "function_call", "namespace": "mcp__a", "name": "b", "arguments": "{}"}, ("mcp__a__b", {})),
        ({"type": "function_call", "namespace": "multi_agent", "name": "b", "arguments": "{}"}, ("b", {})),
        ({"type": "local_shell_call", "action": {"command": ["ls"]}}, ("local_shell", {"command": ["ls"]})),
        ({"type": "custom_tool_call", "name": "exec", "input": "text(1)"}, ("exec", "text(1)")),
        ({"type": "tool_search_call", "arguments": {"query": "tax"}}, ("tool_search", {"query": "tax"})),
    ],
)
def test_an_item_has_the_tool_and_its_arguments(item: dict[str, Any], expected: tuple[str, Any]) -> None:
    """Each kind of item says it in another place."""
    assert parse_item(item) == expected


@pytest.mark.parametrize(
    ("tool", "arguments", "name"),
    [
        ("write_stdin", {"session_id": 7, "chars": ""}, "7"),
        ("wait", {"cell_id": "c1"}, "c1"),
        ("wait", {"cell_id": ["c1"]}, None),
        ("exec_command", {"session_id": 7}, None),
        ("exec", "await tools.write_stdin({session_id: 7, chars: ''})", "7"),
        ("exec", 'await tools.write_stdin({session_id: 7, chars: "y"})', None),
        ("exec", "await tools.write_stdin({session_id: 7}); await tools.exec_command({cmd: 'ls'})", None),
    ],
)
def test_a_poll_names_the_process_it_waits_for(tool: str, arguments: Any, name: str | None) -> None:
    """Looking is no step of the work; doing something besides is."""
    assert awaited_process(tool, arguments) == name


def test_only_the_beginning_of_a_long_script_is_searched() -> None:
    """A model may write one of any length."""
    script = "tools.exec_command({cmd: 'a'});" + " " * MAX_SCRIPT_CHARS + "tools.view({})"

    assert parse_script(script, directory="") == ToolCall("exec", {"tools": "exec_command"})


@pytest.mark.parametrize(
    ("output", "running", "exit_code"),
    [
        ("Process running with session ID 77\nOutput:\n", "77", None),
        ("Script running with cell ID c1\nOutput:\n", "c1", None),
        ("Script completed\nOutput:\n" + '{"chunk_id":"a","wall_time_seconds":1,"session_id":77}', "77", None),
        ("Script completed\nOutput:\n" + '{"chunk_id":"a","wall_time_seconds":1,"exit_code":2}', None, 2),
        ("Output:\nProcess running with session ID 77\n", None, None),
    ],
)
def test_an_output_names_the_process_that_still_runs(output: str, running: str | None, exit_code: int | None) -> None:
    """The command's own output names none."""
    answer = parse_output(output)

    assert (answer.running, answer.exit_code) == (running, exit_code)


@pytest.mark.parametrize(
    ("exit_code", "outcome"),
    [(0, Outcome.SUCCESS), (3, Outcome.FAILED), (-1, Outcome.PARTIAL), (None, Outcome.PARTIAL)],
)
def test_a_stopped_process_is_partial(exit_code: int | None, outcome: Outcome) -> None:
    """It has a code below nothing, or none."""
    assert exit_outcome(exit_code) is outcome


def test_an_end_record_has_call_and_outcome() -> None:
    """The record of a script's or a user's command has nothing else."""
    end = parse_end(
        {
            "type": "CommandExecution",
            "id": "exec-1",
            "command": ["bash", "-lc", "make"],
            "exit_code": 2,
            "duration": {"secs": 1, "nanos": 500_000_000},
            "source": "user_shell",
        },
        directory="/home/dev",
    )

    assert end
    assert (end.call, end.outcome) == (ToolCall("Bash", {"command": "make"}), Outcome.FAILED)
    assert (end.duration_ms, end.is_users) == (1500, True)
    assert parse_end({"type": "CommandExecution"}, directory="") is None
    assert parse_end({"type": "Someday", "id": "x"}, directory="") is None


@pytest.mark.parametrize(
    ("answer", "thread"),
    [('{"agent_id":"t1","nickname":"Ada"}', "t1"), ('{"agent_id":', None), ('{"agent_id":7}', None), ("t1", None)],
)
def test_an_output_may_name_the_started_thread(answer: str, thread: str | None) -> None:
    """By it a subagent's rollout is found."""
    assert started_thread_id(answer) == thread


@pytest.mark.parametrize(
    ("command", "line"),
    [(["bash", "-c", "a b"], "a b"), (["git", "commit", "-m", "a b"], "git commit -m 'a b'"), ("ls", "ls"), (None, "")],
)
def test_a_command_reads_as_typed(command: Any, line: str) -> None:
    """The shell that it is started in is not the work."""
    assert command_line(command) == line
