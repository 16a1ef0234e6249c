"""The words for steps, lessons, odds and durations."""

from __future__ import annotations

from datetime import timedelta

import pytest

from behavior_plugin.model import Outcome, Verdict
from behavior_plugin.recall import wording
from behavior_plugin.workflow import Lesson, Remedy, Step, StepKind
from tests.factories import START, make_action, make_pattern, make_step, make_workflow


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (make_step("make test", took_ms=999), "`make test`"),
        (make_step("make test", took_ms=1000), "`make test` (1.0 s)"),
        (make_step("make test", times=3, took_ms=61_000), "`make test` (x3, 1 min)"),
        (make_step("review", StepKind.SKILL), "skill `review`"),
        (make_step("Explore", StepKind.AGENT, times=2), "subagent `Explore` (x2)"),
        (make_step("mcp__x", StepKind.TOOL), "tool `mcp__x`"),
        (make_step("", StepKind.EDIT), "edit files"),
        (make_step("", StepKind.EDIT, files=("a/b.py", "c.py")), "edit `a/b.py` and `c.py`"),
        (make_step("", StepKind.EDIT, files=("a/b/c.py", "a/b/d.py", "a/x/e.py")), "edit 3 files in `a/`"),
        (make_step("", StepKind.EDIT, files=("a/b/c.py", "a/b/d.py", "a/b/e.py")), "edit 3 files in `a/b/`"),
        (make_step("", StepKind.EDIT, files=("a/b.py", "ab.py", "/c.py")), "edit 3 files"),
        (make_step("", StepKind.EDIT, files=("a.py",), until="make test"), "edit `a.py` until `make test` passes"),
    ],
)
def test_a_step_is_one_line(step: Step, line: str) -> None:
    """Commands are marked as such, so that they can be copied."""
    assert wording.step_line(step) == line


def test_a_lesson_names_both_commands_and_the_number_of_failures() -> None:
    """A count makes it believable."""
    lesson = Lesson(failed="rtk bun test", worked="bun run test", failures=46, sessions=12)

    assert wording.lesson_line(lesson) == "`rtk bun test` failed 46 times in 12 sessions; `bun run test` worked"


def test_a_lesson_about_order_names_the_first_command_first() -> None:
    """In the order in which they are to be run."""
    lesson = Lesson(failed="lint", worked="lint:fix", remedy=Remedy.FIRST, error="3 errors")

    assert wording.lesson_line(lesson) == "first `lint:fix`, then `lint`: alone it failed 1 time (`3 errors`)"
    assert wording.lesson_line(lesson, with_error=False).endswith("failed 1 time")


def test_the_odds_have_counts_sessions_date_and_duration() -> None:
    """A number without its counts says little."""
    often = make_workflow(times=8, worked=7, sessions=5, typical_ms=180_000)
    once = make_workflow(times=1, worked=1, sessions=1, typical_ms=12_000)

    assert wording.odds(often) == (
        f"worked 7 of 8 times, in 5 sessions, last on {wording.day(START)}; usually takes 3 min"
    )
    assert wording.odds(once) == f"worked 1 of 1 time, in 1 session, last on {wording.day(START)}; took 12 s"


@pytest.mark.parametrize(
    ("way_times", "way_worked", "words"),
    [
        (1, 1, "worked 6 of 6 times, once with these steps; in 5 sessions, last on "),
        (2, 2, "worked 6 of 6 times, 2 times with these steps; in 5 sessions, last on "),
        (2, 1, "worked 6 of 6 times, 1 of 2 times with these steps; in 5 sessions, last on "),
        (1, 0, "worked 6 of 6 times, 0 of 1 time with these steps; in 5 sessions, last on "),
        (6, 6, "worked 6 of 6 times, in 5 sessions, last on "),
        (0, 0, "worked 6 of 6 times, in 5 sessions, last on "),
    ],
)
def test_odds_of_the_job_are_not_those_of_its_steps(way_times: int, way_worked: int, words: str) -> None:
    """Six pieces of work may have been done in six ways."""
    workflow = make_workflow(times=6, worked=6, way_times=way_times, way_worked=way_worked)

    assert wording.odds(workflow).startswith(words)


def test_odds_without_a_duration_name_none() -> None:
    """An unknown duration is not zero."""
    assert wording.odds(make_workflow(typical_ms=None)).endswith(wording.day(START))


def test_a_pattern_without_a_workflow_has_that_of_its_run() -> None:
    """Patterns written by a caller are shown like all others."""
    action = make_action(timestamp=START + timedelta(seconds=2), duration_ms=5000)
    pattern = make_pattern(trigger="Fix it", actions=(action,), started_at=START, final_outcome=Outcome.PARTIAL)

    workflow = wording.workflow_of(pattern)

    assert (workflow.times, workflow.worked, workflow.triggers) == (1, 0, ("Fix it",))
    assert (workflow.typical_ms, workflow.last_at) == (7000, START)
    assert [wording.step_line(step) for step in workflow.steps] == ["`make test` (5.0 s)"]


@pytest.mark.parametrize(
    ("outcome", "worked", "expected"),
    [("success", 1, True), ("partial", 1, True), ("success", 0, False), ("failed", 3, False)],
)
def test_only_work_that_succeeded_is_a_way(outcome: str, worked: int, expected: bool) -> None:
    """The steps of a failure are not to be followed."""
    pattern = make_pattern(final_outcome=outcome, workflow=make_workflow(worked=worked))

    assert wording.is_way(pattern) is expected


def test_the_last_change_names_the_commit_or_quotes_the_closing_words() -> None:
    """With the id, `git show` has everything else."""
    assert wording.change_line("a1b2c3d4 Count all") == 'commit a1b2c3d4 "Count all"'
    assert wording.change_line("Repaired: the total counts all") == '"Repaired: the total counts all"'
    assert wording.change_line("defaced walls repaired.") == '"defaced walls repaired"'


def test_a_verdict_has_counts_and_a_commit() -> None:
    """The same words in every list."""
    assert wording.verdict_line(Verdict(passed=12, failed=1)) == "12 passed, 1 failed"
    assert wording.verdict_line(Verdict(ran_nothing=True)) == "ran no tests"
    assert wording.verdict_line(Verdict(commit="a1b2c3d Count all")) == "commit a1b2c3d Count all"
    assert wording.verdict_line(None) == ""


def test_the_error_of_a_call_is_its_last_line() -> None:
    """A traceback ends with its message; a verdict knows better which line counts."""
    plain = make_action(error="Traceback:\n  line 3\nAssertionError: total is 6\n\n")
    judged = make_action(error="exit 1", verdict=Verdict(error="1 test failed"))

    assert wording.error_line(plain) == "AssertionError: total is 6"
    assert wording.error_line(judged) == "1 test failed"
    assert wording.error_line(make_action()) == ""


def test_the_last_error_is_the_main_agent_s() -> None:
    """A subagent's errors are its own to mend."""
    actions = (make_action(error="first"), make_action(error="last"), make_action(), make_action(actor="a1", error="x"))

    assert wording.last_error(actions) == "last"
    assert wording.last_error(actions[2:3]) == ""


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(420, "0.4 s"), (9_949, "9.9 s"), (9_950, "10 s"), (59_400, "59 s"), (59_500, "1 min"), (180_000, "3 min")],
)
def test_about_has_one_part(milliseconds: int, expected: str) -> None:
    """A typical duration is no exact one."""
    assert wording.about(milliseconds) == expected


def test_about_counts_hours_from_an_hour_on() -> None:
    """120 min is harder to read."""
    assert wording.about(59 * 60_000) == "59 min"
    assert wording.about(7_320_000) == "2 h"


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0, "0.0 s"), (420, "0.4 s"), (59_000, "59 s"), (125_000, "2 min 5 s"), (7_320_000, "2 h 2 min")],
)
def test_durations_have_readable_units(milliseconds: int, expected: str) -> None:
    """Milliseconds are hard to read."""
    assert wording.duration(milliseconds) == expected
