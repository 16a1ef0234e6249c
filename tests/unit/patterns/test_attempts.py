"""Judge one call of a session."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from behavior_plugin.model import USER, Action, Outcome, Verdict
from behavior_plugin.patterns.attempts import Attempt


def attempt(command: str, outcome: Outcome = Outcome.SUCCESS, tool: str = "Bash", **fields: Any) -> Attempt:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    action = Action(tool=tool, parameters={"command": command}, outcome=outcome, timestamp=at, **fields)
    return Attempt(action, 0, "/repo")


def test_commands_that_look_are_left_out() -> None:
    commands = attempt("cd /repo && git status && npm test -- /repo/tests/a.test.ts 2>&1 | tail -3").commands

    assert [each.text for each in commands] == ["npm test -- {test}"]


@pytest.mark.parametrize("verdict", [Verdict(failed=1), Verdict(ran_nothing=True)])
def test_a_check_is_judged_by_its_words_too(verdict: Verdict) -> None:
    check, run = attempt("npm test | tail", verdict=verdict), attempt("./serve | tail", verdict=verdict)

    assert (check.is_failed, check.is_success) == (True, False)
    assert (run.is_failed, run.is_success) == (False, True)


def test_a_call_that_was_broken_off_neither_failed_nor_worked() -> None:
    broken_off = attempt("npm test", Outcome.PARTIAL)

    assert (broken_off.is_failed, broken_off.is_success) == (False, False)


def test_lines_of_the_users_own_shell_do_not_count_as_failures() -> None:
    assert not attempt("npm test", Outcome.FAILED, actor=USER).is_failed


@pytest.mark.parametrize(
    "command",
    [
        "sed -i '' s/a/b/ a.py",
        "perl -pi -e s/a/b/ a.py",
        "git apply fix.patch",
        "cat > a.py <<'E'\nx\nE",
        "echo x >> a",
    ],
)
def test_the_shell_edits_too(command: str) -> None:
    assert attempt(command).is_edit
    assert not attempt(command, Outcome.FAILED).is_edit


@pytest.mark.parametrize(
    "command", ["npm test 2>&1 | tail", "npm test > /tmp/out", "npm test >/dev/null", "git commit -m 'a > b'", "a => b"]
)
def test_output_that_is_thrown_away_is_no_edit(command: str) -> None:
    assert not attempt(command).is_edit


@pytest.mark.parametrize("tool", ["Edit", "Write", "MultiEdit", "NotebookEdit", "Task", "Agent"])
def test_tools_that_change_files(tool: str) -> None:
    assert attempt("", tool=tool).is_edit


def test_a_formatter_fixes_unless_it_only_checks() -> None:
    fixing = ["cargo fmt", "black .", "eslint --fix", "ruff check --fix", "npm run lint:fix", "gofmt -w ."]
    checking = ["cargo fmt --check", "black --diff .", "eslint .", "npm run format:check", "gofmt -l .", "npm run fix"]

    assert all(attempt(line).commands[0].is_fixing for line in fixing)
    assert not any(attempt(line).commands[0].is_fixing for line in checking)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("wrap npm test", "npm run test:unit", True),
        ("npm test", "npm run lint", False),
        ("npm run lint", "npm run lint:fix", False),
        ("tool sync a b", "tool sync a c", True),
        ("tool sync a", "tool drop b", False),
        ("tool sync a", "tool sync b", False),
    ],
)
def test_what_commands_have_in_common(one: str, other: str, is_same: bool) -> None:
    [left], [right] = attempt(one).commands, attempt(other).commands

    assert left.does_same_as(right) is is_same


def test_the_folder_of_a_line() -> None:
    assert attempt("git status; cd src && go test ./...").folder == "src"
    assert attempt("go test ./...").folder == ""
