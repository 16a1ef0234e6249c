"""Show patterns, suggestions and states in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from behavior_plugin.api import MAX_EPISODES
from behavior_plugin.cli.output import SHORT_ID
from behavior_plugin.doctor import OLDER_RULES, Check
from behavior_plugin.embed.extra import offer
from behavior_plugin.patterns.danger import danger_of_lesson, danger_of_step
from behavior_plugin.recall import wording
from behavior_plugin.recall.calls import call_lines
from behavior_plugin.recall.offer import danger_mark, dangers_against, marked_steps
from behavior_plugin.recall.quoting import quote, said
from behavior_plugin.recall.wording import about, plural, workflow_of
from behavior_plugin.workflow import Episode, Lesson, StoredPattern, Suggestion, Variant, Workflow

if TYPE_CHECKING:
    # Expensive imports, only for types.
    from behavior_plugin.store.maintenance.verify import Finding
    from behavior_plugin.store.members import Member
    from behavior_plugin.worker.dead_letters import DeadLetter

# In a table: the widths of a job and of a project, in a narrow terminal and in others, and the most of a prompt.
NARROW = 100
JOB_CHARS, PROJECT_CHARS = (16, 30), (12, 20)
MAX_TRIGGER_CHARS, MAX_JOB_CHARS = 70, 40
MAX_PROMPTS, MAX_FACT_CHARS = 5, 4000
MAX_PROMPT_CHARS = 300
# The width of a table that is not shown in a terminal: a script wants each row on one line.
UNWRAPPED = 10_000

console = Console(highlight=False, soft_wrap=True)


def show_suggestions(
    suggestions: Iterable[Suggestion], stale: Mapping[UUID, str] | None = None, *, has_projects: bool = False
) -> None:
    """Show suggestions; `stale` has a note for each pattern that no longer fits its project."""
    for number, suggestion in enumerate(suggestions, start=1):
        pattern, workflow = suggestion.pattern, workflow_of(suggestion.pattern)
        console.print(f"[bold]{number}. {escaped(workflow.job or pattern.trigger, 300)}[/]")
        warning = f"{warned}: " if (warned := wording.warning(pattern)) else ""
        facts = f"{wording.chance(suggestion.score)}  {warning}{wording.odds(workflow)}"
        console.print(f"   {_short(pattern)}  {facts}; {escaped(suggestion.reason, 200)}")
        if has_projects:
            console.print(f"   in {escaped(_place(pattern), 300)}")
        ending = wording.ending(suggestion.trigger_outcome) if wording.is_way(pattern) else ""
        if similar := wording.similar_trigger(suggestion):
            console.print(f"   similar to the prompt {escape(said(similar, 300))}{ending}")
        elif workflow.job:
            console.print(f"   for the prompt {escape(said(wording.last_trigger(pattern), 300))}{ending}")
        if note := (stale or {}).get(pattern.id):
            console.print(f"   [yellow]stale[/]: {escaped(note, MAX_FACT_CHARS)}")
        _show_lines(wording.step_lines(workflow))
        if suggestion.left_out:
            console.print(f"   [yellow]{wording.left_out_line(suggestion.left_out)}[/]")
        _show_lines(map(wording.lesson_line, workflow.lessons))
        for line in suggestion.explanation:
            console.print(f"   [dim]{escaped(line, MAX_FACT_CHARS)}[/]")


def show_list(patterns: Sequence[StoredPattern]) -> None:
    """Show a row for each way of working: how often it worked, how long it takes, when it was done last."""
    names = short_names(pattern.context.project for pattern in patterns)
    has_projects = len(names) > 1
    table = _list_table("id", "job", *(["project"] if has_projects else []), "worked", "takes", "last", "prompt")
    for pattern in patterns:
        workflow = workflow_of(pattern)
        project = [names[pattern.context.project]] if has_projects else []
        takes = "" if workflow.typical_ms is None else about(workflow.typical_ms)
        odds = f"{workflow.worked}/{workflow.times}", takes, wording.day(workflow.last_at)
        job = f"hidden: {workflow.job}" if workflow.is_hidden else workflow.job
        _add_row(table, _short(pattern), job, *project, *odds, wording.last_trigger(pattern))
    show_table(table)


def show_turns(turns: Sequence[StoredPattern], *, has_projects: bool = True) -> None:
    """Show a row for each turn with work: one prompt, the number of its calls, how they ended, and where."""
    table = _list_table("when", "outcome", "calls", *(["project"] if has_projects else []), "prompt")
    names = short_names(map(_place, turns))
    for turn in turns:
        project = [names[_place(turn)]] if has_projects else []
        _add_row(table, _when(turn.started_at), turn.final_outcome, str(len(turn.actions)), *project, turn.trigger)
    show_table(table)


def show_members(members: Iterable[Member]) -> None:
    table = Table("login", "user", "since", box=None, pad_edge=False)
    for member in members:
        table.add_row(escape(member.login), str(member.user_id), f"{member.joined_at.astimezone():%Y-%m-%d %H:%M}")
    show_table(table)


def show_letters(letters: list[DeadLetter]) -> None:
    table = Table("id", "since", "events", "reason", box=None, pad_edge=False)
    for letter in letters:
        since = f"{letter.set_aside_at.astimezone():%Y-%m-%d %H:%M}"
        table.add_row(letter.id, since, str(letter.records), escaped(letter.reason, 100))
    show_table(table)
    console.print(f"They are in {escape(str(letters[0].path.parent))}.")


def show_pattern(
    pattern: StoredPattern, episodes: Sequence[Episode] = (), *, stale: str = "", has_run: bool = False
) -> None:
    """Show a pattern: how well it works and how, then the facts, the episodes behind it, and one run if wanted.

    The run stands for the others. Its commands are uncut, so it may be very long.
    """
    workflow = workflow_of(pattern)
    show_rows({**_odds(pattern, workflow), **({"stale": stale} if stale else {})})
    ways = [
        f"worked {way.worked} of {plural(way.times, 'time')}: {wording.steps_phrase(way.steps)}{_marked_way(way)}"
        for way in workflow.variants
    ]
    _show_section(_steps_title(pattern, workflow), marked_steps(workflow))
    _show_section("Lessons", [*map(_marked_lesson, workflow.lessons)])
    _show_section("Other ways", ways)
    console.print("[bold]Facts[/]")
    show_rows(_facts(pattern, workflow))
    _show_section("Evidence", [*map(_evidence, episodes), *_evidence_left_out(workflow, episodes)])
    _show_run(pattern, is_whole=has_run)


def show_state(state: dict[str, Any]) -> None:
    """Show a line for each fact that is known."""
    rows = {name: value for name, value in state.items() if value not in ("", None)}
    for name in rows.keys() & {"started_at", "oldest_event"}:
        rows[name] = f"{datetime.fromisoformat(rows[name]).astimezone():%Y-%m-%d %H:%M:%S}"
    if "learned" in rows:
        without_work = plural(rows.pop("dropped"), "session")
        rows["learned"] = f"since the start: {plural(rows['learned'], 'prompt')} with work; {without_work} without"
    if left_out := rows.pop("left_out", 0):
        rows["left out"] = f"since the start: {left_out:,} of the prompts and calls, by pauses and exclusions"
    sentences = {**_vectors(rows), **_redaction(rows.pop("to_redact_again", 0))}
    show_rows({**rows, **sentences})


def _vectors(rows: dict[str, Any]) -> dict[str, str]:
    """Sentences on the vectors; takes their counts out of the rows."""
    renewed, others, unreadable = (
        rows.pop(name, 0) for name in ("vectors_to_renew", "vectors_of_other_models", "unreadable_projects")
    )
    sentences = {
        "vectors": f"{renewed:,} are being made anew by the model that is wanted now" if renewed else "",
        "other vectors": f"{others:,} are by another model; `behavior db embed` makes them anew" if others else "",
        "other languages": offer(unreadable),
    }
    return {name: value for name, value in sentences.items() if value}


def _redaction(count: int) -> dict[str, str]:
    return {"redaction": OLDER_RULES.format(count)} if count else {}


def show_rows(rows: dict[str, Any]) -> None:
    for name, value in rows.items():
        console.print(f"[bold]{name.replace('_', ' '):<18}[/]{escaped(str(value), MAX_FACT_CHARS)}")


def show_finding(finding: Finding) -> None:
    mark = {"ok": "[green]ok     [/]", "failed": "[red]failed [/]", "skipped": "[yellow]skipped[/]"}[finding.verdict]
    console.print(f"{mark} {finding.name:<18} {escape(finding.what)}".rstrip())


def show_check(check: Check) -> None:
    mark = "[green]ok    [/]" if check.is_ok else "[red]failed[/]"
    console.print(f"{mark} {check.name:<12} {escape(check.found)}")
    if check.hint:
        console.print(f"       {'':<12} {escape(check.hint)}")


def short_names(projects: Iterable[str]) -> dict[str, str]:
    """The last part of each project's name, or the last two where one would not do."""
    parts = {project: project.replace("\\", "/").rstrip("/").split("/") for project in projects}
    count = Counter(names[-1] for names in parts.values())
    return {project: "/".join(names[-1 if count[names[-1]] == 1 else -2 :]) for project, names in parts.items()}


def _show_section(title: str, lines: Sequence[str]) -> None:
    if lines:
        console.print(f"[bold]{escaped(title, MAX_FACT_CHARS)}[/]")
        _show_lines(lines)


def _show_run(pattern: StoredPattern, *, is_whole: bool) -> None:
    """The run that stands for the others, or the command that shows it."""
    if not pattern.actions:
        return
    prompt = said(pattern.trigger, MAX_TRIGGER_CHARS)
    title = f"One run, {_when(pattern.started_at)}, {pattern.final_outcome}, for the prompt {prompt}"
    calls = plural(len(pattern.actions), "call")
    left_out = [f"{calls}; `behavior show {_short(pattern)} --run` shows {'it' if calls == '1 call' else 'them'}"]
    _show_section(title, call_lines(pattern.actions) if is_whole else left_out)


def _odds(pattern: StoredPattern, workflow: Workflow) -> dict[str, Any]:
    return {
        "id": pattern.id,
        **({"job": workflow.job} if workflow.job else {}),
        "how often": wording.odds(workflow),
        "confidence": wording.confidence(pattern),
        **({"your feedback": wording.feedback(workflow)} if workflow.good or workflow.bad else {}),
        "suggested": _suggested(workflow),
    }


def _suggested(workflow: Workflow) -> str:
    if workflow.is_hidden:
        return "never, since you hid it"
    dangers = dangers_against(workflow)
    return f"never, since it {', '.join(dangers)}" if dangers else wording.suggested(workflow)


def _marked_lesson(lesson: Lesson) -> str:
    return f"{wording.lesson_line(lesson)}{danger_mark(danger_of_lesson(lesson))}"


def _marked_way(way: Variant) -> str:
    return danger_mark(next(filter(None, map(danger_of_step, way.steps)), ""))


def _facts(pattern: StoredPattern, workflow: Workflow) -> dict[str, Any]:
    context = pattern.context
    prompts = dict.fromkeys([wording.last_trigger(pattern), *workflow.triggers, pattern.trigger])
    last, *others = prompts
    return {
        "last prompt": quote(last, MAX_PROMPT_CHARS),
        **({"other prompts": ", ".join(said(text, 100) for text in others[:MAX_PROMPTS])} if others else {}),
        **({"last change": wording.change_line(workflow.change)} if workflow.change else {}),
        "project": f"{context.project}{f' ({context.project_type})' if context.project_type else ''}",
        "directory": context.directory,
        "branch": context.branch or "none",
        "files": ", ".join(context.files_touched) or "none",
        "source": f"{pattern.provenance.agent} ({pattern.provenance.source})",
    }


def _place(pattern: StoredPattern) -> str:
    """The project; of work in none, the folder."""
    return pattern.context.project or pattern.context.directory


def _steps_title(pattern: StoredPattern, workflow: Workflow) -> str:
    if workflow.is_edited:
        return "Steps, as you wrote them"
    return "Steps" if wording.is_way(pattern) else "Tried, and did not work"


def _evidence(episode: Episode) -> str:
    judgement = episode.judgement
    return (
        f"{_when(episode.started_at)}  {judgement.outcome:<7}  {said(episode.trigger, MAX_TRIGGER_CHARS)}: "
        f"{quote(judgement.because, 200)} (session {quote(episode.session_id, SHORT_ID)})"
    )


def _evidence_left_out(workflow: Workflow, episodes: Sequence[Episode]) -> Iterator[str]:
    """A line that counts the episodes that did not come with the pattern."""
    if len(episodes) >= MAX_EPISODES and (more := workflow.times - len(episodes)) > 0:
        yield f"and {more:,} more; `behavior list --turns --limit 1000` lists all turns"


def _list_table(*columns: str) -> Table:
    """A table with one line a row; its last column gives way where the terminal is narrow."""
    is_wide = not console.is_terminal or console.width >= NARROW
    table = Table(box=None, pad_edge=False, padding=(0, 2 if is_wide else 1, 0, 0))
    widths = {"job": JOB_CHARS[is_wide], "project": PROJECT_CHARS[is_wide]}
    for name in columns[:-1]:
        is_number = name in ("worked", "takes", "calls")
        table.add_column(name, no_wrap=True, max_width=widths.get(name), justify="right" if is_number else "left")
    table.add_column(columns[-1])
    return table


def _add_row(table: Table, *cells: str) -> None:
    texts = [quote(cell, MAX_TRIGGER_CHARS) for cell in cells]
    table.add_row(*(Text(text, no_wrap=True, overflow="ellipsis") for text in texts))


def show_table(table: Table) -> None:
    wide = console if console.is_terminal else Console(highlight=False, width=UNWRAPPED)
    wide.print(table)


def _show_lines(lines: Iterable[str]) -> None:
    for line in lines:
        for part in line.split("\n"):
            console.print(f"   {escape(part)}")


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def _short(pattern: StoredPattern) -> str:
    return str(pattern.id)[:SHORT_ID]


def escaped(text: str, longest: int) -> str:
    """A text as markup that shows it: one line of at most `longest` characters."""
    return escape(quote(text, longest))
