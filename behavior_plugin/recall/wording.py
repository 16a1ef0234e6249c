"""Word workflows, the same way wherever they are shown: steps, lessons, odds, durations, verdicts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from behavior_plugin.model import MAIN, Action, Outcome, Turn, Verdict, elapsed_ms
from behavior_plugin.patterns.danger import danger_in_text, danger_of_action
from behavior_plugin.patterns.steps import distil
from behavior_plugin.recall import MIN_CONFIDENCE
from behavior_plugin.recall.quoting import code, quote, said
from behavior_plugin.workflow import Lesson, Pattern, Remedy, Step, StepKind, Suggestion, Workflow

# Of what a line only mentions; a step's own command has more room.
MAX_MENTION_CHARS = 100
# Of the command that has just failed: enough to tell it from its neighbours in a line.
MAX_FAILED_CHARS = 60
MAX_CHANGE_CHARS = 120
MAX_NAMED_FILES = 2
# A shorter step is not worth a word on its duration.
MIN_SHOWN_MS = 1000

_COMMIT = re.compile(r"(?=[a-f]*[0-9])([0-9a-f]{7,40}) (.+)", re.DOTALL)


def workflow_of(pattern: Pattern) -> Workflow:
    """The workflow of a pattern; for one that has none, the workflow of its only run."""
    if pattern.workflow:
        return pattern.workflow
    return Workflow(
        job="",
        steps=_distilled(pattern),
        triggers=(pattern.trigger,),
        worked=int(pattern.final_outcome is Outcome.SUCCESS),
        typical_ms=_took_ms(pattern),
        last_at=pattern.started_at,
    )


def is_way(pattern: Pattern) -> bool:
    """Whether the work has succeeded, so that its steps are a way of doing it."""
    if pattern.workflow:
        return pattern.final_outcome is not Outcome.FAILED and pattern.workflow.worked > 0
    return pattern.final_outcome is Outcome.SUCCESS


def warning(pattern: Pattern) -> str:
    """The reason against a pattern, as a clause; empty if there is none."""
    if not is_way(pattern):
        ending = "was not finished" if pattern.final_outcome is Outcome.PARTIAL else "did not work"
        return f"tried, and {ending}"
    if pattern.confidence < MIN_CONFIDENCE:
        return "refused or failed too often to be suggested"
    return ""


def ending(outcome: Outcome | None) -> str:
    """How the work for a prompt ended, as a clause behind it; empty if it succeeded, or that is unknown."""
    clauses = {Outcome.PARTIAL: ", which was not finished", Outcome.FAILED: ", which did not work"}
    return clauses.get(outcome, "") if outcome else ""


def chance(score: float) -> str:
    """The odds that a suggestion fits: `odds 62%`."""
    return f"odds {score:.0%}"


def last_trigger(pattern: Pattern) -> str:
    """The prompt that began the work last."""
    return pattern.workflow.triggers[0] if pattern.workflow and pattern.workflow.triggers else pattern.trigger


def similar_trigger(suggestion: Suggestion) -> str:
    """The prompt that resembles the question; empty if it is the last one, or unknown."""
    similar = suggestion.trigger
    return "" if _words(similar) == _words(last_trigger(suggestion.pattern)) else similar


def numbered(lines: Sequence[str]) -> list[str]:
    return [f"{number}. {line}" for number, line in enumerate(lines, start=1)]


def step_lines(workflow: Workflow) -> list[str]:
    return numbered([step_line(step) for step in workflow.steps])


def steps_phrase(steps: Sequence[Step]) -> str:
    """Steps on one line."""
    return "; ".join(step_line(step) for step in steps)


def step_line(step: Step) -> str:
    """A step on one line, its commands as code: ``edit `app.py` until `make test` passes (x3, 12 s)``."""
    line = _step_name(step) + (f" until {code(step.until)} passes" if step.until else "")
    facts = [f"x{step.times}"] if step.times > 1 else []
    facts += [about(step.took_ms)] if step.took_ms and step.took_ms >= MIN_SHOWN_MS else []
    return f"{line} ({', '.join(facts)})" if facts else line


def lesson_line(lesson: Lesson, *, with_error: bool = True) -> str:
    """A lesson as a clause, with the number of failures."""
    failed, worked = code(lesson.failed, MAX_MENTION_CHARS), code(lesson.worked, MAX_MENTION_CHARS)
    where = f" in {plural(lesson.sessions, 'session')}" if lesson.sessions > 1 else ""
    count = f"{plural(lesson.failures, 'time')}{where}"
    error = f" ({code(lesson.error, MAX_MENTION_CHARS)})" if with_error and lesson.error else ""
    if lesson.remedy is Remedy.FIRST:
        return f"first {worked}, then {failed}: alone it failed {count}{error}"
    return f"{failed} failed {count}{error}; {worked} worked"


def repeated_line(lesson: Lesson) -> str:
    """A lesson for a call that has just failed in the same way. The remedy is never cut: it may be used."""
    count = "once" if lesson.failures == 1 else plural(lesson.failures, "time")
    each = "" if lesson.failures == 1 else " each time"
    worked = code(lesson.worked)
    helped = f"it worked after {worked}{each}" if lesson.remedy is Remedy.FIRST else f"{worked} worked{each}"
    return f"Here {code(lesson.failed, MAX_FAILED_CHARS)} failed like this {count} before; {helped}."


def left_out_line(kinds: Sequence[str]) -> str:
    """The dangerous steps that are missing, as a clause: `1 step is left out: runs a download`."""
    verb = "is" if len(kinds) == 1 else "are"
    return f"{plural(len(kinds), 'step')} {verb} left out: {', '.join(dict.fromkeys(kinds))}"


def odds(workflow: Workflow) -> str:
    """How often it worked, and how often with these steps, where, when last, and how long it takes."""
    way = _odds_of_way(workflow)
    line = (
        f"worked {workflow.worked} of {plural(workflow.times, 'time')}{f', {way};' if way else ','} "
        f"in {plural(workflow.sessions, 'session')}, last on {day(workflow.last_at)}"
    )
    if workflow.typical_ms is None:
        return line
    return f"{line}; {'usually takes' if workflow.times > 1 else 'took'} {about(workflow.typical_ms)}"


def confidence(pattern: Pattern) -> str:
    """The confidence with its scale: `0.83 of 1`."""
    return f"{pattern.confidence:.2f} of 1"


def feedback(workflow: Workflow) -> str:
    """The user's feedback as counts: `1 good, 2 bad`."""
    return f"{workflow.good} good, {workflow.bad} bad"


def suggested(workflow: Workflow) -> str:
    """How often it was suggested, and how often the work then followed it."""
    return f"{plural(workflow.shown, 'time')}, followed {plural(workflow.followed, 'time')}"


def change_line(change: str) -> str:
    """The commit that the work made, with its subject as said; else the closing words. The sentence is the caller's."""
    change = change.strip().rstrip(".")
    commit = _COMMIT.fullmatch(change)
    return f"commit {commit[1][:12]} {said(commit[2], MAX_CHANGE_CHARS)}" if commit else said(change, MAX_CHANGE_CHARS)


def verdict_line(verdict: Verdict | None) -> str:
    """The gist of what a command printed, as a clause; empty if there is none."""
    if verdict is None:
        return ""
    counts = [f"{verdict.passed} passed"] if verdict.passed is not None else []
    counts += [f"{verdict.failed} failed"] if verdict.failed is not None else []
    counts += ["ran no tests"] if verdict.ran_nothing else []
    counts += [f"commit {quote(verdict.commit, MAX_CHANGE_CHARS)}"] if verdict.commit else []
    return ", ".join(counts)


def error_line(action: Action) -> str:
    """The last line of a call's error; empty if it had none."""
    said_last = next((line for line in reversed((action.error or "").splitlines()) if line.strip()), "")
    return (action.verdict.error if action.verdict else None) or said_last


def last_error(actions: Sequence[Action]) -> str:
    """The error that the main agent met last; none that has a dangerous command."""
    own = [action for action in actions if action.actor == MAIN] or actions
    return next((line for action in reversed(own) if (line := error_line(action)) and not danger_in_text(line)), "")


def failed_command(actions: Sequence[Action]) -> str:
    """The command that failed last and is not dangerous; empty if there is none."""
    failed = [each for each in actions if each.outcome is Outcome.FAILED and not danger_of_action(each)]
    return next(
        (str(action.parameters["command"]) for action in reversed(failed) if "command" in action.parameters), ""
    )


def day(at: datetime) -> str:
    """The date, as the clock on this machine has it."""
    return f"{at.astimezone():%Y-%m-%d}"


def about(milliseconds: int) -> str:
    """A duration in one significant part: `0.4 s`, `35 s`, `3 min`, `2 h`."""
    seconds = milliseconds / 1000
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 59.5 else f"{minutes / 60:.0f} h"


def duration(milliseconds: int) -> str:
    """A duration in two significant parts: `0.4 s`, `35 s`, `2 min 5 s`, `3 h 2 min`."""
    seconds = milliseconds / 1000
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, one: str) -> str:
    """`1 session`, `2 sessions`"""
    return f"{count:,} {one}{'' if count == 1 else 's'}"


def _odds_of_way(workflow: Workflow) -> str:
    """The odds of the steps that are shown; empty if they are unknown, or those of the job."""
    times, worked = workflow.way_times, workflow.way_worked
    if not 0 < times < workflow.times:
        return ""
    if worked < times:
        return f"{worked} of {plural(times, 'time')} with these steps"
    return f"{'once' if times == 1 else plural(times, 'time')} with these steps"


def _words(text: str) -> list[str]:
    return text.casefold().split()


def _step_name(step: Step) -> str:
    if step.kind is StepKind.EDIT:
        return f"edit {_files_phrase(step.files)}"
    kinds = {StepKind.SKILL: "skill ", StepKind.AGENT: "subagent ", StepKind.TOOL: "tool "}
    return f"{kinds.get(step.kind, '')}{code(step.text)}"


def _files_phrase(files: Sequence[str]) -> str:
    """Two files by name, more by their number and the folder they are all in."""
    if len(files) <= MAX_NAMED_FILES:
        return " and ".join(code(file, MAX_MENTION_CHARS) for file in files) or "files"
    common = files[0].split("/")[:-1]
    for depth in range(len(common), 0, -1):
        folder = "/".join(common[:depth]) + "/"
        if all(file.startswith(folder) for file in files):
            return f"{len(files)} files in {code(folder, MAX_MENTION_CHARS)}"
    return f"{len(files)} files"


def _took_ms(pattern: Pattern) -> int | None:
    ends = [elapsed_ms(pattern.started_at, action.timestamp) + (action.duration_ms or 0) for action in pattern.actions]
    return max(ends, default=None)


def _distilled(pattern: Pattern) -> tuple[Step, ...]:
    turn = Turn(
        source_key=pattern.source_key,
        session_id=pattern.session_id,
        prompt=pattern.trigger,
        started_at=pattern.started_at,
        context=pattern.context,
        actions=pattern.actions,
    )
    return distil([turn], judged=[pattern.final_outcome])
