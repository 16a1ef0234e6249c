"""A lesson fits a call that failed with the same command and the same kind of error, and no other call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behavior_plugin.model import USER, Action, Context, Outcome, Verdict
from behavior_plugin.patterns.lessons import find_lessons
from behavior_plugin.patterns.repeats import lesson_for, may_repeat
from behavior_plugin.workflow import Lesson, Remedy
from tests.factories import make_action, make_turn

ROOT = "/repo"
NO_RULE = "Exit code 2\nmake: *** No rule to make target 'tests'.  Stop."
MAKE = Lesson(
    failed="make tests", worked="make test", error="make: No rule to make target 'tests'. Stop.", is_plain=True
)
LINT = Lesson(
    failed="npm run lint",
    worked="npm run lint:fix",
    remedy=Remedy.FIRST,
    error="shop/cart.py:9:80 error Line too long",
    is_plain=True,
)
IGNORED = "The following paths are ignored by one of your .gitignore files:\ndist"
NO_PAGE = "### Error\nError: no page is open"


def failed(command: str = "make tests", error: str | None = NO_RULE, **changes: Any) -> Action:
    defaults = {"outcome": Outcome.FAILED, "parameters": {"command": command}, "error": error}
    return make_action(**{**defaults, **changes})


def called(tool: str, error: str | None = None, **parameters: Any) -> Action:
    outcome = Outcome.FAILED if error else Outcome.SUCCESS
    return make_action(f"mcp__{tool}", outcome=outcome, parameters=parameters, error=error)


def found(action: Action, *lessons: Lesson) -> Lesson | None:
    return lesson_for(action, ROOT, lessons)


def learned(*actions: Action) -> list[Lesson]:
    turn = make_turn("do it", *actions, context=Context(directory=ROOT, root=ROOT))
    return [each.lesson for each in find_lessons([turn])]


@pytest.mark.parametrize(
    "command",
    ["make tests", "cd /repo && make tests 2>&1 | tail -5", "git status && make tests", "make tests; echo done"],
)
def test_the_same_command_is_recognised_however_its_line_is_written(command: str) -> None:
    assert found(failed(command), MAKE) == MAKE


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("make test", NO_RULE),
        ("make tests -j8", NO_RULE),
        ("make check", NO_RULE),
        ("make tests", "Exit code 2\nmake: *** No rule to make target 'shop.c', needed by 'shop.o'.  Stop."),
        ("make tests", "Exit code 1\n3 tests failed"),
        ("make tests", "Exit code 1\nbash: make: command not found"),
        ("make tests", "Exit code 1"),
        ("make tests", None),
    ],
)
def test_another_command_or_another_error_has_no_lesson(command: str, error: str | None) -> None:
    """The remedy is known for this failure alone."""
    assert found(failed(command, error), MAKE) is None


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("(eval):1: command not found: pytest", "(eval):27: command not found: pytest"),
        ("/tmp/a1/tool: line 3: pytest: command not found", "/var/b2/tool: line 9: pytest: command not found"),
        ("error: unknown option '--fast' (run 1a2b3c4)", "error: unknown option '--fast' (run 9f8e7d6)"),
    ],
)
def test_values_of_one_occasion_do_not_make_another_error(before: str, now: str) -> None:
    lesson = Lesson(failed="pytest", worked="uv run pytest", error=before, is_plain=True)

    assert found(failed("pytest", now), lesson) == lesson


def test_the_word_that_an_error_names_counts() -> None:
    """What provides one module does not provide another."""
    lesson = Lesson(failed="pytest", worked="uv run pytest", error="No module named 'shop'", is_plain=True)

    assert found(failed("pytest", "No module named 'shop'"), lesson)
    assert not found(failed("pytest", "No module named 'bank'"), lesson)


def test_all_findings_of_a_linter_are_of_one_kind_for_its_fixer() -> None:
    finding = failed("npm run lint", "src/a.py:1:1 error Unused import")
    missing = failed("npm run lint", "sh: 1: eslint: command not found")
    commit = LINT.model_copy(update={"failed": "git commit -m {message}"})

    assert found(finding, LINT) == LINT
    assert found(missing, LINT) is None
    assert found(failed("git commit -m x", finding.error), commit) is None


def test_a_check_that_ran_its_tests_was_not_wrong_as_typed() -> None:
    """The same words are in the output of a test."""
    lesson = Lesson(failed="pytest", worked="sh pytest", error="E permission denied", is_plain=True)

    assert found(failed("pytest", "E  permission denied"), lesson)
    assert not found(failed("pytest", "E  permission denied", verdict=Verdict(passed=3, failed=1)), lesson)


@pytest.mark.parametrize("line", ["make tests || make test", "make test && make tests"])
def test_a_line_that_has_the_remedy_already_gets_no_lesson(line: str) -> None:
    """It did not help."""
    assert found(failed(line), MAKE) is None


@pytest.mark.parametrize(
    "action",
    [
        failed(outcome=Outcome.PARTIAL),
        failed(outcome=Outcome.SUCCESS),
        failed(actor=USER),
        failed(error="Exit code 137\n" + NO_RULE),
        failed(error="Exit code 124\n" + NO_RULE),
        failed(error=NO_RULE + "\nCommand timed out after 2m 0s"),
        failed(error=NO_RULE + "\n[Request interrupted by user]"),
        failed(error="The user doesn't want to proceed with this tool use.\n" + NO_RULE),
        failed(tool="Edit"),
        failed(tool="Read"),
        failed(tool="Skill"),
    ],
    ids=range(11),
)
def test_calls_that_did_not_fail_by_themselves_have_no_lesson(action: Action) -> None:
    """Interrupted, denied or stopped by a limit; or a tool of the agent's own."""
    assert not may_repeat(action)
    assert found(action, MAKE) is None


def test_a_number_in_the_output_is_no_exit_code_of_the_call() -> None:
    assert found(failed(error=NO_RULE + "\nthe last one: exit code 137"), MAKE) == MAKE


def test_of_several_remedies_the_one_that_helped_most_often_is_taken() -> None:
    often = MAKE.model_copy(update={"worked": "make check", "failures": 3, "sessions": 2})

    assert found(failed(), MAKE, often) == found(failed(), often, MAKE) == often


@pytest.mark.parametrize(
    ("first", "worked", "again"),
    [
        (
            failed("git add src/a.ts dist/a.js", IGNORED),
            make_action(parameters={"command": "git add src/a.ts"}),
            failed("git add b.ts dist/a.js", IGNORED),
        ),
        (
            failed("git -C frontend add a.css", "error: unexpected argument '-C' found"),
            make_action(parameters={"command": "cd frontend && git add a.css"}),
            failed("git -C backend add b.css", "error: unexpected argument '-C' found"),
        ),
    ],
)
def test_a_command_that_its_lesson_shows_with_the_wrong_word_is_recognised(
    first: Action, worked: Action, again: Action
) -> None:
    """The lesson does not have the usual portable form, which would hide what was wrong."""
    [lesson] = learned(first, worked)

    assert found(again, lesson) == lesson


def test_a_call_of_a_tool_with_the_wrong_parameters_is_recognised() -> None:
    error = "MCP error -32602: Invalid arguments for tool find"
    [lesson] = learned(called("memo__find", error, q="a"), called("memo__find", query="a"))

    assert found(called("memo__find", error, q="b"), lesson) == lesson
    assert (lesson.failed, lesson.worked) == ("mcp__memo__find(q)", "mcp__memo__find(query)")
    assert not found(called("memo__find", error, query="b"), lesson)
    assert not found(called("other__find", error, q="b"), lesson)
    assert not found(called("memo__find", NO_PAGE, q="b"), lesson)


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=100))
def test_no_text_makes_the_rule_fail(command: str, error: str, lesson: str) -> None:
    """Lessons, commands and errors may come from anybody."""
    hostile = Lesson(failed=lesson, worked=lesson[::-1], error=error)

    found(failed(command, error), hostile, MAKE, LINT)
    found(called(command, error, **{lesson: 1}), hostile, MAKE, LINT)
