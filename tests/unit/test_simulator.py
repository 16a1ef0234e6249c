"""Our stand-in for the client runs hooks as the client was seen to run them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents.install import install
from behavior_plugin.capture import paths
from behavior_plugin.errors import BehaviorError, ConfigError, SetupError
from behavior_plugin.simulator import HookCommand, HookRun, registered_hooks, registered_in_settings, run

PLUGIN = Path(__file__).parents[2]
EVENTS = {"SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "Stop", "SessionEnd"}
ENVIRONMENT = {"PATH": os.environ["PATH"]}
DEADLINE_S = 20.0


def make_hook(command: str, **changes: Any) -> HookCommand:
    return HookCommand(**{"event": "UserPromptSubmit", "command": command, "timeout_s": DEADLINE_S, **changes})


def make_payload(folder: Path, **changes: Any) -> dict[str, Any]:
    return {"session_id": "s-1", "cwd": str(folder), "hook_event_name": "UserPromptSubmit", **changes}


def make_run(stdout: str) -> HookRun:
    return HookRun(event="UserPromptSubmit", exit_code=0, stdout=stdout, stderr="", seconds=0)


def make_answer(text: object, event: str = "UserPromptSubmit") -> str:
    return json.dumps({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}})


def make_hooks_file(root: Path, hooks: dict[str, Any]) -> Path:
    (root / "hooks").mkdir(parents=True)
    content = {"hooks": {event: [{"hooks": [entry]}] for event, entry in hooks.items()}}
    (root / "hooks" / "hooks.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def wait_for_nobody(fifo: Path) -> None:
    """Return when no process holds a named pipe open any more."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        try:
            os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return
        time.sleep(0.01)
    pytest.fail("somebody still runs")


def test_plugin_hooks_are_read_from_hooks_json() -> None:
    """The doctor must run exactly the client's commands."""
    hooks = registered_hooks(PLUGIN)

    assert set(hooks) == EVENTS
    assert all(f"set -- {event}; " in hook.command for event, hook in hooks.items())
    assert {hook.plugin_root for hook in hooks.values()} == {PLUGIN}
    assert hooks["SessionEnd"].is_async
    assert not hooks["UserPromptSubmit"].is_async


def test_only_our_hooks_are_read_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor must not run other people's commands."""
    monkeypatch.setenv("BEHAVIOR_HOME", str(tmp_path / "data"))
    settings, python = tmp_path / "settings.json", tmp_path / "python"
    python.write_text("#!/bin/sh\n", encoding="utf-8")
    python.chmod(0o755)
    other = {"type": "command", "command": "say done"}
    content = {"hooks": {"Stop": [{"hooks": [other]}], "PreToolUse": [{"hooks": [other, {"type": "http"}]}]}}
    settings.write_text(json.dumps(content), encoding="utf-8")
    assert registered_in_settings(settings) == {}

    install(settings_file=settings, plugin_root=PLUGIN, interpreter=python)

    hooks = registered_in_settings(settings)
    assert set(hooks) == EVENTS
    assert all(str(PLUGIN) in hook.command and hook.plugin_root is None for hook in hooks.values())


def test_absent_settings_have_no_hooks(tmp_path: Path) -> None:
    assert registered_in_settings(tmp_path / "settings.json") == {}


def test_unreadable_registrations_are_reported(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{", encoding="utf-8")

    with pytest.raises(ConfigError):
        registered_in_settings(tmp_path / "settings.json")
    with pytest.raises(SetupError):
        registered_hooks(tmp_path)


@pytest.mark.parametrize(
    ("event", "entry", "timeout_s"),
    [
        ("Stop", {}, 600),
        ("UserPromptSubmit", {}, 30),
        ("UserPromptSubmit", {"timeout": 5}, 5),
        ("SessionEnd", {"timeout": 8}, 1.5),
        ("SessionEnd", {"timeout": 8, "async": True}, 8),
    ],
)
def test_timeouts_are_those_of_the_client(tmp_path: Path, event: str, entry: dict[str, Any], timeout_s: float) -> None:
    """A plugin's wish for more time at session end is ignored, unless the hook is async."""
    root = make_hooks_file(tmp_path, {event: {"type": "command", "command": "true", **entry}})

    assert registered_hooks(root)[event].timeout_s == timeout_s


def test_a_hook_gets_payload_directory_and_environment(tmp_path: Path) -> None:
    """A hook that works here should find nothing different in the client."""
    hook = make_hook("pwd; env; cat", plugin_root=Path("/the plugin"))
    payload = make_payload(tmp_path, prompt='Grüße "世界" \ud800')

    result = run(hook, payload, environment={**ENVIRONMENT, "MINE": "x"}, client_pid=4711)

    folder, *variables, line = result.stdout.splitlines()
    assert folder == str(tmp_path)
    assert {
        "CLAUDECODE=1",
        "CLAUDE_CODE_SESSION_ID=s-1",
        "CLAUDE_PID=4711",
        f"CLAUDE_PROJECT_DIR={tmp_path}",
        "CLAUDE_PLUGIN_ROOT=/the plugin",
        f"CLAUDE_PLUGIN_DATA={paths.data_folder()}",
        "MINE=x",
        f"PWD={tmp_path}",
    } <= set(variables)
    assert not any(variable.startswith("HOME=") for variable in variables)
    assert result.stdout.endswith("}\n")
    assert "世界" in line
    assert json.loads(line) == payload


def test_a_hook_in_settings_gets_no_plugin_folder(tmp_path: Path) -> None:
    """A command that needs the variable would work here and fail in the client."""
    hook = make_hook('echo "[$CLAUDE_PLUGIN_ROOT$CLAUDE_PLUGIN_DATA] $CLAUDE_PROJECT_DIR $CLAUDE_PID"')

    result = run(hook, make_payload(tmp_path), environment=ENVIRONMENT)

    assert result.stdout == f"[] {tmp_path} {os.getpid()}\n"


def test_outcome_of_a_hook_is_reported(tmp_path: Path) -> None:
    result = run(make_hook("echo out; echo oops >&2; exit 2"), make_payload(tmp_path), environment=ENVIRONMENT)

    assert (result.exit_code, result.stdout, result.stderr) == (2, "out\n", "oops\n")
    assert 0 < result.seconds < DEADLINE_S


def test_a_hook_may_ignore_its_input(tmp_path: Path) -> None:
    """Payloads hold whole files, more than a pipe takes."""
    payload = make_payload(tmp_path, prompt="x" * 5_000_000)

    assert run(make_hook("exit 0"), payload, environment=ENVIRONMENT).exit_code == 0


def test_large_payload_and_large_answer_do_not_block_each_other(tmp_path: Path) -> None:
    payload = make_payload(tmp_path, prompt="x" * 5_000_000)

    result = run(make_hook("cat"), payload, environment=ENVIRONMENT)

    assert json.loads(result.stdout) == payload


@pytest.mark.parametrize("command", ["echo half; sleep 600", "trap '' TERM; echo half; sleep 600; sleep 600"])
def test_hook_is_stopped_at_its_timeout_with_its_children(tmp_path: Path, command: str) -> None:
    """The client drops the output of a late hook, and does not run it again."""
    os.mkfifo(tmp_path / "held open")
    hook = make_hook(f"exec 9<>'held open'; {command}", timeout_s=0.2)

    result = run(hook, make_payload(tmp_path), environment=ENVIRONMENT)

    assert result.exit_code is None
    assert result.stdout == ""
    assert result.seconds < DEADLINE_S
    wait_for_nobody(tmp_path / "held open")


def test_a_child_left_behind_does_not_delay_the_hook(tmp_path: Path) -> None:
    """A child that keeps our output open ends when it likes; the hook is over when the hook is over."""
    hook = make_hook("sleep 600 & echo $! >pid; echo done")

    result = run(hook, make_payload(tmp_path), environment=ENVIRONMENT)

    os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), 9)
    assert result.stdout == "done\n"
    assert result.seconds < DEADLINE_S


@pytest.mark.parametrize(
    ("stdout", "text"),
    [
        ("", None),
        ("{}", None),
        (make_answer("a known workflow"), "a known workflow"),
        (make_answer("a known workflow") + "\n", "a known workflow"),
        ('{"systemMessage": "not set up"}', None),
        ('{"additionalContext": "at the top level the client ignores it"}', None),
        ('{"hookSpecificOutput": {"hookEventName": "UserPromptSubmit"}}', None),
    ],
)
def test_additional_context_is_what_the_model_gets(stdout: str, text: str | None) -> None:
    assert make_run(stdout).additional_context == text


@pytest.mark.parametrize(
    "stdout",
    [
        "\n",
        "a log line",
        "a log line\n" + make_answer("a known workflow"),
        make_answer("one") + "\n" + make_answer("two"),
        make_answer("half")[:-3],
        "[]",
        "null",
        make_answer(["a list"]),
        make_answer("for another event", event="SessionStart"),
        '{"hookSpecificOutput": "text"}',
        '{"hookSpecificOutput": {"additionalContext": "no event"}}',
    ],
)
def test_output_that_is_no_answer_is_refused(stdout: str) -> None:
    """The client shows stray bytes to the model as they are, or logs an error and drops the answer."""
    with pytest.raises(BehaviorError, match="one JSON answer"):
        _ = make_run(stdout).additional_context
