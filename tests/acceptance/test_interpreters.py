"""The hooks run with the real Python behind a version manager's, and find another one if it is gone, in every shell."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin import simulator
from behavior_plugin.agents.install import install
from behavior_plugin.capture import python_link, wake
from behavior_plugin.capture.handlers import HANDLERS
from tests.acceptance.feeding import data_folder, feed, hook_environment, plugin_copy, spooled_payloads
from tests.acceptance.sessions import ROOT
from tests.settings import elsewhere
from tests.waiting import wait_for

REAL = Path(sys.executable).resolve()
SHELLS = [shell for name in ("sh", "bash", "dash", "zsh", "ksh") if (shell := shutil.which(name))]


@pytest.fixture(autouse=True)
def data(own_home: Path) -> Iterator[Path]:
    """Tests of the hooks alone."""
    with data_folder(own_home) as folder:
        yield folder


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """A link in the client's folder for the plugin's data, whose path has odd characters."""
    folder = tmp_path / "it's $HOME `data`"
    folder.mkdir(mode=0o700)
    return folder / python_link.NAME


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    """A version manager's python3, which logs each of its uses."""
    file = tmp_path / "shims" / "python3"
    file.parent.mkdir()
    file.write_text(f'#!/bin/sh\necho used >>{file}.uses\nexec {REAL} "$@"\n')
    file.chmod(0o755)
    return file


def uses(shim: Path) -> int:
    uses_file = shim.with_name("python3.uses")
    return len(uses_file.read_text().split()) if uses_file.exists() else 0


def client_options(link: Path, path: Path, **options: Any) -> dict[str, Any]:
    """Options to `feed` for a client whose PATH has python3 in the folder of `path`."""
    return {"env": hook_environment(PATH=f"{path.parent}:/usr/sbin", CLAUDE_PLUGIN_DATA=str(link.parent)), **options}


def assert_saves(event: str, **options: Any) -> None:
    before = spooled_payloads()
    done = feed(event, b'{"session_id": "s"}', **options)
    assert (done.returncode, done.stdout) == (0, b"")
    assert spooled_payloads() == [*before, b'{"session_id": "s"}']


@pytest.mark.parametrize("shell", SHELLS)
def test_a_version_managers_script_runs_only_once(shell: str, link: Path, shim: Path) -> None:
    """It costs more than all the work of a hook."""
    assert_saves("SessionStart", **client_options(link, shim, shell=shell))
    for event in HANDLERS:
        assert_saves(event, **client_options(link, shim, shell=shell))

    assert link.readlink() == REAL
    assert uses(shim) == 1


@pytest.mark.parametrize("target", ["/no/such/python3", "cannot start", "fails", "no program", "."])
def test_the_next_session_replaces_a_missing_or_broken_python(
    target: str, link: Path, shim: Path, tmp_path: Path
) -> None:
    """Nothing is lost meanwhile: the hooks fall back to the python3 of the PATH."""
    broken = tmp_path / target
    link.symlink_to(target if target.startswith((".", "/")) else broken)
    if target == "fails":
        broken.write_text("#!/bin/sh\nexit 1\n")
    elif target == "cannot start":
        broken.write_text("#!/no/such/interpreter\n")
    elif target == "no program":
        broken.write_bytes(b"\x7fELF")
    if broken.exists():
        broken.chmod(0o755)

    assert_saves("PostToolUse", **client_options(link, shim))
    assert_saves("SessionStart", **client_options(link, shim))
    assert_saves("PostToolUse", **client_options(link, shim))

    assert link.readlink() == REAL
    assert uses(shim) == 2


@pytest.mark.parametrize("how", ["--symlinks", "--copies"])
def test_the_link_survives_the_environment_of_the_first_session(how: str, link: Path, tmp_path: Path) -> None:
    """The first session may begin in a project's own virtual environment."""
    subprocess.run([REAL, "-m", "venv", "--without-pip", how, str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python3"
    assert_saves("SessionStart", **client_options(link, python))
    shutil.rmtree(tmp_path / "venv")

    assert_saves("PostToolUse", **client_options(link, python))


@pytest.mark.parametrize("shell", SHELLS)
def test_hooks_in_settings_have_a_link_of_their_own(shell: str, data: Path, shim: Path, tmp_path: Path) -> None:
    """The client gives them no folder, so the command contains the path of ours."""
    settings = tmp_path / "settings.json"
    install(settings_file=settings, plugin_root=ROOT, interpreter=Path(sys.executable))
    wake.record("/bin/true")
    environment = {**os.environ, "PATH": f"{shim.parent}:/usr/sbin"}

    for event in ("SessionStart", "PostToolUse"):
        command = simulator.registered_in_settings(settings)[event].command
        done = subprocess.run([shell, "-c", command], input=b"{}", env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    assert (data / python_link.NAME).readlink() == REAL
    assert spooled_payloads() == [b"{}", b"{}"]
    assert uses(shim) == 1


@pytest.mark.parametrize("folder", [None, "", ".", "data", "/no/such/folder"])
def test_hooks_work_without_a_folder_for_the_link(folder: str | None, shim: Path, tmp_path: Path) -> None:
    """An older client sets none, and another user may have planted a link in the session's directory."""
    here = elsewhere(tmp_path)
    (here / python_link.NAME).symlink_to("/bin/true")
    environment = hook_environment(PATH=f"{shim.parent}:/usr/sbin")
    environment |= {} if folder is None else {"CLAUDE_PLUGIN_DATA": folder}

    for event in ("SessionStart", "UserPromptSubmit"):
        done = feed(event, b"{}", env=environment, cwd=here)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    assert spooled_payloads() == [b"{}", b"{}"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("event", HANDLERS)
def test_a_deleted_plugin_prints_at_most_one_line(event: str, shell: str, link: Path, tmp_path: Path) -> None:
    """Even if the link still exists and two Pythons could complain."""
    link.symlink_to(REAL)
    root = plugin_copy(tmp_path / "plugin")
    shutil.rmtree(root)

    done = feed(
        event, b"{}", root=root, shell=shell, env=hook_environment(root=root, CLAUDE_PLUGIN_DATA=str(link.parent))
    )

    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.count(b"\n") <= 1


# ksh catches every signal from its start, so the test cannot see when its trap is set.
@pytest.mark.parametrize("shell", [shell for shell in SHELLS if not shell.endswith("ksh")])
@pytest.mark.parametrize("sign", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_session_does_not_lose_the_event(sign: signal.Signals, shell: str, data: Path) -> None:
    """If the terminal is closed, Ctrl-C is pressed or the client ends its hooks, the event is saved first."""
    command = simulator.registered_hooks(ROOT)["PostToolUse"].command
    with subprocess.Popen(
        [shell, "-c", command], stdin=subprocess.PIPE, env=hook_environment(), start_new_session=True
    ) as hook:
        assert hook.stdin
        hook.stdin.write(b"{")
        hook.stdin.flush()
        wait_for(lambda: is_ignored(hook.pid, sign), "the shell's trap")
        os.killpg(hook.pid, sign)
        hook.stdin.write(b"}")
        hook.stdin.close()

    assert hook.returncode == 0
    assert spooled_payloads() == [b"{}"]


def is_ignored(pid: int, sign: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    ignored = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn"))
    return bool(ignored & 1 << (sign - 1))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("marks", ["working directory", "below a repository", "CLAUDE_PROJECT_DIR"])
def test_a_python_in_the_project_is_not_run(shell: str, marks: str, shim: Path, tmp_path: Path) -> None:
    """A project can set the PATH of its sessions, and a relative folder is the project's wherever it comes from."""
    project = tmp_path / "pro*[j]"
    (project / "deep" / "bin").mkdir(parents=True)
    here = project / "deep" if marks == "below a repository" else project
    if marks == "below a repository":
        (project / ".git").mkdir()
    for folder in (project / "bin", here / "bin"):
        folder.mkdir(exist_ok=True)
        shutil.copy(shim, folder / "python3")
    (tmp_path / "linked").symlink_to(here)
    entries = [
        f"{project}/bin",
        f"{project}/bin/",
        "/proc/self/cwd/bin",
        "bin",
        ".",
        "",
        "./bin",
        f"{tmp_path}//{project.name}/bin",
    ]
    entries += [f"{tmp_path}/x/../{project.name}/bin", "/dev/fd/../cwd/bin", f"/proc/{os.getpid()}/cwd/bin"]
    environment = hook_environment(PATH=":".join([*entries, str(REAL.parent), "/usr/sbin"]))
    environment |= {"CLAUDE_PROJECT_DIR": str(project)} if marks == "CLAUDE_PROJECT_DIR" else {}
    options = {"env": environment, "cwd": "/" if marks == "CLAUDE_PROJECT_DIR" else here, "shell": shell}

    assert_saves("UserPromptSubmit", **options)
    if marks != "CLAUDE_PROJECT_DIR":
        entered = {**options, "before": f"cd '{tmp_path}/linked'; PATH='{tmp_path}/linked/bin':$PATH; "}
        assert_saves("UserPromptSubmit", **entered)

    assert uses(shim) == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_without_a_python_on_the_path_that_of_the_system_is_used(shell: str, tmp_path: Path) -> None:
    assert_saves("UserPromptSubmit", env=hook_environment(PATH="/no/such/folder"), shell=shell)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("is_repository", [False, True])
def test_a_python_below_the_home_may_be_used_in_the_home(
    shell: str, is_repository: bool, own_home: Path, shim: Path
) -> None:
    """A home that is set may be a project's choice, if it is a repository."""
    (own_home / "bin").mkdir()
    shutil.copy(shim, own_home / "bin" / "python3")
    if is_repository:
        (own_home / ".git").mkdir()
    environment = hook_environment(PATH=f"{own_home}/bin:{REAL.parent}", BEHAVIOR_HOME=str(shim.parent))

    done = feed("UserPromptSubmit", b"{}", env=environment, cwd=own_home, shell=shell)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert uses(shim) == (0 if is_repository else 1)
