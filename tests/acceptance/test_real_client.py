"""The main job in the real client: a task is done, and a later prompt for the same task gets the workflow.

The tests check the text that the model received, since a hook's output may go anywhere.
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
from behavior_plugin.capture import paths, wake
from behavior_plugin.worker import decisions
from behavior_plugin.worker.client import Client
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.client import REPOSITORY, Run, client_or_skip, run_client
from tests.acceptance.scripted_model import Play, ScriptedModel, call, pause, say
from tests.acceptance.sessions import json_of, turns
from tests.waiting import wait_for

FIRST = "The add function returns the wrong result. Find out why and fix it."
REWORDED = "Adding two numbers gives a wrong result: find the bug in the add function and repair it."
UNRELATED = "Write a limerick about the weather in Bergen."
MARK = "<past-workflow"
# The client refuses a plain sleep.
SLOW = "for i in 1 2 3; do sleep 1; done"


@dataclass(frozen=True)
class Workspace:
    """A scratch home and project with the client."""

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
        """The texts that the model receives from us with a prompt, which is repeated until there are some.

        A prompt waits 0.3 s at most; on a busy machine silence may be the right answer, but not three times.
        """
        for _ in range(3):
            run, texts = self.work(prompt, [])
            assert run.exit_code == 0
            if received := [text for text in texts if MARK in text]:
                return received
        return []


@pytest.fixture
def workspace(own_home: Path, tmp_path: Path) -> Iterator[Workspace]:
    client = client_or_skip()
    wake.record(sys.executable)
    yield Workspace(client, own_home, make_project(tmp_path / "project"))
    stop_worker()


def make_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "sums"\n')
    (folder / "app.py").write_text("def add(a, b):\n    return a - b\n")
    (folder / "check.py").write_text("from app import add\n\nassert add(2, 3) == 5, add(2, 3)\n")
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(folder)], check=True)
    return folder


def repair(project: Path) -> Play:
    """Read the code, see the check fail, repair it, see the check pass."""
    # Without -B the second run may use the first one's bytecode: same second, same size.
    check = f"{sys.executable} -B check.py"
    return Play(
        FIRST,
        [
            [call("Read", file_path=str(project / "app.py")), call("Bash", command=check)],
            [call("Edit", file_path=str(project / "app.py"), old_string="a - b", new_string="a + b")],
            [call("Bash", command=check)],
            # The hooks of a real session have seconds for this; this model answers within milliseconds.
            [pause(delay_s=0.5), say("Fixed: add returns the sum.")],
        ],
    )


def evidence() -> list[dict[str, Any]]:
    """All turns with work, as a script sees them."""
    return [turn.model_dump(mode="json") for turn in turns()]


def work_of(turn: dict[str, Any]) -> dict[str, Any]:
    """A turn without the keys that change if it is found to belong to another session."""
    return {name: value for name, value in turn.items() if name not in ("id", "source_key", "session_id")}


def wait_for_turn(deadline_s: float = 30) -> dict[str, Any]:
    """The only turn that was learned from, once there is one."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        if found := evidence():
            assert len(found) == 1
            return found[0]
        time.sleep(0.1)
    pytest.fail(f"nothing learned after {deadline_s} s; the worker says {Client().status()}")


def test_earlier_work_is_suggested_for_a_reworded_prompt(workspace: Workspace) -> None:
    """The whole product in one test: a session is captured, and only a similar prompt gets a suggestion."""
    first, texts = workspace.work(FIRST, [repair(workspace.project)])

    assert first.result["result"] == "Fixed: add returns the sum."
    assert {hook["exit_code"] for hook in first.hook_events} == {0}
    assert not any(MARK in text for text in texts)

    turn = wait_for_turn()

    assert turn["trigger"] == FIRST
    assert turn["final_outcome"] == "success"
    assert turn["context"]["branch"] == "trunk"
    assert turn["context"]["project_type"] == "python"
    assert "app.py" in turn["context"]["files_touched"]
    outcomes = sorted((action["tool"], action["outcome"]) for action in turn["actions"])
    assert outcomes == [("Bash", "failed"), ("Bash", "success"), ("Edit", "success"), ("Read", "success")]
    assert all(action["duration_ms"] is not None for action in turn["actions"])

    received = workspace.suggestions(REWORDED)

    assert received, "the model was not sent the suggestion"
    assert all(FIRST in text and "edit `app.py` until" in text for text in received)

    third, texts = workspace.work(UNRELATED, [])

    assert third.exit_code == 0
    assert not any(MARK in text for text in texts)


def all_outcomes(project: Path) -> list[Play]:
    """A session in which calls end in every way that a headless client allows."""
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


def test_each_call_is_one_action_with_its_outcome(workspace: Workspace) -> None:
    """Calls that no hook reports show whether a workflow works."""
    workspace.work(
        "Go through everything.", all_outcomes(workspace.project), arguments=["--disallowedTools", "Bash(curl:*)"]
    )

    turn = wait_for_turn()

    ended = [(a["tool"], a["parameters"].get("command"), a["outcome"]) for a in turn["actions"]]
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
    agent, inner = turn["actions"][6:8]
    assert inner["agent"] == agent["started_agent"] != "main"
    assert len({action["id"] for action in turn["actions"]}) == len(ended)
    # It ran into its limit, continued in the background and succeeded.
    assert turn["actions"][-1]["duration_ms"] >= 2_900
    measured = [action["duration_source"] for action in turn["actions"]]
    assert measured[:3] == ["host"] * 3
    assert measured[3:6] == ["transcript"] * 3


def test_calls_without_hooks_come_from_the_transcript(workspace: Workspace) -> None:
    """A headless client kills its hooks at the end of a run; here they cannot even start."""
    settings = workspace.home / "hooks.json"
    install(settings_file=settings, plugin_root=REPOSITORY, interpreter=Path(sys.executable))
    hooks = json.loads(settings.read_text(encoding="utf-8"))["hooks"]
    left = {event: groups for event, groups in hooks.items() if event in ("UserPromptSubmit", "SessionEnd")}
    settings.write_text(json.dumps({"hooks": left}), encoding="utf-8")

    workspace.work(FIRST, [repair(workspace.project)], plugin_dir=None, arguments=["--settings", str(settings)])

    turn = wait_for_turn()
    outcomes = [(action["tool"], action["outcome"]) for action in turn["actions"]]
    assert outcomes == [("Read", "success"), ("Bash", "failed"), ("Edit", "success"), ("Bash", "success")]
    assert {action["duration_source"] for action in turn["actions"]} == {"transcript"}
    assert turn["provenance"]["source"] == "hooks+transcript"


def test_a_resumed_session_and_a_fork_repeat_no_work(workspace: Workspace) -> None:
    """Both repeat all records: a resumed session in the same file, a fork as copies with a new id."""
    first, _ = workspace.work(FIRST, [repair(workspace.project)])
    wait_for_turn()
    plays = [Play("name of the function", [[call("Bash", command="sed -i s/add/plus/ app.py")], [say("Renamed.")]])]
    rename = "Change the name of the function to plus."

    workspace.work(rename, plays, resume=first.session_id)
    wait_for(lambda: len(evidence()) == 2, "the second turn")
    workspace.work(rename, plays, resume=first.session_id, arguments=["--fork-session"])
    stored = wait_for(lambda: found if len(found := evidence()) == 3 else None, "the fork's turn")

    found = sorted((row["trigger"], len(row["actions"])) for row in stored)
    assert found == sorted([(FIRST, 4), (rename, 1), (rename, 1)])
    assert len({row["session_id"] for row in stored if row["trigger"] == rename}) == 2
    assert json_of("import")["new"] == 0
    # The fork's log repeats the first two turns; they belong to whichever session has the lesser id.
    assert list(map(work_of, evidence())) == list(map(work_of, stored))


def test_the_recall_command_shows_matching_work(workspace: Workspace) -> None:
    """The prompt's own hook answers `/behavior:recall`: no shell sees the typed text."""
    workspace.work(FIRST, [repair(workspace.project)])
    wait_for_turn()

    received = workspace.suggestions('/behavior:recall the add function is "wrong"; touch pwn `touch pwn` $(touch pwn)')

    assert any(FIRST in text for text in received)
    assert not list(workspace.project.glob("**/pwn"))
    assert len(evidence()) == 1


def notices(run: Run) -> list[str]:
    """The lines that the client showed the user."""
    return [record["content"] for record in run.records if record.get("subtype") == "informational"]


def test_a_note_is_shown_to_the_user_and_explained(workspace: Workspace) -> None:
    """The line is for the user alone. After a compaction the note comes again, to the same session."""
    workspace.work(FIRST, [repair(workspace.project)])
    wait_for_turn()

    shown, texts = wait_for(lambda: given if notices((given := workspace.work(REWORDED, []))[0]) else None, "a note")

    [line] = notices(shown)
    assert line.startswith(f'UserPromptSubmit says: behavior: shown how "{FIRST[:40]}')
    assert any(MARK in text for text in texts)
    assert not any("behavior: shown how" in text for text in texts)
    [decision] = json_of("why", "--session", shown.session_id, cwd=workspace.project)["prompts"]
    assert (decision["verdict"], decision["prompt"]) == ("shown", REWORDED)
    assert MARK in decision["note"]

    again, _ = workspace.work(REWORDED, [], resume=shown.session_id)
    workspace.work("/compact", [], resume=shown.session_id)
    wait_for(lambda: not any(each.shown for each in decisions.read()), "the compaction")
    compacted = wait_for(
        lambda: lines if (lines := notices(workspace.work(REWORDED, [], resume=shown.session_id)[0])) else None,
        "a note",
    )

    assert notices(again) == []
    assert compacted[0].endswith(line.partition(" says: ")[2])


def test_the_command_is_on_the_assistants_path(workspace: Workspace) -> None:
    """The client puts a plugin's bin/ there, so the assistant can ask for more than the hooks suggest."""
    ask = Play("Ask the plugin", [[call("Bash", command="behavior status --json")], [say("Asked.")]])

    _, texts = workspace.work("Ask the plugin how it is.", [ask])

    assert any('"worker": "running"' in text for text in texts)


def test_a_missing_environment_is_reported_to_the_user_only(workspace: Workspace) -> None:
    """Nobody would notice a plugin that silently does nothing, and the model should not be bothered."""
    wake.record("/nonexistent/python")
    hidden = os.path.lexists(REPOSITORY / ".venv")

    run, texts = workspace.work("Say hello.", [])

    starts = [hook for hook in run.hook_events if hook["hook_event"] == "SessionStart"]
    assert run.exit_code == 0
    assert [hook["exit_code"] for hook in starts] == [0]
    # A .venv beside the plugin would be used instead, and there would be nothing to report.
    assert hidden or "make setup" in starts[0]["stdout"]
    assert not any("make setup" in text for text in texts)
