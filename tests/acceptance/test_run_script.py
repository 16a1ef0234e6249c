"""The registered commands source hooks/run.sh: in each shell, from any path, whole or damaged."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from behavior_plugin.capture.handlers import HANDLERS
from tests.acceptance.feeding import data_folder, feed, hook_environment, spooled_payloads
from tests.acceptance.sessions import ROOT

SHELLS = [[shell] for name in ("sh", "dash", "bash", "zsh", "ksh", "mksh") if (shell := shutil.which(name))]
SHELLS += [["busybox", "sh"]] if shutil.which("busybox") else []
SCRIPT = (ROOT / "hooks" / "run.sh").read_text(encoding="utf-8")
in_each_shell = pytest.mark.parametrize("shell", SHELLS, ids=" ".join)


@pytest.fixture(autouse=True)
def data(own_home: Path) -> Iterator[Path]:
    """Tests of the hooks alone."""
    with data_folder(own_home) as folder:
        yield folder


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    return make_plugin(tmp_path / "plugin")


def make_plugin(root: Path) -> Path:
    """A plugin whose hook.py writes its arguments and the payload beside itself."""
    (root / "hooks").mkdir(parents=True)
    for script in ("run.sh", "find_python.sh"):
        shutil.copy(ROOT / "hooks" / script, root / "hooks")
    (root / "hooks" / "hook.py").write_text(
        "import sys\nopen(__file__ + '.log', 'w').write(' '.join(sys.argv[1:]) + ': ' + sys.stdin.read())\n"
    )
    return root


def run(root: Path, *, shell: list[str], payload: str = "{}", **environment: str) -> subprocess.CompletedProcess[bytes]:
    hooks = json.loads((ROOT / "hooks" / "hooks.json").read_text(encoding="utf-8"))["hooks"]
    [entry] = hooks["UserPromptSubmit"][0]["hooks"]
    env = hook_environment(root=root, **environment)
    command = [*shell, "-c", entry["command"]]
    return subprocess.run(command, input=payload.encode(), env=env, capture_output=True, timeout=20, check=False)


def log(root: Path) -> str | None:
    file = root / "hooks" / "hook.py.log"
    return file.read_text() if file.exists() else None


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@in_each_shell
def test_the_hook_gets_its_event_and_the_untouched_payload(shell: list[str], plugin: Path) -> None:
    """The shell must not read standard input."""
    done = run(plugin, shell=shell, payload='{"a": "\\n$HOME"}\n')

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert log(plugin) == 'UserPromptSubmit: {"a": "\\n$HOME"}\n'


@in_each_shell
@pytest.mark.parametrize("options", ["-e", "-u", "-eu"])
def test_strict_shell_options_cost_no_event(shell: list[str], options: str, plugin: Path, tmp_path: Path) -> None:
    """A user's start-up file may set them. The client sets no CLAUDE_PLUGIN_DATA before 2.1.78."""
    broken = tmp_path / "data" / "python3"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)

    without_link = run(plugin, shell=[*shell, options])
    first = log(plugin)
    with_broken_link = run(plugin, shell=[*shell, options], CLAUDE_PLUGIN_DATA=str(broken.parent))

    assert (without_link.returncode, with_broken_link.returncode) == (0, 0)
    assert first == "UserPromptSubmit: {}"
    assert log(plugin) == "UserPromptSubmit again: {}"


@in_each_shell
@pytest.mark.parametrize("name", ["a b", 'it\'s "q"', "$HOME `id` \\ ; é", "new\nline", "*?[a]", "end\\", "-n"])
def test_any_path_reaches_python_unchanged(shell: list[str], name: str, tmp_path: Path) -> None:
    root = make_plugin(tmp_path / name)

    done = run(root, shell=shell)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert log(root) == "UserPromptSubmit: {}"


@in_each_shell
@pytest.mark.parametrize("damage", [Path.unlink, replace_by_folder], ids=["missing", "a folder"])
def test_a_missing_run_sh_does_no_harm(shell: list[str], damage: Callable[[Path], None], plugin: Path) -> None:
    """Sourcing a missing file makes some shells exit with 2, which would erase the prompt."""
    damage(plugin / "hooks" / "run.sh")

    done = run(plugin, shell=shell)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@in_each_shell
@pytest.mark.parametrize("end", ['"$python" -I -S', "/hook.py", "then", "again", "fi"])
def test_a_truncated_run_sh_runs_nothing(shell: list[str], end: str, plugin: Path, tmp_path: Path) -> None:
    """Python without its script would run the payload as a program."""
    script = plugin / "hooks" / "run.sh"
    script.write_text(SCRIPT[: SCRIPT.rindex(end) + len(end)])

    done = run(plugin, shell=shell, payload=f"open({str(tmp_path / 'pwn')!r}, 'w')\n")

    assert (done.returncode, done.stdout) == (0, b"")
    assert not (tmp_path / "pwn").exists()
    assert log(plugin) is None


@in_each_shell
def test_a_missing_hook_is_reported_once(shell: list[str], plugin: Path, tmp_path: Path) -> None:
    """Two Pythons could complain."""
    (plugin / "hooks" / "hook.py").unlink()
    (tmp_path / "python3").symlink_to(shutil.which("python3") or "")

    done = run(plugin, shell=shell, CLAUDE_PLUGIN_DATA=str(tmp_path))

    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("event", HANDLERS)
def test_the_event_of_a_killed_python_is_reported_as_lost(event: str, tmp_path: Path) -> None:
    """The killed one has read the payload, so only the second attempt can report the loss."""
    killed = tmp_path / "python3"
    killed.write_text("#!/bin/sh\ncat >/dev/null\nkill -9 $$\n")
    killed.chmod(0o755)

    done = feed(event, b"{}", env=hook_environment(CLAUDE_PLUGIN_DATA=str(tmp_path)))

    assert (done.returncode, spooled_payloads()) == (0, [])
    assert b"behavior: event not recorded: KilledError" in done.stderr
