"""How patterns, suggestions and states look in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from behavior_plugin.doctor import Check
from behavior_plugin.model import StoredPattern, Suggestion
from behavior_plugin.render import quote, steps

if TYPE_CHECKING:
    # What it comes with costs a tenth of a second.
    from behavior_plugin.store.members import Member
    from behavior_plugin.store.verify import Finding
    from behavior_plugin.worker.dead import Letter

# Enough of an id to name a pattern, as git does with commits.
SHORT_ID = 8
ALL_STEPS = 200
# Of a line that no terminal shows: a script wants each row whole.
UNWRAPPED = 10_000

console = Console(highlight=False, soft_wrap=True)


def show_suggestions(suggestions: Iterable[Suggestion]) -> None:
    for number, suggestion in enumerate(suggestions, start=1):
        pattern = suggestion.pattern
        console.print(f"[bold]{number}. {_text(pattern.trigger, 300)}[/]")
        console.print(
            f"   {_short(pattern)}  {pattern.started_at:%Y-%m-%d}, ended in {pattern.final_outcome}; similar work: "
            f"worked {suggestion.worked} of {suggestion.times}; {_text(suggestion.reason, 200)}"
        )
        for line in steps(pattern.actions):
            console.print(f"   {escape(line)}")


def show_list(patterns: Iterable[StoredPattern]) -> None:
    table = Table("id", "when", "outcome", "confidence", "used", "calls", "trigger", box=None, pad_edge=False)
    for pattern in patterns:
        table.add_row(
            _short(pattern),
            f"{pattern.started_at.astimezone():%Y-%m-%d %H:%M}",
            pattern.final_outcome,
            f"{pattern.confidence:.2f}",
            str(pattern.use_count),
            str(len(pattern.actions)),
            _text(pattern.trigger, 70),
        )
    _show_table(table)


def show_members(members: Iterable[Member]) -> None:
    table = Table("login", "user", "since", box=None, pad_edge=False)
    for member in members:
        table.add_row(escape(member.login), str(member.user_id), f"{member.joined_at.astimezone():%Y-%m-%d %H:%M}")
    _show_table(table)


def show_letters(letters: list[Letter]) -> None:
    table = Table("id", "since", "events", "reason", box=None, pad_edge=False)
    for letter in letters:
        since = f"{letter.set_aside_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(letter.id, since, str(letter.records), _text(letter.reason, 100))
    _show_table(table)
    console.print(f"They lie in {escape(str(letters[0].path.parent))}.")


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
        "suggested": f"{pattern.use_count} times",
    }
    show_rows(rows)
    for line in steps(pattern.actions, most=ALL_STEPS):
        console.print(f"  {escape(line)}")


def show_state(state: dict[str, Any]) -> None:
    """What is not known, or not the case, takes no line."""
    rows = {name: value for name, value in state.items() if value not in ("", None)}
    for name in rows.keys() & {"learned", "dropped"}:
        rows[name] = f"{rows[name]} since the worker started"
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


def _show_table(table: Table) -> None:
    wide = console if console.is_terminal else Console(highlight=False, width=UNWRAPPED)
    wide.print(table)


def _short(pattern: StoredPattern) -> str:
    return str(pattern.id)[:SHORT_ID]


def _text(text: str, longest: int) -> str:
    return escape(quote(text, longest))
