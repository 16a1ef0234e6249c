"""Show figures in a terminal of 80 columns: shares with intervals, and bars of plain characters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from behavior_plugin.cli.terminal import console, escaped, show_table
from behavior_plugin.measure.intervals import MIN_CASES, Estimate, Share
from behavior_plugin.measure.report import Named, Report
from behavior_plugin.measure.stats import Arm, Period, Summary
from behavior_plugin.recall.wording import about, plural

# The width of the longest bar.
BAR = 20
MAX_FOLDER_CHARS = 300
_NOTES = (
    "Chance: a random past workflow of the same project. Usual kinds: as many of its",
    "most frequent ones. Rare kinds: those that at most a tenth of its work had.",
    "",
    "Measured on prompts that began recorded work, by today's rules, from sessions",
    "that were over. It shows how well a suggestion predicts the work, not that work",
    "goes better with one: only withheld ones show that (`behavior stats`).",
)


def show_replay(report: Report, setting: str, *, everywhere: bool, folder: str | None = None) -> None:
    """Show a replay: its figures, how they grew with the number of known sessions, and notes on their meaning.

    `folder` is that of the replayed project, if it is not the current one.
    """
    if not report.answered.cases:
        where = f"the project of {escaped(folder, MAX_FOLDER_CHARS)}" if folder else "this project"
        scope = "" if everywhere else f" in {where}; --all replays all projects"
        return console.print(f"No prompts to replay{scope}.")
    console.print(f"[bold]{plural(report.answered.cases, 'prompt')} that began work[/], suggestions = {setting}\n")
    table = _table("", "", "95 % interval", "cases")
    _add(table, "answered with a suggestion", report.answered)
    _add(table, "bits told a step, beyond chance", report.bits, digits=2)
    _add_named(table, "kinds of steps named", report.named)
    _add_named(table, "rare kinds named", report.rare)
    show_table(table)
    console.print(f"\n{_lessons(report)}\n")
    console.print("[bold]By the number of the project's sessions known then[/]")
    show_table(_by_sessions(report))
    return console.print("\n" + "\n".join(_NOTES))


def show_stats(summary: Summary) -> None:
    """Show how much is known, the suggestions over time, and the two arms of the hold-out."""
    totals = summary.totals
    console.print(
        f"{plural(totals.patterns, 'pattern')} from {plural(totals.episodes, 'piece')} of work in "
        f"{plural(totals.sessions, 'session')} of {plural(totals.projects, 'project')}.\n"
    )
    if not summary.periods:
        return console.print("No suggestions yet.")
    show_table(_by_time(summary.by, summary.periods))
    console.print()
    arms = {"shown": summary.shown}
    compared = summary.comparison
    if compared.withheld.suggestions:
        # Only these could have been withheld, so only they are compared.
        arms |= {"shown in hold-out": compared.shown, "withheld": compared.withheld}
    show_table(_arms(arms))
    return console.print(f"\n{_verdict(summary)}")


def bar(share: float | None) -> str:
    """A bar for a number from 0 to 1; none for one that is not known."""
    return "" if share is None else "#" * round(BAR * share)


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _add(table: Table, name: str, estimate: Estimate, *, digits: int = 0) -> None:
    table.add_row(name, _value(estimate, digits), _interval(estimate, digits), _cases(estimate))


def _add_named(table: Table, name: str, named: Named) -> None:
    """The share that the suggestion names, beside the two that it is compared with."""
    _add(table, name, named.suggested)
    if named.suggested.value is not None:
        _add(table, "   by chance", named.chance)
        _add(table, "   beyond chance", named.gain)
        _add(table, "   by the usual kinds", named.usual)


def _value(estimate: Estimate, digits: int = 0) -> str:
    return "" if estimate.value is None else _number(estimate.value, digits)


def _number(value: float, digits: int) -> str:
    """A share as a percentage; with digits, a number."""
    return f"{value:.{digits}f}" if digits else f"{value:.0%}"


def _interval(estimate: Estimate, digits: int = 0) -> str:
    if estimate.low is None or estimate.high is None:
        return f"too few: {estimate.cases} of at least {MIN_CASES}"
    return f"{_number(estimate.low, digits)} to {_number(estimate.high, digits)}"


def _cases(estimate: Estimate) -> str:
    return f"{estimate.count:,} of {estimate.cases:,}" if isinstance(estimate, Share) else f"{estimate.cases:,}"


def _lessons(report: Report) -> str:
    met = report.lessons
    each = "" if met.per_session is None else f", {met.per_session:.2f} a session"
    return (
        f"Lessons that would have been met: {met.lessons:,} in {plural(met.sessions, 'session')}{each}.\n"
        f"{plural(met.failures, 'shell or MCP call')} failed in them."
    )


def _by_sessions(report: Report) -> Table:
    table = _table("sessions", "prompts", "answered", "", "kinds named", "")
    following = [group.sessions for group in report.by_sessions[1:]]
    for group, end in zip(report.by_sessions, [*following, None], strict=True):
        name = f"{group.sessions}+" if end is None else f"{group.sessions}-{end - 1}"
        answered, named = group.answered, group.named
        drawn = [cell for each in (answered, named) for cell in (bar(each.value), _value(each) or "too few")]
        table.add_row(name, f"{answered.cases:,}", *drawn)
    return table


def _by_time(by: str, periods: Sequence[Period]) -> Table:
    table = _table(by, "shown", "followed", "worked", "withheld", "shown and withheld")
    most = max(period.shown + period.withheld for period in periods)
    for period in periods:
        day = f"{period.begins_on:%Y-%m-%d}" if by == "week" else f"{period.begins_on:%Y-%m}"
        counts = (period.shown, period.followed, period.worked, period.withheld)
        table.add_row(day, *map(str, counts), bar((period.shown + period.withheld) / most))
    return table


def _arms(arms: dict[str, Arm]) -> Table:
    table = _table("", *arms)
    table.add_row("suggestions", *(f"{arm.suggestions:,}" for arm in arms.values()))
    table.add_row("with work after", *(f"{arm.followed.cases:,}" for arm in arms.values()))
    table.add_row("followed the steps", *_shares(arm.followed for arm in arms.values()))
    table.add_row("ended in success", *_shares(arm.worked for arm in arms.values()))
    table.add_row("steps, median", *("" if arm.steps is None else f"{arm.steps:.0f}" for arm in arms.values()))
    table.add_row("takes, median", *("" if arm.took_ms is None else about(round(arm.took_ms)) for arm in arms.values()))
    return table


def _shares(shares: Iterable[Share]) -> Iterable[str]:
    """Each share with its interval; only the count where the cases are too few."""
    for share in shares:
        is_known = share.value is not None
        yield f"{_value(share)} ({_interval(share)})" if is_known else f"{share.count} of {share.cases}"


def _verdict(summary: Summary) -> str:
    """The result of the comparison, or the reason for none."""
    compared = summary.comparison
    if not compared.withheld.suggestions:
        return "Nothing was withheld, so nothing says how work goes without (setting `holdout`)."
    if compared.followed.value is None:
        cases = [arm.followed.cases for arm in (compared.shown, compared.withheld)]
        return f"No claim yet: {cases[0]} and {cases[1]} cases, of at least {summary.min_cases} in each arm."
    return "\n".join(
        [
            "Shown less withheld, in percentage points:",
            f"followed the steps  {_points(compared.followed)}",
            f"ended in success    {_points(compared.worked)}",
        ]
    )


def _points(difference: Estimate) -> str:
    """A difference of two shares with its interval, and whether it may be chance."""
    if difference.value is None or difference.low is None or difference.high is None:
        return ""
    value, low, high = (f"{100 * number:+.0f}" for number in (difference.value, difference.low, difference.high))
    chance = ", which may be chance" if difference.low <= 0 <= difference.high else ""
    return f"{value} ({low} to {high}){chance}"
