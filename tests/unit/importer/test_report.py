"""What an import says at its end."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from behavior_plugin.agents.log_file import Problem
from behavior_plugin.cli import terminal
from behavior_plugin.cli.terminal import duration
from behavior_plugin.importer.log import LogResult, Run
from behavior_plugin.importer.logs import Found, Log
from behavior_plugin.importer.report import Report, summarize
from behavior_plugin.model import Outcome
from tests.factories import START

_ticks = itertools.count()
LOG = Log(Path("/logs/one.jsonl"), "claude-code", 2_000_000, 0.0)
COMMIT, TEST = ("git add", "git commit"), ("make test",)


def run(*labels: str, took_ms: int = 1000, outcome: str = "success", trigger: str = "commit it") -> Run:
    at = START + timedelta(seconds=next(_ticks))
    return Run(labels, trigger, Outcome(outcome), took_ms, at, "toolu_1")


def report(*runs: Run, **changes: object) -> Report:
    imported = LogResult(LOG, {"s1"}, size=LOG.size, prompts=3, calls=9, runs=list(runs), kept=Counter(new=len(runs)))
    for name, value in changes.items():
        setattr(imported, name, value)
    return summarize(Found([LOG]), [imported], seconds=2.5, is_dry_run=False)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[[Report], str]:
    """What a person reads of a report."""

    def show(told: Report) -> str:
        terminal.show_report(told)
        return capsys.readouterr().out

    return show


def test_what_was_done_most_often_comes_first_with_its_fastest_run_that_worked() -> None:
    """The day-one question: what do I do all the time, and how fast can it go?"""
    runs = [
        run(*COMMIT, took_ms=30_000),
        run(*reversed(COMMIT), took_ms=9_000, trigger="commit quickly"),
        run(*COMMIT, took_ms=1_000, outcome="failed"),
        run(*TEST),
        run(*TEST, outcome="partial"),
        run("make lint"),
        run("edit"),
        run("edit"),
        run(),
        run(),
    ]

    often = report(*runs).workflows

    assert [(each.labels, each.times, each.worked) for each in often] == [
        (("git commit", "git add"), 3, 2),
        (("make test",), 2, 1),
    ]
    assert often[0].fastest
    assert (often[0].fastest.took_ms, often[0].fastest.trigger) == (9_000, "commit quickly")


def test_a_workflow_that_never_worked_has_no_fastest_run() -> None:
    """A failure is quick, and no example."""
    [workflow] = report(run(*TEST, outcome="failed"), run(*TEST, outcome="failed")).workflows

    assert (workflow.worked, workflow.fastest) == (0, None)


def test_a_person_reads_what_there_was_and_what_became_of_it(shown: Callable[[Report], str]) -> None:
    """Every number is in a sentence that says what it counts."""
    text = shown(report(run(*COMMIT), run(*COMMIT, outcome="failed"), kept=Counter(new=1, grown=1, known=1)))

    assert "1 Claude Code session, 2.0 MB, read in 2.5 s: 3 prompts, 9 calls." in text
    assert "2 pieces of work: 1 ended well, 1 failed." in text
    assert "1 new, 1 of which more is known now, 1 known already." in text
    assert "git add, git commit" in text
    assert "Passed over" not in text


def test_what_a_fork_tells_again_is_counted_once() -> None:
    """The store keeps one row of it."""
    once = run(*COMMIT)

    told = report(once, once, run(*COMMIT), kept=Counter(new=2, known=1))

    assert (told.patterns, told.new, told.known, told.copies) == (2, 2, 0, 1)
    assert [workflow.times for workflow in told.workflows] == [2]


def test_what_was_passed_over_is_named_with_file_and_line(shown: Callable[[Report], str]) -> None:
    """Silence would pass for success."""
    problems = [Problem(LOG.file, 17, "the line is not JSON"), Problem(LOG.file, 0, "Permission denied")]

    text = shown(report(problems=problems, skipped=40, idle={"s1"}))

    assert "/logs/one.jsonl:17: the line is not JSON" in text
    assert "/logs/one.jsonl: Permission denied" in text
    assert "and 38 more" in text
    assert "1 session in which no work was done" in text


def test_a_trigger_cannot_write_to_the_terminal(shown: Callable[[Report], str]) -> None:
    """It is quoted from a log that anybody may have written."""
    text = shown(report(*(run(*TEST, trigger="\x1b[2J[red]clear‮") for _ in range(2))))

    assert "\x1b" not in text
    assert "[red]clear" in text


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0, "0.0 s"), (420, "0.4 s"), (59_000, "59 s"), (125_000, "2 min 5 s"), (7_320_000, "2 h 2 min")],
)
def test_durations_are_told_as_people_do(milliseconds: int, expected: str) -> None:
    """Nobody counts in milliseconds."""
    assert duration(milliseconds) == expected
