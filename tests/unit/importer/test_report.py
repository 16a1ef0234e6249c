"""The report at the end of an import."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from behavior_plugin.agents.log_file import Problem
from behavior_plugin.cli import import_report, terminal
from behavior_plugin.importer.log import LogResult, Run
from behavior_plugin.importer.logs import Found, Log
from behavior_plugin.importer.report import ProjectWorkflow, Report, summarize
from behavior_plugin.model import Outcome
from behavior_plugin.workflow import Lesson, Workflow
from tests.factories import START, make_workflow

_ticks = itertools.count()
LOG = Log(Path("/logs/one.jsonl"), "claude-code", 2_000_000, 0.0)


def run(*, outcome: str = "success", trigger: str = "commit it") -> Run:
    return Run(trigger, Outcome(outcome), START + timedelta(seconds=next(_ticks)), "toolu_1")


def report(*runs: Run, workflows: Sequence[Workflow] = (), **changes: object) -> Report:
    imported = LogResult(LOG, {"s1"}, size=LOG.size, prompts=3, calls=9, runs=list(runs), kept=Counter(new=len(runs)))
    for name, value in changes.items():
        setattr(imported, name, value)
    done = [each if isinstance(each, ProjectWorkflow) else ProjectWorkflow(**dict(each)) for each in workflows]
    return summarize(Found([LOG]), [imported], done, seconds=2.5, is_dry_run=False)


def in_project(project: str, job: str = "commit", **changes: object) -> ProjectWorkflow:
    return ProjectWorkflow(**dict(make_workflow(job, **changes)), project=project)


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str]) -> Callable[[Report], str]:
    """Print a report as a person sees it."""

    def show(printed: Report) -> str:
        import_report.show_report(printed)
        return capsys.readouterr().out

    return show


def test_the_most_frequent_jobs_come_first() -> None:
    """A new user wants to see the most frequent work."""
    jobs = [
        make_workflow("test", times=3, worked=1),
        make_workflow("commit", times=9),
        make_workflow("lint", times=3, worked=2),
        make_workflow("once", times=1),
        make_workflow("", times=20),
    ]

    assert [workflow.job for workflow in report(workflows=jobs).workflows] == ["commit", "lint", "test"]


def test_only_the_first_eight_jobs_are_reported() -> None:
    """A report is read at a glance."""
    jobs = [make_workflow(f"job {times}", times=times) for times in range(2, 20)]

    workflows = report(workflows=jobs).workflows

    assert [workflow.times for workflow in workflows] == [19, 18, 17, 16, 15, 14, 13, 12]


def test_a_job_is_shown_with_odds_duration_and_most_frequent_prompt(shown: Callable[[Report], str]) -> None:
    """The most frequent prompt says best which work it is."""
    often = make_workflow("commit", triggers=("yes commit it", "commit", "ship", "commit"), times=64, worked=46)
    never = make_workflow("release", triggers=(), times=2, worked=0, typical_ms=None)

    lines = shown(report(workflows=[often, never])).splitlines()

    heading, first, second = lines[lines.index("Done most often") + 1 :][:3]
    assert heading.split() == ["worked", "takes", "job", "most", "frequent", "prompt"]
    assert first.split() == ["46", "of", "64", "3", "min", "commit", "commit"]
    assert second.split() == ["0", "of", "2", "-", "release"]


def test_jobs_of_several_projects_are_told_apart(shown: Callable[[Report], str]) -> None:
    """Each project has a job to commit."""
    jobs = [in_project("github.com/me/shop", times=9), in_project("github.com/me/till", times=8)]

    several, one = shown(report(workflows=jobs)), shown(report(workflows=jobs[:1]))

    assert "project  most frequent prompt" in several
    assert [line.split()[5:7] for line in several.splitlines()[-2:]] == [["commit", "shop"], ["commit", "till"]]
    assert "project" not in one


def test_the_next_steps_are_named_where_something_was_learned(shown: Callable[[Report], str]) -> None:
    """The report itself has no ids."""
    assert "`behavior show ID` shows one" in shown(report(run()))
    assert "behavior show" not in shown(report(run(), kept=Counter(known=1)))


def test_lessons_are_listed_once_with_the_most_failures_first(shown: Callable[[Report], str]) -> None:
    """They are the part that a user did not know."""
    few, many = (Lesson(failed=f"bad {count}", worked="good", failures=count) for count in (2, 46))
    jobs = [make_workflow(job, lessons=(few, many)) for job in ("commit", "test")]

    text = shown(report(workflows=jobs))

    assert "\nLessons\n  `bad 46` failed 46 times; `good` worked\n  `bad 2` failed 2 times; `good` worked\n" in text
    assert text.count("`good` worked") == 2


def test_at_most_five_lessons_are_listed(shown: Callable[[Report], str]) -> None:
    """The others are with their patterns."""
    lessons = tuple(Lesson(failed=f"bad {count}", worked="good") for count in range(9))

    assert shown(report(workflows=[make_workflow(lessons=lessons)])).count("`good` worked") == 5


def test_the_summary_has_totals_outcomes_and_new_patterns(shown: Callable[[Report], str]) -> None:
    """Each number stands in a sentence that names its unit."""
    text = shown(report(run(), run(outcome="failed"), kept=Counter(new=1, grown=1, known=1)))

    assert "1 Claude Code session, 2.0 MB, in 2.5 s: 3 prompts, 9 calls." in text
    assert "2 prompts with work: 1 ended well, 1 failed." in text
    assert "1 new, 1 updated, 1 already known." in text
    assert "Skipped" not in text
    assert "Done most often" not in text
    assert "Lessons" not in text


def test_import_of_nothing_says_so_and_why(shown: Callable[[Report], str]) -> None:
    nothing = summarize(Found([LOG]), [LogResult(LOG, earlier=3)], [], seconds=1, is_dry_run=False)

    assert shown(nothing) == "Nothing to import.\n\nSkipped\n  3 prompts with work begun earlier\n"


def test_prompt_gives_way_in_a_narrow_terminal(shown: Callable[[Report], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job has one line."""
    narrow = Console(width=80, force_terminal=True, color_system=None, highlight=False, soft_wrap=True)
    monkeypatch.setattr(import_report, "console", narrow)
    monkeypatch.setattr(terminal, "console", narrow)
    job = make_workflow("fix and check .py in the shop", triggers=("Find out why the total ignores discounts",))

    lines = shown(report(workflows=[job])).splitlines()

    assert "fix and check .py in the shop" in lines[-1]
    assert lines[-1].endswith("…")


def test_work_copied_by_a_fork_is_counted_once() -> None:
    """The store has one row for it."""
    once = run()

    summary = report(once, once, run(), kept=Counter(new=2, known=1))

    assert (summary.patterns, summary.new, summary.known, summary.copies) == (2, 2, 0, 1)


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
    evil = "\x1b[2J[red]clear\u202e"
    lesson = Lesson(failed=evil, worked=evil)

    text = shown(report(workflows=[make_workflow(evil, triggers=(evil,), lessons=(lesson,))]))

    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("[red]clear") == 4
