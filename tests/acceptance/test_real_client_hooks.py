"""The hooks in the real client: each way of installing them, odd folders, and a plugin that is deleted meanwhile."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents.install import install
from behavior_plugin.capture import paths, spool, wake
from tests.acceptance.client import REPOSITORY, Run, client_env, client_or_skip, run_client, run_quietly
from tests.acceptance.feeding import data_folder
from tests.acceptance.scripted_model import Play, ScriptedModel, call, pause, say
from tests.waiting import wait_for

ODD = 'it\'s a "plugin" $HOME `id` \\ ü'
PARTS = (".claude-plugin", "hooks", "behavior_plugin", "commands", "bin")
PROMPT = "Look around"
EVENTS = ["SessionStart", "UserPromptSubmit", "PostToolUse", "PostToolUseFailure", "Stop", "SessionEnd"]


@dataclass(frozen=True)
class Place:
    """A scratch home and project, the client, and a copy of the plugin."""

    client: Path
    home: Path
    project: Path
    plugin: Path

    def work(self, *calls: str, **options: Any) -> Run:
        """Run the client on shell commands, with time for the hooks of each."""
        steps = [[pause(delay_s=0.5), call("Bash", command=command)] for command in calls]
        with ScriptedModel([Play(PROMPT, [*steps, [pause(delay_s=0.5), say("Done.")]])]) as model:
            extra = {"env_extra": {"BEHAVIOR_HOME": paths.data_folder()}, **options}
            return run_client(
                self.client, PROMPT, home=self.home, project=self.project, model_url=model.base_url, **extra
            )


@pytest.fixture(params=["plugin", ODD])
def place(request: pytest.FixtureRequest, own_home: Path, tmp_path: Path) -> Iterator[Place]:
    client = client_or_skip()
    plugin = tmp_path / getattr(request, "param", "plugin")
    for part in PARTS:
        shutil.copytree(REPOSITORY / part, plugin / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "project").mkdir()
    with data_folder(own_home):
        yield Place(client, own_home, tmp_path / "project", plugin)


in_a_plain_folder = pytest.mark.parametrize("place", ["plugin"], indirect=True)


def as_plugin_dir(place: Place) -> dict[str, Any]:
    return {"plugin_dir": place.plugin}


def from_marketplace(place: Place) -> dict[str, Any]:
    market = [str(place.client), "plugin", "marketplace", "add", str(place.plugin)]
    for command in (market, [str(place.client), "plugin", "install", "behavior@behavior-plugin"]):
        done = run_quietly(command, cwd=place.project, env=client_env(place.home), timeout_s=60)
        assert done.returncode == 0, done.stdout + done.stderr
    return {}


def in_settings(place: Place) -> dict[str, Any]:
    settings = place.home / ".claude" / "settings.json"
    install(settings_file=settings, plugin_root=place.plugin, interpreter=Path(sys.executable))
    # The worker's Python is recorded now; these are tests of the hooks alone.
    wake.record("/bin/true")
    return {}


def recorded() -> list[str]:
    """The events in the spool, by name, oldest first."""
    new = Path(spool.folder("new"))
    return [record.name.rpartition("-")[2] for record in sorted(new.iterdir())] if new.is_dir() else []


def assert_quiet(run: Run, *, exit_codes: Collection[int] = (0,)) -> None:
    assert (run.exit_code, run.result.get("result")) == (0, "Done."), run.stderr
    assert {hook["exit_code"] for hook in run.hook_events} <= {*exit_codes}
    assert {hook["stdout"] for hook in run.hook_events} == {""}


@pytest.mark.parametrize("way", [as_plugin_dir, from_marketplace, in_settings])
def test_every_event_is_recorded_however_the_hooks_are_installed(
    place: Place, way: Callable[[Place], dict[str, Any]]
) -> None:
    """Asynchronous hooks may still run after the client has ended."""
    run = place.work("true", "exit 3", **way(place))

    assert_quiet(run)
    assert {hook["stderr"] for hook in run.hook_events} == {""}
    found = wait_for(lambda: names if len(names := recorded()) == len(EVENTS) else None, "the last event")
    assert sorted(found) == sorted(EVENTS)


@in_a_plain_folder
@pytest.mark.parametrize("way", [as_plugin_dir, in_settings])
@pytest.mark.parametrize("gone", ["hooks/run.sh", "hooks/hook.py", "hooks", "behavior_plugin", "."])
def test_a_plugin_deleted_during_the_session_does_no_harm(
    place: Place, way: Callable[[Place], dict[str, Any]], gone: str
) -> None:
    """An update deletes it. The next call, the end of the turn and the end of the session then run missing hooks."""
    run = place.work(f"rm -r '{place.plugin / gone}'", "true", **way(place))

    # If the whole folder of a plugin is missing, the client runs no command and reports exit code 1 itself.
    assert_quiet(run, exit_codes=(0, 1) if gone == "." else (0,))
    assert recorded()[:2] == ["SessionStart", "UserPromptSubmit"]


@in_a_plain_folder
@pytest.mark.parametrize("gone", ["hooks/run.sh", "hooks/hook.py", "behavior_plugin", "."])
def test_a_deleted_plugin_that_settings_still_name_erases_no_prompt(place: Place, gone: str) -> None:
    """Exit code 2 would, and the session would continue without the user's words."""
    options = in_settings(place)
    shutil.rmtree(place.plugin) if gone == "." else shutil.move(place.plugin / gone, place.home / "gone")

    run = place.work("true", **options)

    assert_quiet(run)
    assert recorded() == []


@in_a_plain_folder
@pytest.mark.parametrize("shell", [shell for name in ("bash", "zsh") if (shell := shutil.which(name))])
def test_the_users_own_shell_runs_the_hooks_too(place: Place, shell: str) -> None:
    env = {"BEHAVIOR_HOME": paths.data_folder(), "SHELL": shell}

    run = place.work("true", plugin_dir=place.plugin, env_extra=env)

    assert_quiet(run)
    wait_for(lambda: "SessionEnd" in recorded(), "the session's end")
    assert sorted(recorded()) == sorted(set(EVENTS) - {"PostToolUseFailure"})
