"""Distil the steps of a piece of work from its calls: the edits, checks, deliveries and runs that succeeded.

Looking around, failures that were given up, and work that the user rejected are no steps. `rounds` joins what was
repeated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

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
from behavior_plugin.patterns.rounds import MAX_FILES, Call, joined
from behavior_plugin.workflow import SHELL_KINDS, Step, StepKind

# Steps of a workflow that are shown.
MAX_STEPS = 7
# Steps of an episode that are kept and compared with those of others; half of the recorded ones have six.
MAX_KEPT_STEPS = 60
# Between the commands of one line.
AND = " && "

SHELL_STEPS = {CommandKind.DELIVER: StepKind.DELIVER, CommandKind.CHECK: StepKind.CHECK, CommandKind.RUN: StepKind.RUN}
# The weightiest command of a line decides on its kind.
_WEIGHTS = (StepKind.DELIVER, StepKind.CHECK, StepKind.RUN)
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


def distil(turns: Sequence[Turn], *, judged: Sequence[Outcome]) -> tuple[Step, ...]:
    """All steps of the work in these turns, in its order; `judged` has the outcome of each turn.

    Turns that the user rejected are left out, unless all were.
    """
    kept = [turn for turn, outcome in zip(turns, judged, strict=True) if outcome is not Outcome.FAILED] or turns
    return tuple(call.step for call in joined(_alone(_calls_of(kept))))


def tried_steps(turns: Sequence[Turn]) -> tuple[Step, ...]:
    """The steps that were tried when nothing worked, each once."""
    return tuple({call.key: call.step for call in _calls_of(turns)}.values())


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


def _calls_of(turns: Sequence[Turn]) -> list[Call]:
    """The calls of these turns that may be steps, in their order."""
    fetched = fetched_files(command_of(action) for turn in turns for action in turn.actions)
    return [call for turn in turns for action in turn.actions for call in _calls(action, turn.context.root, fetched)]


def _calls(action: Action, root: str, fetched: frozenset[str]) -> Iterator[Call]:
    """A call as candidates for steps; none if it only looks, was not allowed, or is a subagent's own.

    The dangerous commands of a line are steps of their own, so that the others remain.
    """
    if action.actor != MAIN or action.outcome is Outcome.PARTIAL or action.tool in LOOKING_TOOLS:
        return
    changed = edited_files(command_of(action), root)
    if changed is not None:
        edit = Step(kind=StepKind.EDIT, files=changed[:MAX_FILES], danger=danger_of_files(changed))
        yield Call(edit, _key(edit), worked=_worked(action), is_by_shell=True)
    for step in _steps(action, root, fetched):
        commands = frozenset(step.text.split(AND)) if step.kind in SHELL_KINDS else frozenset[str]()
        yield Call(step, _key(step), worked=_worked(action), commands=commands)


def _alone(calls: Sequence[Call]) -> list[Call]:
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
