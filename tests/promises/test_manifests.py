"""What the client and the user read of us is true: manifests, hooks, README."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import click
import click.testing
import pytest
from pydantic.fields import FieldInfo

from behavior_plugin import __version__
from behavior_plugin.capture import python_link
from behavior_plugin.capture.handlers import HANDLERS
from behavior_plugin.cli import cli
from behavior_plugin.config import Settings

ROOT = Path(__file__).resolve().parents[2]
# Every event that client 2.1.119, the oldest supported, knows. One that it does not know disables all hooks.
KNOWN_TO_THE_OLDEST_CLIENT = set(
    """
    SessionStart SessionEnd Setup InstructionsLoaded UserPromptSubmit UserPromptExpansion PreToolUse PermissionRequest
    PermissionDenied PostToolUse PostToolUseFailure PostToolBatch Stop StopFailure SubagentStart SubagentStop PreCompact
    PostCompact Notification ConfigChange CwdChanged FileChanged WorktreeCreate WorktreeRemove TaskCreated TaskCompleted
    TeammateIdle Elicitation ElicitationResult
    """.split()  # noqa: SIM905 - easier to compare with the client's own list
)
README = (ROOT / "README.md").read_text(encoding="utf-8")
HOOKS = json.loads((ROOT / "hooks" / "hooks.json").read_text(encoding="utf-8"))["hooks"]


def test_the_two_manifests_are_equal() -> None:
    """The client reads the inner one, people look at the outer one."""
    inner = ROOT / ".claude-plugin" / "plugin.json"

    assert not inner.is_symlink()
    assert inner.read_bytes() == (ROOT / "plugin.json").read_bytes()


def test_the_manifest_has_the_package_version() -> None:
    """One version, whoever asks."""
    assert json.loads((ROOT / "plugin.json").read_text(encoding="utf-8"))["version"] == __version__


def test_only_events_that_the_oldest_client_knows_are_registered() -> None:
    """One unknown name would silence us without a word."""
    assert set(HOOKS) <= KNOWN_TO_THE_OLDEST_CLIENT


def test_every_registered_event_has_a_handler_and_back() -> None:
    """What is heard is handled, and what is handled is heard."""
    assert set(HOOKS) == set(HANDLERS)


@pytest.mark.parametrize("event", HOOKS)
def test_a_registered_command_names_its_event_and_ends_with_0(event: str) -> None:
    """2 would erase the prompt, or block. A signal that comes before run.sh is read must not cost the event either."""
    [entry] = [hook for group in HOOKS[event] for hook in group["hooks"]]
    traps, _, rest = entry["command"].partition("set -- ")

    assert traps == "trap '' HUP INT TERM; trap 'exit 0' EXIT; "
    assert rest.startswith(f"{event}; ")
    assert rest.endswith("; exit 0")
    assert "${" not in entry["command"], "the client pastes placeholders into the shell's text; a variable is safe"


def test_the_registered_commands_differ_in_the_event_alone() -> None:
    """What they share is in run.sh; six copies of more would have to be changed together."""
    commands = {
        hook["command"].replace(event, "EVENT") for event in HOOKS for group in HOOKS[event] for hook in group["hooks"]
    }

    assert len(commands) == 1


def test_run_sh_tries_the_link_that_a_hook_refreshes() -> None:
    """The shell and Python each name the file, in different languages."""
    script = (ROOT / "hooks" / "run.sh").read_text(encoding="utf-8")

    assert f'"$CLAUDE_PLUGIN_DATA/{python_link.NAME}" -I -S "$CLAUDE_PLUGIN_ROOT/hooks/hook.py"' in script


@pytest.mark.parametrize("event", ["PostToolUse", "PostToolUseFailure", "SessionEnd"])
def test_nobody_waits_for_what_needs_no_answer(event: str) -> None:
    """Tool calls go on at once, and the session's end is not cut off after 1.5 s."""
    assert all(hook["async"] for group in HOOKS[event] for hook in group["hooks"])


def documented_commands() -> list[str]:
    """The lines of the README's shell blocks, and of the other pages' that show commands."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [block for page in pages for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.S)]
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_readme_names_the_two_commands() -> None:
    """One runs the main job, one passes the tests."""
    assert {"make demo", "make test"} <= set(documented_commands())


@pytest.mark.parametrize("line", documented_commands())
def test_a_documented_command_exists(line: str) -> None:
    """Pages outlive the commands they tell of."""
    words = shlex.split(line)
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
        assert {word for word in words[1:] if "=" not in word} <= set(targets)
    if Path(words[0]).name == "behavior":
        _assert_is_command(words[1:])


def _assert_is_command(words: list[str]) -> None:
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    assert {word for word in words if word.startswith("-")} <= options


def test_the_readme_shows_the_commands_own_help() -> None:
    """A command that was added or renamed shows up there."""
    shown = click.testing.CliRunner().invoke(cli, ["--help"], prog_name="behavior", terminal_width=100).output

    assert f"<!-- behavior --help -->\n```\n{shown}```" in README


@pytest.mark.parametrize(("name", "field"), Settings.model_fields.items())
def test_the_readme_describes_every_setting(name: str, field: FieldInfo) -> None:
    """In the words of the setting itself."""
    assert f"| `{name}` | `BEHAVIOR_{name.upper()}` | {field.description} |" in README


def test_ci_runs_the_readmes_test_command() -> None:
    """What CI has seen pass is what a user runs."""
    assert "make test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_file_of_the_package_is_text_or_expected() -> None:
    """No build product or stray binary is shipped."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    kinds = {Path(name).suffix for name in listed if name}

    assert kinds <= {"", ".py", ".sh", ".json", ".jsonl", ".toml", ".md", ".sql", ".txt", ".yml"}
