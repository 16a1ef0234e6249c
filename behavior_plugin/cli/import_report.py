"""Show the report of an import in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from behavior_plugin.agents import AGENTS
from behavior_plugin.cli.terminal import MAX_JOB_CHARS, console, escaped, short_names, show_table
from behavior_plugin.recall import wording
from behavior_plugin.recall.offer import offered_lessons
from behavior_plugin.recall.quoting import quote
from behavior_plugin.recall.wording import about, plural
from behavior_plugin.workflow import Workflow

if TYPE_CHECKING:
    # Expensive imports, only for types.
    from behavior_plugin.importer.report import ProjectWorkflow, Report

MAX_LESSONS = 5


def show_report(report: Report) -> None:
    """Show the result of an import: amounts, effects, workflows, problems."""
    if report.sessions:
        console.print(_how_much(report))
    elif any(_skipped(report)):
        console.print("Nothing to import.")
    if report.workflows:
        console.print("\n[bold]Done most often[/]")
        show_table(_workflows(report.workflows))
    for title, lines in (
        ("Lessons", [*_lessons(report.workflows)]),
        ("Skipped", [*_skipped(report)]),
        ("Could not be read", [*_unread(report)]),
    ):
        if lines:
            console.print(f"\n[bold]{title}[/]")
        for line in lines:
            console.print(f"  {escaped(line, 500)}")
    if report.new or report.grown:
        console.print("\n`behavior list` has all jobs with their ids, and `behavior show ID` shows one.")
        console.print("`behavior recall --all TEXT` finds work like TEXT; without --all, in the project you are in.")


def _how_much(report: Report) -> str:
    sessions = ", ".join(plural(count, f"{AGENTS[name].title} session") for name, count in report.sessions.items())
    read = f"{sessions or 'No sessions'}, {report.bytes / 1e6:,.1f} MB, in {report.seconds:.1f} s"
    held = f"{plural(report.prompts, 'prompt')}, {plural(report.calls, 'call')}"
    endings = {"success": "ended well", "partial": "without a clear end", "failed": "failed"}
    ended = ", ".join(f"{report.outcomes[how]:,} {words}" for how, words in endings.items() if how in report.outcomes)
    work = f"{plural(report.patterns, 'prompt')} with work" + (f": {ended}" if ended else "")
    return f"{read}: {held}.\n{work}.\n{_effect(report)}"


def _effect(report: Report) -> str:
    if report.is_dry_run:
        return "Nothing was learned: this was a dry run."
    grown = f", {report.grown:,} updated" if report.grown else ""
    refused = f", {report.refused:,} refused" if report.refused else ""
    return f"{report.new:,} new{grown}, {report.known:,} already known{refused}."


def _workflows(workflows: Sequence[ProjectWorkflow]) -> Table:
    names = short_names(workflow.project for workflow in workflows)
    has_projects = len(names) > 1
    columns = ("worked", "takes", "job", *(["project"] if has_projects else []), "most frequent prompt")
    table = Table(box=None, padding=(0, 0, 0, 2))
    for name in columns:
        # In a narrow terminal the prompt gives way, on one line.
        table.add_column(name, no_wrap=name != columns[-1])
    for workflow in workflows:
        takes = "-" if workflow.typical_ms is None else about(workflow.typical_ms)
        prompt, _ = Counter(workflow.triggers).most_common(1)[0] if workflow.triggers else ("", 0)
        odds = f"{workflow.worked} of {workflow.times}"
        project = [escaped(names[workflow.project], MAX_JOB_CHARS)] if has_projects else []
        shown = Text(quote(prompt, 50), no_wrap=True, overflow="ellipsis")
        table.add_row(odds, takes, escaped(workflow.job, MAX_JOB_CHARS), *project, shown)
    return table


def _lessons(workflows: Iterable[Workflow]) -> Iterator[str]:
    """The lessons of all workflows, those with the most failures first."""
    lessons = {
        (lesson.failed, lesson.worked): lesson for workflow in workflows for lesson in offered_lessons(workflow.lessons)
    }
    ordered = sorted(lessons.values(), key=lambda lesson: -lesson.failures)
    return map(wording.lesson_line, ordered[:MAX_LESSONS])


def _skipped(report: Report) -> Iterator[str]:
    if report.idle:
        yield f"{plural(report.idle, 'session')} without work"
    if report.copies:
        yield f"{plural(report.copies, 'prompt')} with work that a fork repeats"
    if report.earlier:
        yield f"{plural(report.earlier, 'prompt')} with work begun earlier"
    if report.left_out:
        yield f"{plural(report.left_out, 'prompt')} of pauses and excluded projects"
    if report.excluded_calls:
        yield f"{plural(report.excluded_calls, 'call')} that touched excluded files"
    if report.older:
        yield f"{plural(report.older, 'log')} last changed earlier"
    if report.others:
        yield f"{plural(report.others, 'other file')}; a subagent's log is read with its session"


def _unread(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f"{problem.file}{f':{problem.line}' if problem.line else ''}: {problem.reason}"
    if (more := report.skipped + report.refused - len(report.problems)) > 0:
        yield f"and {more:,} more"
