"""Distil the steps of a piece of work from its calls: the edits, checks, deliveries and runs that succeeded.

Looking around, failures that were given up, and work that the user rejected are no steps. Rounds of the same thing
are one step with a count: edit until the check passes.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median
from typing import TypeAlias

from behavior_plugin.model import MAIN, Action, Outcome, Turn
from behavior_plugin.patterns import programs
from behavior_plugin.patterns.commands import (
    EDITING_TOOLS,
    LOOKING_TOOLS,
    STARTING_TOOLS,
    CommandKind,
    command_of,
)
from behavior_plugin.patterns.danger import danger_of_action, danger_of_files, fetched_files
from behavior_plugin.patterns.edits import edited_files
from behavior_plugin.patterns.portable import portable_parts, relative_path
from behavior_plugin.workflow import SHELL_KINDS, Step, StepKind

# Steps of a workflow that are shown.
MAX_STEPS = 7
# Steps of an episode that are kept and compared with those of others; half of the recorded ones have six.
MAX_KEPT_STEPS = 60
# Files of a step that are kept.
MAX_FILES = 12
# Between the commands of one line.
AND = " && "

SHELL_STEPS = {CommandKind.DELIVER: StepKind.DELIVER, CommandKind.CHECK: StepKind.CHECK, CommandKind.RUN: StepKind.RUN}
# The weightiest command of a line decides on its kind.
_WEIGHTS = (StepKind.DELIVER, StepKind.CHECK, StepKind.RUN)
# They end a round of edits and checks: the work so far was good enough to go on with something else.
_ENDS_ROUNDS = frozenset({StepKind.DELIVER, StepKind.SKILL, StepKind.AGENT})
# Calls of these kinds in a row are one step.
_IN_A_ROW = frozenset({StepKind.AGENT, StepKind.TOOL})
# The first word in the name of a tool that handles a web page, behind those that only say whose it is.
_PAGE_VERBS = frozenset(
    """
    click computer dblclick drag drop fill hover keyboard mouse navigate press resize screenshot scroll snapshot swipe
    tap type wait
    """.split()  # noqa: SIM905
)
_BEFORE_VERB = frozenset({"double", "left", "page", "right", "take"})
_BROWSERS = frozenset({"browser", "chrome", "chromium", "devtools", "playwright", "puppeteer", "selenium"})
_NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
# The first to be left out of a workflow has the highest rank.
_RANKS = {
    StepKind.DELIVER: 0,
    StepKind.CHECK: 1,
    StepKind.SKILL: 2,
    StepKind.RUN: 3,
    StepKind.LOOK: 3,
    StepKind.EDIT: 4,
    StepKind.AGENT: 4,
    StepKind.TOOL: 5,
}


@dataclass(frozen=True)
class _Call:
    """A call that may be a step. Calls with one `key` are rounds of one thing; `commands` are those of its line.

    `is_by_shell`: an edit by a shell line.
    """

    step: Step
    key: str
    worked: bool = True
    commands: frozenset[str] = frozenset()
    is_by_shell: bool = False

    @property
    def is_edit(self) -> bool:
        """Whether it may be a part of rounds: a dangerous edit stays by itself."""
        return self.step.kind is StepKind.EDIT and not self.step.danger


def distil(turns: Sequence[Turn], *, judged: Sequence[Outcome]) -> tuple[Step, ...]:
    """All steps of the work in these turns, in its order; `judged` has the outcome of each turn.

    Turns that the user rejected are left out, unless all were.
    """
    kept = [turn for turn, outcome in zip(turns, judged, strict=True) if outcome is not Outcome.FAILED] or turns
    fetched = _fetched(kept)
    calls = _alone(
        [call for turn in kept for action in turn.actions for call in _calls(action, turn.context.root, fetched)]
    )
    rounds = [call for segment in _segments(_joined_rows(calls)) for call in _joined_rounds(segment)]
    return tuple(call.step for call in _joined_rows(_joined_repeats(rounds)))


def tried_steps(turns: Sequence[Turn]) -> tuple[Step, ...]:
    """The steps that were tried when nothing worked, each once."""
    fetched = _fetched(turns)
    calls = [
        call.step for turn in turns for action in turn.actions for call in _calls(action, turn.context.root, fetched)
    ]
    return tuple({_key(step): step for step in calls}.values())


def top_steps(steps: Sequence[Step], most: int = MAX_STEPS) -> tuple[Step, ...]:
    """The steps that matter most, in the order of the work: deliveries and checks first, later before earlier."""
    by_rank = sorted(range(len(steps)), key=lambda index: (_rank(steps[index]), -index))
    return tuple(steps[index] for index in sorted(by_rank[:most]))


def known_commands(steps: Sequence[Step]) -> tuple[str, ...]:
    """The distinct commands of steps; a line of several is split."""
    lines = [line for step in steps for line in (step.text if step.kind in SHELL_KINDS else "", step.until)]
    return tuple(dict.fromkeys(command for line in lines for command in line.split(AND) if command))


def _rank(step: Step) -> int:
    return _RANKS[StepKind.CHECK if step.until else step.kind]


def _fetched(turns: Sequence[Turn]) -> frozenset[str]:
    """The names of the files that the shell downloaded in these turns."""
    return fetched_files(command_of(action) for turn in turns for action in turn.actions)


def _calls(action: Action, root: str, fetched: frozenset[str]) -> Iterator[_Call]:
    """A call as candidates for steps; none if it only looks, was not allowed, or is a subagent's own.

    The dangerous commands of a line are steps of their own, so that the others remain.
    """
    if action.actor != MAIN or action.outcome is Outcome.PARTIAL or action.tool in LOOKING_TOOLS:
        return
    changed = edited_files(command_of(action), root)
    if changed is not None:
        edit = Step(kind=StepKind.EDIT, files=changed[:MAX_FILES], danger=danger_of_files(changed))
        yield _Call(edit, _key(edit), worked=_worked(action), is_by_shell=True)
    for step in _steps(action, root, fetched):
        commands = frozenset(step.text.split(AND)) if step.kind in SHELL_KINDS else frozenset[str]()
        yield _Call(step, _key(step), worked=_worked(action), commands=commands)


def _alone(calls: Sequence[_Call]) -> list[_Call]:
    """Without edits by the shell if there are others: then they are by the way, as renaming a word is."""
    is_edited = any(call.step.kind is StepKind.EDIT and not call.is_by_shell for call in calls)
    return [call for call in calls if not (is_edited and call.is_by_shell)]


def _worked(action: Action) -> bool:
    """Whether a call succeeded, also by its output: a pipe hides the exit code of a failing check."""
    verdict = action.verdict
    is_refuted = verdict is not None and (bool(verdict.failed) or verdict.ran_nothing)
    return action.outcome is Outcome.SUCCESS and not is_refuted


def _steps(action: Action, root: str, fetched: frozenset[str]) -> Iterator[Step]:
    if command := command_of(action):
        yield from _command_steps(command, action, root, fetched)
    elif action.tool in EDITING_TOOLS:
        yield from _edit_steps(action, root)
    elif action.tool == "Skill":
        yield Step(kind=StepKind.SKILL, text=_parameter(action, "skill", "command"))
    elif action.tool in STARTING_TOOLS:
        yield Step(kind=StepKind.AGENT, text=_parameter(action, "subagent_type") or "general")
    elif not _handles_page(action.tool):
        yield Step(kind=StepKind.TOOL, text=action.tool, danger=danger_of_action(action))


def _handles_page(tool: str) -> bool:
    """Whether a tool of a server clicks, types or looks around in a page: each page wants other such calls."""
    if not tool.startswith("mcp__"):
        return False
    words, own = ([word.lower() for word in _NAME_WORD.findall(name)] for name in (tool, tool.split("__")[-1]))
    verb = next((word for word in own if word not in _BEFORE_VERB), "")
    return verb in _PAGE_VERBS or not _BROWSERS.isdisjoint(words)


def _command_steps(command: str, action: Action, root: str, fetched: frozenset[str]) -> Iterator[Step]:
    found = portable_parts(command, root=root, fetched=fetched)
    for danger, same in groupby(
        (part for part in found if part.label not in programs.PASSING), lambda part: part.danger
    ):
        parts = [*same]
        kinds = {SHELL_STEPS[part.kind] for part in parts}
        text = AND.join(dict.fromkeys(part.text for part in parts))
        kind = next(kind for kind in _WEIGHTS if kind in kinds)
        yield Step(kind=kind, text=text, took_ms=action.duration_ms, danger=danger)


def _edit_steps(action: Action, root: str) -> Iterator[Step]:
    file = relative_path(_parameter(action, "file_path", "notebook_path", "path"), root)
    if file is not None:
        yield Step(kind=StepKind.EDIT, files=(file,) if file else (), danger=danger_of_files([file]))


def _parameter(action: Action, *names: str) -> str:
    values = (action.parameters.get(name) for name in names)
    return next((value for value in values if isinstance(value, str) and value), "")


def _key(step: Step) -> str:
    if step.kind is StepKind.TOOL and step.text.startswith("mcp__"):
        return "__".join(step.text.split("__")[:2])
    return f"{step.kind} {step.text} {step.danger}" if step.danger else f"{step.kind} {step.text}"


def _joined_rows(calls: Sequence[_Call]) -> list[_Call]:
    """Edits, subagents and calls of one server in a row as one; failures of these are the assistant's own slips."""
    rows: list[list[_Call]] = []
    for call in calls:
        is_joining = call.step.kind in _IN_A_ROW or call.step.kind is StepKind.EDIT
        if is_joining and not call.worked:
            continue
        if is_joining and rows and rows[-1][0].key == call.key:
            rows[-1].append(call)
        else:
            rows.append([call])
    return [_joined(row) for row in rows]


def _joined(row: Sequence[_Call]) -> _Call:
    """Calls in a row as one, named as most of them are."""
    first = row[0]
    if len(row) == 1:
        return first
    files = tuple(dict.fromkeys(file for call in row for file in call.step.files))[:MAX_FILES]
    if first.step.kind is StepKind.EDIT:
        until = next((call.step for call in reversed(row) if call.step.until), first.step)
        rounds = sum(call.step.times for call in row if call.step.until == until.until)
        times = rounds if until.until else 1
        return replace(first, step=until.model_copy(update={"files": files, "times": times}))
    [(text, _)] = Counter(call.step.text for call in row).most_common(1)
    times = sum(call.step.times for call in row)
    return replace(first, step=first.step.model_copy(update={"text": text, "times": times}))


def _segments(calls: Sequence[_Call]) -> Iterator[list[_Call]]:
    """The calls between deliveries, skills and subagents, each of which is a segment of its own."""
    segment: list[_Call] = []
    for call in calls:
        if call.step.kind in _ENDS_ROUNDS:
            yield segment
            yield [call]
            segment = []
        else:
            segment.append(call)
    yield segment


def _joined_rounds(calls: list[_Call]) -> list[_Call]:
    """The rounds of edits and a check as one step; of several such checks, the one that ran most often."""
    runs = Counter(call.key for call in calls if call.step.kind is StepKind.CHECK)
    spans = {key: _rounds(calls, key) for key, times in runs.items() if times > 1}
    key, span = max(spans.items(), key=lambda item: len(item[1]), default=("", []))
    if len(span) < 2:
        return calls
    first = next(index for index, call in enumerate(calls) if call.is_edit)
    inside = calls[first : span[-1] + 1]
    edits = [call for call in inside if call.is_edit]
    check = calls[span[-1]].step
    took = [calls[index].step.took_ms for index in span if calls[index].worked]
    rounds = {"until": check.text, "times": len(span), "took_ms": _median(took), "danger": check.danger}
    loop = replace(edits[0], step=_joined(edits).step.model_copy(update=rounds))
    others = [call for call in inside if call.key != key and not call.is_edit]
    before = [call for call in calls[:first] if call.key != key]
    return [*before, loop, *others, *calls[span[-1] + 1 :]]


def _rounds(calls: Sequence[_Call], key: str) -> list[int]:
    """The places of the last run of a check after each edit, up to the last run that worked."""
    places: list[int] = []
    is_edited = False
    for index, call in enumerate(calls):
        is_edited |= call.is_edit
        if call.key == key and places and not is_edited:
            places[-1] = index
        elif call.key == key:
            places.append(index)
            is_edited = False
    worked = [number for number, index in enumerate(places) if calls[index].worked]
    has_edit = any(call.is_edit for call in calls[: places[worked[-1]]]) if worked else False
    return places[: worked[-1] + 1] if has_edit else []


def _joined_repeats(calls: Sequence[_Call]) -> list[_Call]:
    """Each line of commands once, at its last place, with its successes; one that never worked again is left out.

    A line is repeated by a later one that has all its commands: "npm test" by "npm run lint && npm test".
    """
    worked: defaultdict[str, list[tuple[int, _Call]]] = defaultdict(list)
    for index, call in enumerate(calls):
        if call.worked:
            worked[call.key].append((index, call))
    # By each command the lines that have it: with thousands of calls, each cannot be compared with each.
    lines: defaultdict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for key, same in worked.items():
        for command in same[0][1].commands:
            lines[command][key] = same[0][1].commands
    joined = []
    for index, call in enumerate(calls):
        if call.step.kind is StepKind.EDIT or call.step.kind in _IN_A_ROW:
            joined.append(call)
        elif call.worked and index == max(worked[key][-1][0] for key in _lines_with_all(call, lines)):
            earlier = [each for key in _lines_within(call, lines) for at, each in worked[key] if at <= index]
            took = [each.step.took_ms for each in earlier if each.step.text == call.step.text]
            counted = {"times": sum(each.step.times for each in earlier), "took_ms": _median(took)}
            joined.append(replace(call, step=call.step.model_copy(update=counted)))
    return joined


_Lines: TypeAlias = Mapping[str, Mapping[str, frozenset[str]]]


def _lines_with_all(call: _Call, lines: _Lines) -> set[str]:
    """The keys of the lines that have all commands of a call; its own among them."""
    first = next(iter(call.commands), None)
    return {call.key, *(key for key, commands in lines.get(first or "", {}).items() if call.commands <= commands)}


def _lines_within(call: _Call, lines: _Lines) -> set[str]:
    """The keys of the lines all of whose commands a call has; its own among them."""
    near = {key: commands for command in call.commands for key, commands in lines.get(command, {}).items()}
    return {call.key, *(key for key, commands in near.items() if commands <= call.commands)}


def _median(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return round(median(known)) if known else None
