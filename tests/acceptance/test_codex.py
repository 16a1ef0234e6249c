"""Replay sessions of the real Codex: installed hooks, worker, store, suggestion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from behavior_plugin import simulator
from behavior_plugin.agents.codex.hooks import settings_file
from behavior_plugin.model import Outcome
from behavior_plugin.simulator import HookRun
from behavior_plugin.workflow import StoredPattern
from tests.acceptance.sessions import PYTHONS, drain, drained_turns, json_of, learned, output_of
from tests.factories import TRANSCRIPTS, payload

ROLLOUT = TRANSCRIPTS / "codex" / "rollout-2026-11-25T21-20-36-01a21494-f770-76a0-a917-bdb70433be96.jsonl"
CALLS = ("PostToolUse-Bash-failed", "PostToolUse-apply_patch", "PostToolUse-Bash")
TASK = "The invoice total is off by some cents, find out why and fix it"
SAME_TASK = "Customers say the sum on an invoice is sometimes a cent too high. Find the cause and repair it."
# Stands for a process that never ends: Codex itself may run inside another agent.
ANOTHER_AGENT = 1
UNSEEN_END = """
import sys
from pathlib import Path
from tests.acceptance.test_codex import CALLS, play
play(Path(sys.argv[1]), "SessionStart", "UserPromptSubmit", *CALLS)
"""


@pytest.fixture(autouse=True)
def installed(own_home: Path, clean_ending: None, project: Path) -> None:
    output_of("install", "--agent", "codex")


@pytest.fixture
def work(project: Path) -> Path:
    """The directory of the session, with the rollout that Codex wrote."""
    project.mkdir()
    text = ROLLOUT.read_text(encoding="utf-8").replace("/home/dev/project", str(project))
    (project / ROLLOUT.name).write_text(text, encoding="utf-8")
    return project


def play(directory: Path, *names: str, **changes: str) -> HookRun:
    """Run the hooks that Codex would run, with the payloads that it sent."""
    here = {"cwd": str(directory), "transcript_path": str(directory / ROLLOUT.name)}
    registered = simulator.registered_in_settings(settings_file())
    for name in names:
        done = simulator.run(
            registered[name.partition("-")[0]],
            payload(f"codex/{name}", **here | changes),
            environment={**os.environ, "PATH": f"{PYTHONS}:{os.environ['PATH']}"},
            client_pid=ANOTHER_AGENT,
        )
        assert (done.exit_code, done.stderr) == (0, "")
    return done


def outcomes(pattern: StoredPattern) -> list[tuple[str, str]]:
    return [(action.tool, action.outcome.value) for action in pattern.actions]


def test_patterns_include_facts_that_only_the_rollout_has(work: Path, no_embedder: None) -> None:
    """No hook reports that the first test run failed, or the duration of a call."""
    play(work, "SessionStart", "UserPromptSubmit", *CALLS, "Stop", "SessionEnd")
    play(work, "SessionStart-resume", "UserPromptSubmit-resume", "PostToolUse-resume", "Stop", "SessionEnd")

    second, first = drained_turns()

    assert outcomes(first) == [("Bash", "failed"), ("Edit", "success"), ("Bash", "success")]
    assert (first.trigger, first.final_outcome) == (TASK, Outcome.SUCCESS)
    assert first.context.files_touched == ("shop.py",)
    assert all(action.duration_ms is not None for action in first.actions)
    assert (first.provenance.agent, second.trigger) == ("codex", "commit it")


def test_without_a_rollout_outcomes_stay_partial(work: Path, no_embedder: None) -> None:
    """The hooks alone cannot know the outcomes."""
    (work / ROLLOUT.name).unlink()
    play(work, "SessionStart", "UserPromptSubmit", *CALLS, "Stop", "SessionEnd")

    [pattern] = drain()

    assert outcomes(pattern) == [("Bash", "partial"), ("Edit", "success"), ("Bash", "partial")]
    assert pattern.final_outcome is Outcome.PARTIAL


def test_a_session_ends_with_its_codex_process(work: Path, no_embedder: None) -> None:
    """A killed Codex reports no end, so its pid is the only evidence."""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", UNSEEN_END, str(work)], cwd=root, check=True)

    patterns = learned()

    # It depends on today's date whether the second turn is later than our hooks.
    assert TASK in {pattern.trigger for pattern in patterns}


def test_codex_gets_a_suggestion_from_its_own_work(work: Path) -> None:
    """Codex reads the same answer as Claude Code."""
    play(work, "SessionStart", "UserPromptSubmit", *CALLS, "Stop", "SessionEnd")
    drain()
    another = {"session_id": "another", "turn_id": "another", "prompt": SAME_TASK}

    answer = play(work, "UserPromptSubmit", **another).additional_context
    to_subagent = play(work, "UserPromptSubmit-subagent", **another | {"session_id": "third"}).additional_context

    assert answer is not None
    assert "edit `shop.py` until `python3 -m unittest` passes" in answer
    assert to_subagent is None


def test_the_doctor_names_the_hooks_of_every_agent() -> None:
    """Users of Codex alone must not see only the hooks of Claude Code."""
    [hooks] = [check for check in json_of("doctor") if check["name"] == "hooks"]

    assert hooks["is_ok"]
    assert str(settings_file()) in hooks["found"]


def test_uninstall_affects_one_agent_only(own_home: Path) -> None:
    """Each agent's hooks are removed separately."""
    output_of("install")

    output_of("uninstall", "--agent", "codex")

    assert not settings_file().exists()
    assert (own_home / ".claude" / "settings.json").exists()
