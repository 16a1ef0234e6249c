"""The main job in the real client: work is done, and a later prompt for the same job is sent the workflow.

What counts is what the model received, since text that a hook prints may go anywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents.install import install
from behavior_plugin.capture import paths
from behavior_plugin.worker.client import Client
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.client import REPOSITORY, Run, client_or_skip, run_client
from tests.acceptance.scripted_model import Play, ScriptedModel, call, pause, say
from tests.acceptance.sessions import json_of, patterns
from tests.waiting import wait_for

FIRST = "The add function returns the wrong result. Find out why and fix it."
REWORDED = "Adding two numbers gives a wrong result: find the bug in the add function and repair it."
UNRELATED = "Write a limerick about the weather in Bergen."
MARK = "<past-workflow"
# The client refuses a plain sleep.
SLOW = "for i in 1 2 3; do sleep 1; done"


@dataclass(frozen=True)
class Desk:
    """A scratch home and project, and the client in it."""

    client: Path
    home: Path
    project: Path

    def work(self, prompt: str, plays: list[Play], **options: Any) -> tuple[Run, list[str]]:
        """Give the client a prompt; returns the run and every text that the model received."""
        with ScriptedModel(plays) as model:
            run = run_client(
                self.client,
                prompt,
                home=self.home,
                project=self.project,
                model_url=model.base_url,
                env_extra={"BEHAVIOR_HOME": paths.data_folder()},
                **{"plugin_dir": REPOSITORY, **options},
            )
            return run, model.received_texts()

    def suggestions(self, prompt: str) -> list[str]:
        """What the model receives from us with a prompt, asked until it is something.

        A prompt waits 0.3 s at most; on a busy machine silence may be the right answer, but not three times.
        """
        for _ in range(3):
            run, texts = self.work(prompt, [])
            assert run.exit_code == 0
            if received := [text for text in texts if MARK in text]:
                return received
        return []


@pytest.fixture
def desk(own_home: Path, tmp_path: Path) -> Iterator[Desk]:
    client = client_or_skip()
    Path(paths.make_private(paths.data_folder()), "interpreter").write_text(sys.executable)
    yield Desk(client, own_home, make_project(tmp_path / "project"))
    stop_worker()


def make_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "sums"\n')
    (folder / "app.py").write_text("def add(a, b):\n    return a - b\n")
    (folder / "check.py").write_text("from app import add\n\nassert add(2, 3) == 5, add(2, 3)\n")
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(folder)], check=True)
    return folder


def repair(project: Path) -> Play:
    """Look, see the check fail, repair, see it pass."""
    # Without -B the second run may take the first one's bytecode: same second, same size.
    check = f"{sys.executable} -B check.py"
    return Play(
        FIRST,
        [
            [call("Read", file_path=str(project / "app.py")), call("Bash", command=check)],
            [call("Edit", file_path=str(project / "app.py"), old_string="a - b", new_string="a + b")],
            [call("Bash", command=check)],
            # The hooks of a real session have seconds for this; here the model answers within milliseconds.
            [pause(delay_s=0.5), say("Fixed: add returns the sum.")],
        ],
    )


def rows() -> list[dict[str, Any]]:
    """Everything learned so far, as a script sees it."""
    return [pattern.model_dump(mode="json") for pattern in patterns()]


def wait_for_pattern(deadline_s: float = 30) -> dict[str, Any]:
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if found := rows():
            assert len(found) == 1
            return found[0]
        time.sleep(0.1)
    pytest.fail(f"no pattern after {deadline_s} s; the worker says {Client().status()}")


def test_earlier_work_is_suggested_for_a_reworded_prompt(desk: Desk) -> None:
    """The whole product in one test: a session is captured, and only a prompt that resembles it gets a suggestion."""
    first, texts = desk.work(FIRST, [repair(desk.project)])

    assert first.result["result"] == "Fixed: add returns the sum."
    assert {hook["exit_code"] for hook in first.hook_events} == {0}
    assert not any(MARK in text for text in texts)

    pattern = wait_for_pattern()

    assert pattern["trigger"] == FIRST
    assert pattern["final_outcome"] == "success"
    assert pattern["context"]["branch"] == "trunk"
    assert pattern["context"]["project_type"] == "python"
    assert "app.py" in pattern["context"]["files_touched"]
    outcomes = sorted((action["tool"], action["outcome"]) for action in pattern["actions"])
    assert outcomes == [("Bash", "failed"), ("Bash", "success"), ("Edit", "success"), ("Read", "success")]
    assert all(action["duration_ms"] is not None for action in pattern["actions"])

    received = desk.suggestions(REWORDED)

    assert received, "the model was not sent the suggestion"
    assert all(FIRST in text and "Edit app.py" in text for text in received)

    third, texts = desk.work(UNRELATED, [])

    assert third.exit_code == 0
    assert not any(MARK in text for text in texts)


def every_ending(project: Path) -> list[Play]:
    """A session in which a call ends in each way that a headless client knows."""
    app = str(project / "app.py")
    helper = {"description": "Count", "prompt": "Count the functions", "subagent_type": "general-purpose"}
    return [
        Play(
            "Go through everything",
            [
                [call("Read", file_path=app), call("Bash", command="true"), call("Bash", command="exit 3")],
                [call("Edit", file_path=app, old_string="not there", new_string="x"), call("NoSuchTool", a=1)],
                [call("Bash", command="curl example.com")],
                [call("Agent", **helper, run_in_background=False)],
                [call("Bash", command="sleep 0.2; exit 4", run_in_background=True)],
                [call("Bash", command=SLOW, timeout=300)],
                [pause(delay_s=1), say("Done.")],
            ],
        ),
        Play("Count the functions", [[call("Bash", command="grep -c def app.py")], [say("One.")]]),
    ]


def test_each_call_is_one_action_with_its_outcome(desk: Desk) -> None:
    """Calls that no hook reports distinguish a workflow that works from one that does not."""
    desk.work("Go through everything.", every_ending(desk.project), arguments=["--disallowedTools", "Bash(curl:*)"])

    pattern = wait_for_pattern()

    ended = [(a["tool"], a["parameters"].get("command"), a["outcome"]) for a in pattern["actions"]]
    assert ended == [
        ("Read", None, "success"),
        ("Bash", "true", "success"),
        ("Bash", "exit 3", "failed"),
        ("Edit", None, "failed"),
        ("NoSuchTool", None, "failed"),
        ("Bash", "curl example.com", "failed"),
        ("Agent", None, "success"),
        ("Bash", "grep -c def app.py", "success"),
        ("Bash", "sleep 0.2; exit 4", "failed"),
        ("Bash", SLOW, "success"),
    ]
    agent, inner = pattern["actions"][6:8]
    assert inner["agent"] == agent["started_agent"] != "main"
    assert len({action["id"] for action in pattern["actions"]}) == len(ended)
    # Past its time it went on in the background, and ended well.
    assert pattern["actions"][-1]["duration_ms"] >= 2_900
    measured = [action["duration_source"] for action in pattern["actions"]]
    assert measured[:3] == ["host"] * 3
    assert measured[3:6] == ["transcript"] * 3


def test_calls_without_hooks_come_from_the_transcript(desk: Desk) -> None:
    """A headless client kills its hooks at the end of a run; here they cannot even start."""
    settings = desk.home / "hooks.json"
    install(settings_file=settings, plugin_root=REPOSITORY, interpreter=Path(sys.executable))
    hooks = json.loads(settings.read_text(encoding="utf-8"))["hooks"]
    left = {event: groups for event, groups in hooks.items() if event in ("UserPromptSubmit", "SessionEnd")}
    settings.write_text(json.dumps({"hooks": left}), encoding="utf-8")

    desk.work(FIRST, [repair(desk.project)], plugin_dir=None, arguments=["--settings", str(settings)])

    pattern = wait_for_pattern()
    outcomes = [(action["tool"], action["outcome"]) for action in pattern["actions"]]
    assert outcomes == [("Read", "success"), ("Bash", "failed"), ("Edit", "success"), ("Bash", "success")]
    assert {action["duration_source"] for action in pattern["actions"]} == {"transcript"}
    assert pattern["provenance"]["source"] == "hooks+transcript"


def test_a_resumed_session_and_a_fork_repeat_no_pattern(desk: Desk) -> None:
    """Both bring all records back: the one in its file, the other as copies under a new name."""
    first, _ = desk.work(FIRST, [repair(desk.project)])
    wait_for_pattern()
    plays = [Play("name of the function", [[call("Bash", command="sed -i s/add/plus/ app.py")], [say("Renamed.")]])]
    rename = "Change the name of the function to plus."

    desk.work(rename, plays, resume=first.session_id)
    stored = wait_for(lambda: found if len(found := rows()) == 2 else None, "the second pattern")
    desk.work(rename, plays, resume=first.session_id, arguments=["--fork-session"])
    stored = wait_for(lambda: found if len(found := rows()) == 3 else None, "the fork's pattern")

    found = sorted((row["trigger"], len(row["actions"])) for row in stored)
    assert found == sorted([(FIRST, 4), (rename, 1), (rename, 1)])
    assert len({row["session_id"] for row in stored if row["trigger"] == rename}) == 2
    assert json_of("import")["new"] == 0
    assert rows() == stored


def test_the_recall_command_shows_matching_work(desk: Desk) -> None:
    """The prompt's own hook answers `/behavior:recall`: the typed text reaches no shell."""
    desk.work(FIRST, [repair(desk.project)])
    wait_for_pattern()

    received = desk.suggestions('/behavior:recall the add function is "wrong"; touch pwn `touch pwn` $(touch pwn)')

    assert any(FIRST in text for text in received)
    assert not list(desk.project.glob("**/pwn"))
    assert len(rows()) == 1


def test_the_command_is_on_the_assistants_path(desk: Desk) -> None:
    """The client puts a plugin's bin/ there, so the assistant can run the command."""
    ask = Play("Ask the plugin", [[call("Bash", command="behavior status --json")], [say("Asked.")]])

    _, texts = desk.work("Ask the plugin how it is.", [ask])

    assert any('"worker": "running"' in text for text in texts)


def test_a_missing_environment_is_reported_to_the_user_only(desk: Desk) -> None:
    """A plugin that does nothing and says nothing is the worst there is; the model is not bothered with it."""
    Path(paths.in_data("interpreter")).write_text("/nonexistent/python")
    hidden = os.path.lexists(REPOSITORY / ".venv")

    run, texts = desk.work("Say hello.", [])

    starts = [hook for hook in run.hook_events if hook["hook_event"] == "SessionStart"]
    assert run.exit_code == 0
    assert [hook["exit_code"] for hook in starts] == [0]
    # With a .venv beside the plugin, that one is used instead: then there is nothing to tell.
    assert hidden or "make setup" in starts[0]["stdout"]
    assert not any("make setup" in text for text in texts)
