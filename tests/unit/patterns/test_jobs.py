"""The kind of work is named from what was done, and not from the wording."""

from __future__ import annotations

import pytest

from behavior_plugin.model import Action, Context, Outcome, PromptKind, Turn
from behavior_plugin.patterns.jobs import job_of
from behavior_plugin.patterns.steps import distil
from tests.factories import START, make_action


def make_turn(*calls: str, prompt: str = "go", kind: PromptKind = PromptKind.TASK) -> Turn:
    """A turn with these calls: "edit FILE", "skill NAME", "agent NAME", "!COMMAND" for one that failed, "COMMAND"."""
    actions = tuple(map(_action, calls))
    return Turn(
        source_key="k",
        session_id="s",
        prompt=prompt,
        prompt_kind=kind,
        started_at=START,
        context=Context(),
        actions=actions,
    )


def _action(call: str) -> Action:
    tool, _, name = call.partition(" ")
    if tool == "edit":
        return make_action("Edit", parameters={"file_path": name})
    if tool == "skill":
        return make_action("Skill", parameters={"skill": name})
    if tool == "agent":
        return make_action("Agent", parameters={"subagent_type": name})
    if tool.startswith("mcp__"):
        return make_action(tool, parameters={})
    outcome = Outcome.FAILED if call.startswith("!") else Outcome.SUCCESS
    return make_action(parameters={"command": call.removeprefix("!")}, outcome=outcome)


def job(*turns: Turn) -> str:
    return job_of(distil(turns, judged=[Outcome.SUCCESS] * len(turns)), turns)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (["git status", "cat a.py"], ""),
        (["edit a.py", "pytest"], "fix and check .py"),
        (["edit a.py"], "edit .py"),
        (
            ["edit src/a.tsx", "edit src/a.test.ts", "edit b.js", "npm test", "git commit -m x", "git push"],
            "fix and check .ts",
        ),
        (["edit package.json", "edit README.md", "edit a.go", "go test ./..."], "fix and check .go"),
        (["edit a.yml", "edit README.md"], "edit .yaml"),
        (["edit Makefile", "make"], "fix and check Makefile"),
        (["edit README.md", "edit docs/a.rst", "git commit -m x"], "write docs"),
        (["edit CHANGELOG.md", "git commit -m x"], "commit"),
        (["edit CHANGELOG.md"], "write docs"),
        (["edit docs/changes-2.1.rst", "git commit -m x"], "commit"),
        (["edit src/history.ts", "git commit -m x"], "edit .ts"),
        (["npm test", "!npm publish"], "release"),
        (["git add a", "git commit -m x"], "commit"),
        (["git commit -m x && git push"], "commit and push"),
        (["git push"], "push"),
        (["git commit -m x", "git push", "gh pr create --fill"], "open a pull request"),
        (["edit a.py", "pytest", "git push", "gh pr create --fill"], "fix and check .py"),
        (["gh pr create --fill", "edit a.py", "git push"], "open a pull request"),
        (["git rebase main", "edit a.py", "git rebase --continue"], "rebase"),
        (["edit a.py", "pytest", "git rebase main"], "fix and check .py"),
        (["git commit --fixup abc1234", "git rebase --autosquash main", "git push -f"], "rebase"),
        (["gh api repos/a/b/pulls/3/comments", "edit a.py", "pytest"], "answer review comments"),
        (["edit a.py", "gh pr comment 3 -b x"], "answer review comments"),
        (["gh api repos/a/b/pulls/3/comments", *["cat a.py"] * 8, "edit a.py"], "answer review comments"),
        (["gh api repos/a/b/pulls/3/comments", *["cat a.py"] * 9, "edit a.py"], "edit .py"),
        (
            ["gh api repos/a/b/pulls/3/comments -f body=x", *["cat a.py"] * 9, "edit a.py"],
            "answer review comments",
        ),
        (["sed -i s/a/b/ a.py"], "edit .py"),
        (["sed -i s/a/b/ a.py", "pytest"], "fix and check .py"),
        (["python3 - <<E\nPath('b.ts').write_text('x')\nE", "npm run dev"], "edit .ts"),
        (["edit package.json", "npm version 1.2.0", "npm publish"], "release"),
        (["git tag v1", "git push --tags"], "release"),
        (["edit a.tf", "terraform apply"], "deploy"),
        (["edit a.py", "alembic upgrade head", "pytest"], "migrate"),
        (["npm test", "npm run lint"], "check"),
        (["npm ci"], "install packages"),
        (["git checkout -b x"], "switch branch"),
        (["mkdir a", "cargo run", "rm b"], "run cargo run"),
        (["mkdir a"], "run mkdir"),
        (["skill tidy", "make run"], "skill tidy"),
        (["agent Explore"], "ask subagent Explore"),
        (["mcp__tracker__create_issue"], "use tracker"),
        (["mcp__browser__click"], ""),
        (["git cherry-pick abc1234"], "cherry-pick"),
        (["!git commit -m x"], "commit"),
        (["git add a", "!git commit -m x"], "commit"),
        (["edit a.py", "!pytest"], "edit .py"),
    ],
)
def test_a_job_is_named_from_the_work(calls: list[str], expected: str) -> None:
    """Deliveries behind an edit are steps of it; releases, deployments and migrations are jobs of their own."""
    assert job(make_turn(*calls)) == expected


def test_a_slash_command_of_the_users_own_is_a_job() -> None:
    """It was made for work that comes again."""
    command = make_turn("edit a.py", "pytest", prompt="/todo:next 3", kind=PromptKind.COMMAND)

    assert job(command) == "/todo:next"
    assert job(make_turn("edit a.py", "pytest"), command) == "fix and check .py"
    assert job(make_turn("git status", prompt="/todo:next", kind=PromptKind.COMMAND)) == ""


def test_the_wording_does_not_matter() -> None:
    """The same job is asked for in ever other words."""
    assert job(make_turn("git commit -m x", prompt="deploy it")) == job(make_turn("git commit -m x", prompt="sauber"))
