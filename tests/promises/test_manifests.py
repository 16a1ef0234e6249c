"""Manifests, hooks and README match the program."""

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
from behavior_plugin.capture import paths, python_link
from behavior_plugin.capture.handlers import HANDLERS
from behavior_plugin.cli import cli
from behavior_plugin.config import Settings

ROOT = Path(__file__).resolve().parents[2]
# All events of Claude Code 2.1.119, the oldest supported version. One unknown name disables all hooks.
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
    """Claude Code reads the inner one, people look at the outer one."""
    inner = ROOT / ".claude-plugin" / "plugin.json"

    assert not inner.is_symlink()
    assert inner.read_bytes() == (ROOT / "plugin.json").read_bytes()


def test_the_manifest_has_the_package_version() -> None:
    """There is one version number."""
    assert json.loads((ROOT / "plugin.json").read_text(encoding="utf-8"))["version"] == __version__


def test_registered_events_exist_in_the_oldest_client() -> None:
    """One unknown name would silently disable all our hooks."""
    assert set(HOOKS) <= KNOWN_TO_THE_OLDEST_CLIENT


def test_registered_events_and_handlers_match() -> None:
    """An event without a handler is lost, and a handler without its event is dead code."""
    assert set(HOOKS) == set(HANDLERS)


@pytest.mark.parametrize("event", HOOKS)
def test_a_registered_command_names_its_event_and_exits_0(event: str) -> None:
    """Exit code 2 would erase the prompt or block. A signal before run.sh is read must not cost the event either."""
    for entry in [hook for group in HOOKS[event] for hook in group["hooks"]]:
        traps, _, rest = entry["command"].partition("set -- ")

        assert traps == "trap '' HUP INT TERM; trap 'exit 0' EXIT; "
        assert rest.startswith(f"{event}; ")
        assert rest.endswith("; exit 0")
        assert "${" not in entry["command"], "the client pastes placeholders into the shell's text; a variable is safe"


def test_the_registered_commands_differ_in_the_event_alone() -> None:
    """The common part is in run.sh; six copies of it would have to be changed together."""
    commands = {
        hook["command"].replace(event, "EVENT") for event in HOOKS for group in HOOKS[event] for hook in group["hooks"]
    }

    assert len(commands) == 1


def test_run_sh_tries_the_link_that_a_hook_refreshes() -> None:
    """The shell and Python each name the file, in different languages."""
    script = (ROOT / "hooks" / "run.sh").read_text(encoding="utf-8")

    assert f"link=$CLAUDE_PLUGIN_DATA/{python_link.NAME} " in script
    assert '"$link" -I -S "$CLAUDE_PLUGIN_ROOT/hooks/hook.py"' in script


@pytest.mark.parametrize(
    ("tool", "is_waited_for"),
    [
        ("Bash", True),
        ("PowerShell", True),
        ("mcp__memo__search", True),
        ("BashOutput", False),
        ("Read", False),
        ("Edit", False),
        ("not_mcp__memo", False),
    ],
)
def test_one_hook_saves_each_failed_call_and_only_those_with_lessons_wait(tool: str, is_waited_for: bool) -> None:
    """The client searches a matcher in the tool's name, and runs the hooks of every group that matches."""
    groups = [group for group in HOOKS["PostToolUseFailure"] if re.search(group["matcher"], tool)]

    [entry] = [hook for group in groups for hook in group["hooks"]]
    assert entry.get("async", False) is not is_waited_for


@pytest.mark.parametrize("event", ["PostToolUse", "SessionEnd"])
def test_hooks_without_an_answer_are_asynchronous(event: str) -> None:
    """Tool calls continue at once, and the hook of a session's end is not killed after 1.5 s."""
    assert all(hook["async"] for group in HOOKS[event] for hook in group["hooks"])


def documented_commands() -> list[str]:
    """The commands in the shell blocks of the README and the other pages."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    blocks = [block for page in pages for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.S)]
    return [line.partition("#")[0].strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_readme_names_the_two_commands() -> None:
    """A visitor needs one command for the main job and one for the tests."""
    assert {"make demo", "make test"} <= set(documented_commands())


@pytest.mark.parametrize("line", documented_commands())
def test_a_documented_command_exists(line: str) -> None:
    """Documentation goes out of date when a command changes."""
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
    """A new or renamed command must appear in the README."""
    shown = click.testing.CliRunner().invoke(cli, ["--help"], prog_name="behavior", terminal_width=100).output

    assert f"<!-- behavior --help -->\n```\n{shown}```" in README


@pytest.mark.parametrize(("name", "field"), Settings.model_fields.items())
def test_the_readme_describes_every_setting(name: str, field: FieldInfo) -> None:
    """The README repeats the description and the default in the code."""
    value = field.get_default(call_default_factory=True)
    default = f"`{json.dumps(value)}`" if value is not None and value != {} else "none"

    assert f"| `{name}` | {field.description} | {default} |\n" in README


@pytest.mark.parametrize("name", paths.NAMES)
def test_the_privacy_page_names_every_file_of_the_data_folder(name: str) -> None:
    """Its table says what each file holds, and how long."""
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8"), re.M)

    assert name in {part.partition("/")[0] for row in rows for part in re.findall(r"`(.*?)`", row)}


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """CI must run the same command as a user."""
    assert "make test\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_tracked_file_has_an_expected_type() -> None:
    """No build product or stray binary is released."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    kinds = {Path(name).suffix for name in listed if name}

    assert kinds <= {"", ".py", ".sh", ".json", ".jsonl", ".toml", ".md", ".sql", ".txt", ".yml"}
