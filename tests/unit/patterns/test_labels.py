"""What an action is called when runs of the same work are compared."""

from __future__ import annotations

import pytest

from behavior_plugin.model import Outcome
from behavior_plugin.patterns.labels import labels, workflow_labels
from tests.factories import make_action


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("make test", ["make test"]),
        ("cd app && npm run build && git push -q origin main", ["npm run build", "git push"]),
        ("git -C /srv/app commit -m 'one; two && three'", ["git commit"]),
        ("CI=1 sudo timeout 30 ./gradlew check", ["gradlew"]),
        ("bundle exec rake; poetry run pytest | tail -5", ["rake", "poetry run pytest"]),
        ("dotenv npm test", ["npm test"]),
        ("docker exec web npm test", ["docker exec web"]),
        ("cat <<'END' > x.py\nrm -rf /\nEND\nmake", []),
        ("if true; then make lint; fi", ["make lint"]),
        ("for f in *.py; do python3 $f; done", ["python3"]),
        ("git status && git diff --stat", []),
        ("gh pr create --fill", ["gh pr create"]),
        ("gh pr view 12", []),
        ("echo 'never closed", []),
        ("(cd web && yarn)", ["yarn"]),
        ("", []),
    ],
)
def test_a_shell_line_is_called_by_the_programs_it_runs(command: str, expected: list[str]) -> None:
    """Two runs are alike if they run the same, wherever they look around on the way."""
    assert list(labels(make_action(parameters={"command": command}))) == expected


@pytest.mark.parametrize(
    ("tool", "parameters", "expected"),
    [
        ("Read", {"file_path": "a.py"}, []),
        ("Edit", {"file_path": "a.py"}, ["edit"]),
        ("Write", {"file_path": "b.py"}, ["edit"]),
        ("Skill", {"skill": "release"}, ["Skill release"]),
        ("Agent", {"subagent_type": "Explore"}, ["Agent Explore"]),
        ("mcp__browser__click", {"skill": 7}, ["mcp__browser__click"]),
    ],
)
def test_a_tool_is_called_by_its_name(tool: str, parameters: dict[str, object], expected: list[str]) -> None:
    """Editing is editing, whichever tool does it; which skill or kind of subagent it was makes a difference."""
    assert list(labels(make_action(tool, parameters=parameters))) == expected


def test_what_failed_and_what_a_subagent_did_says_nothing_of_how_it_is_done() -> None:
    """A workflow is what worked, in the main agent's steps, each named once."""
    actions = [
        make_action(parameters={"command": "make tset"}, outcome=Outcome.FAILED),
        make_action(parameters={"command": "make test"}),
        make_action(parameters={"command": "cargo build"}, actor="a1"),
        make_action(parameters={"command": "git commit -am x && make test"}),
    ]

    assert workflow_labels(actions) == ("make test", "git commit")
