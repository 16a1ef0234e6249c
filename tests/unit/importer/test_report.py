"""The report at the end of an import."""

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
    """Print a report as a person sees it."""

    def show(printed: Report) -> str:
        terminal.show_report(printed)
        return capsys.readouterr().out

    return show


def test_frequent_workflows_come_first_with_their_fastest_run() -> None:
    """A new user wants to see the most frequent work, and how fast it can be."""
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

    workflows = report(*runs).workflows

    assert [(each.labels, each.times, each.worked) for each in workflows] == [
        (("git commit", "git add"), 3, 2),
        (("make test",), 2, 1),
    ]
    assert workflows[0].fastest
    assert (workflows[0].fastest.took_ms, workflows[0].fastest.trigger) == (9_000, "commit quickly")


def test_a_workflow_that_never_worked_has_no_fastest_run() -> None:
    """A quick failure is not an example to follow."""
    [workflow] = report(run(*TEST, outcome="failed"), run(*TEST, outcome="failed")).workflows

    assert (workflow.worked, workflow.fastest) == (0, None)


def test_the_summary_has_totals_outcomes_and_new_patterns(shown: Callable[[Report], str]) -> None:
    """Each number stands in a sentence that names its unit."""
    text = shown(report(run(*COMMIT), run(*COMMIT, outcome="failed"), kept=Counter(new=1, grown=1, known=1)))

    assert "1 Claude Code session, 2.0 MB, in 2.5 s: 3 prompts, 9 calls." in text
    assert "2 pieces of work: 1 ended well, 1 failed." in text
    assert "1 new, 1 updated, 1 already known." in text
    assert "git add, git commit" in text
    assert "Passed over" not in text


def test_work_copied_by_a_fork_is_counted_once() -> None:
    """The store has one row for it."""
    once = run(*COMMIT)

    summary = report(once, once, run(*COMMIT), kept=Counter(new=2, known=1))

    assert (summary.patterns, summary.new, summary.known, summary.copies) == (2, 2, 0, 1)
    assert [workflow.times for workflow in summary.workflows] == [2]


def test_skipped_records_are_listed_with_file_and_line(shown: Callable[[Report], str]) -> None:
    """Without the list, an incomplete import would look successful."""
    problems = [Problem(LOG.file, 17, "the line is not JSON"), Problem(LOG.file, 0, "Permission denied")]

    text = shown(report(problems=problems, skipped=40, idle={"s1"}))

    assert "/logs/one.jsonl:17: the line is not JSON" in text
    assert "/logs/one.jsonl: Permission denied" in text
    assert "and 38 more" in text
    assert "1 session without work" in text


def test_a_trigger_cannot_control_the_terminal(shown: Callable[[Report], str]) -> None:
    """The trigger comes from a log, which is untrusted."""
    text = shown(report(*(run(*TEST, trigger="\x1b[2J[red]clear‮") for _ in range(2))))

    assert "\x1b" not in text
    assert "[red]clear" in text


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0, "0.0 s"), (420, "0.4 s"), (59_000, "59 s"), (125_000, "2 min 5 s"), (7_320_000, "2 h 2 min")],
)
def test_durations_have_readable_units(milliseconds: int, expected: str) -> None:
    """Milliseconds are hard to read."""
    assert duration(milliseconds) == expected
