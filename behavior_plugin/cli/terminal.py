"""Show patterns, suggestions and states in a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from behavior_plugin.agents import AGENTS
from behavior_plugin.doctor import Check
from behavior_plugin.model import StoredPattern, Suggestion
from behavior_plugin.recall.render import quote, steps

if TYPE_CHECKING:
    # Expensive imports, only for types.
    from behavior_plugin.importer.report import Report, Workflow
    from behavior_plugin.store.maintenance.verify import Finding
    from behavior_plugin.store.members import Member
    from behavior_plugin.worker.dead_letters import DeadLetter

# Enough of an id to name a pattern, as git does with commits.
SHORT_ID = 8
ALL_STEPS = 200
# In a list: the width of the columns before the trigger, and the least and the most of the trigger itself.
LIST_CHARS, MIN_TRIGGER_CHARS, MAX_TRIGGER_CHARS = 57, 20, 70
# The width of a table that is not shown in a terminal: a script wants each row on one line.
UNWRAPPED = 10_000

console = Console(highlight=False, soft_wrap=True)


def show_suggestions(suggestions: Iterable[Suggestion]) -> None:
    for number, suggestion in enumerate(suggestions, start=1):
        pattern = suggestion.pattern
        console.print(f"[bold]{number}. {_text(pattern.trigger, 300)}[/]")
        console.print(
            f"   {_short(pattern)}  {pattern.started_at:%Y-%m-%d}, ended in {pattern.final_outcome}; similar work: "
            f"worked {suggestion.successes} of {suggestion.occurrences}; {_text(suggestion.reason, 200)}"
        )
        for line in steps(pattern.actions):
            console.print(f"   {escape(line)}")


def show_list(patterns: Iterable[StoredPattern]) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("id", "when", "outcome", "conf.", "used", "calls", "trigger"):
        table.add_column(name, no_wrap=True)
    room = max(MIN_TRIGGER_CHARS, console.width - LIST_CHARS) if console.is_terminal else MAX_TRIGGER_CHARS
    for pattern in patterns:
        table.add_row(
            _short(pattern),
            f"{pattern.started_at.astimezone():%Y-%m-%d %H:%M}",
            pattern.final_outcome,
            f"{pattern.confidence:.2f}",
            str(pattern.use_count),
            str(len(pattern.actions)),
            _text(pattern.trigger, min(room, MAX_TRIGGER_CHARS)),
        )
    _show_table(table)


def show_members(members: Iterable[Member]) -> None:
    table = Table("login", "user", "since", box=None, pad_edge=False)
    for member in members:
        table.add_row(escape(member.login), str(member.user_id), f"{member.joined_at.astimezone():%Y-%m-%d %H:%M}")
    _show_table(table)


def show_letters(letters: list[DeadLetter]) -> None:
    table = Table("id", "since", "events", "reason", box=None, pad_edge=False)
    for letter in letters:
        since = f"{letter.set_aside_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(letter.id, since, str(letter.records), _text(letter.reason, 100))
    _show_table(table)
    console.print(f"They are in {escape(str(letters[0].path.parent))}.")


def show_pattern(pattern: StoredPattern) -> None:
    context = pattern.context
    rows = {
        "id": str(pattern.id),
        "trigger": pattern.trigger,
        "when": f"{pattern.started_at.astimezone():%Y-%m-%d %H:%M}",
        "directory": context.directory,
        "project": f"{context.project}{f' ({context.project_type})' if context.project_type else ''}",
        "branch": context.branch or "none",
        "files": ", ".join(context.files_touched) or "none",
        "outcome": f"{pattern.final_outcome}, confidence {pattern.confidence:.2f}",
        "source": f"{pattern.provenance.agent} ({pattern.provenance.source})",
        "suggested": f"{pattern.use_count} times",
    }
    show_rows(rows)
    for line in steps(pattern.actions, most=ALL_STEPS):
        console.print(f"  {escape(line)}")


def show_report(report: Report) -> None:
    """Show the result of an import: amounts, effects, workflows, problems."""
    if report.sessions:
        console.print(_how_much(report))
    if report.workflows:
        console.print("\n[bold]Done most often[/]")
        _show_table(_workflows(report.workflows))
    for title, lines in (("Skipped", [*_skipped(report)]), ("Could not be read", [*_unread(report)])):
        if lines:
            console.print(f"\n[bold]{title}[/]")
        for line in lines:
            console.print(f"  {_text(line, 500)}")
    if report.new or report.grown:
        console.print("\n`behavior recall --all TEXT` finds work like TEXT; without --all, in the project you are in.")


def show_state(state: dict[str, Any]) -> None:
    """Show a line for each fact that is known."""
    rows = {name: value for name, value in state.items() if value not in ("", None)}
    for name in rows.keys() & {"started_at", "oldest_event"}:
        rows[name] = f"{datetime.fromisoformat(rows[name]).astimezone():%Y-%m-%d %H:%M:%S}"
    if "learned" in rows:
        without_work = plural(rows.pop("dropped"), "session")
        rows["learned"] = f"since the start: {plural(rows['learned'], 'pattern')}; {without_work} without work"
    show_rows(rows)


def show_rows(rows: dict[str, Any]) -> None:
    for name, value in rows.items():
        console.print(f"[bold]{name.replace('_', ' '):<18}[/]{_text(str(value), 1000)}")


def show_finding(finding: Finding) -> None:
    mark = {"ok": "[green]ok     [/]", "failed": "[red]failed [/]", "skipped": "[yellow]skipped[/]"}[finding.verdict]
    console.print(f"{mark} {finding.name:<18} {escape(finding.what)}".rstrip())


def show_check(check: Check) -> None:
    mark = "[green]ok    [/]" if check.is_ok else "[red]failed[/]"
    console.print(f"{mark} {check.name:<12} {escape(check.found)}")
    if check.hint:
        console.print(f"       {'':<12} {escape(check.hint)}")


def _how_much(report: Report) -> str:
    sessions = ", ".join(plural(count, f"{AGENTS[name].title} session") for name, count in report.sessions.items())
    read = f"{sessions or 'No sessions'}, {report.bytes / 1e6:,.1f} MB, in {report.seconds:.1f} s"
    held = f"{plural(report.prompts, 'prompt')}, {plural(report.calls, 'call')}"
    endings = {"success": "ended well", "partial": "without a clear end", "failed": "failed"}
    ended = ", ".join(f"{report.outcomes[how]:,} {words}" for how, words in endings.items() if how in report.outcomes)
    work = f"{plural(report.patterns, 'piece')} of work" + (f": {ended}" if ended else "")
    return f"{read}: {held}.\n{work}.\n{_effect(report)}"


def _effect(report: Report) -> str:
    if report.is_dry_run:
        return "Nothing was learned: this was a dry run."
    grown = f", {report.grown:,} updated" if report.grown else ""
    refused = f", {report.refused:,} refused" if report.refused else ""
    return f"{report.new:,} new{grown}, {report.known:,} already known{refused}."


def _workflows(workflows: Iterable[Workflow]) -> Table:
    table = Table("times", "worked", "fastest", "commands", "prompt of the fastest run", box=None, padding=(0, 0, 0, 2))
    for workflow in workflows:
        fastest = workflow.fastest
        table.add_row(
            str(workflow.times),
            str(workflow.worked),
            duration(fastest.took_ms) if fastest else "-",
            _text(", ".join(workflow.labels), 60),
            _text(fastest.trigger, 50) if fastest else "",
        )
    return table


def _skipped(report: Report) -> Iterator[str]:
    if report.idle:
        yield f"{plural(report.idle, 'session')} without work"
    if report.copies:
        yield f"{plural(report.copies, 'piece')} of work that a fork repeats"
    if report.earlier:
        yield f"{plural(report.earlier, 'piece')} of work begun earlier"
    if report.older:
        yield f"{plural(report.older, 'log')} last changed earlier"
    if report.others:
        yield f"{plural(report.others, 'other file')}; a subagent's log is read with its session"


def _unread(report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f"{problem.file}{f':{problem.line}' if problem.line else ''}: {problem.reason}"
    if (more := report.skipped + report.refused - len(report.problems)) > 0:
        yield f"and {more:,} more"


def plural(count: int, one: str) -> str:
    """`1 session`, `2 sessions`"""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def duration(milliseconds: int) -> str:
    """A duration in two significant parts: `0.4 s`, `35 s`, `2 min 5 s`, `3 h 2 min`."""
    seconds = milliseconds / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _show_table(table: Table) -> None:
    wide = console if console.is_terminal else Console(highlight=False, width=UNWRAPPED)
    wide.print(table)


def _short(pattern: StoredPattern) -> str:
    return str(pattern.id)[:SHORT_ID]


def _text(text: str, longest: int) -> str:
    return escape(quote(text, longest))
