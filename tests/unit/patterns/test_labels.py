"""Labels of actions, by which runs of the same work are compared."""

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
def test_a_shell_line_is_labelled_by_its_programs(command: str, expected: list[str]) -> None:
    """Two runs of the same programs are alike, however the agent looked around in between."""
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
def test_a_tool_is_labelled_by_its_name(tool: str, parameters: dict[str, object], expected: list[str]) -> None:
    """All editing tools share a label; skills and kinds of subagents differ."""
    assert list(labels(make_action(tool, parameters=parameters))) == expected


def test_a_workflow_is_the_main_agents_successful_steps() -> None:
    """Failed calls and subagents' calls are left out, and each label appears once."""
    actions = [
        make_action(parameters={"command": "make tset"}, outcome=Outcome.FAILED),
        make_action(parameters={"command": "make test"}),
        make_action(parameters={"command": "cargo build"}, actor="a1"),
        make_action(parameters={"command": "git commit -am x && make test"}),
    ]

    assert workflow_labels(actions) == ("make test", "git commit")
