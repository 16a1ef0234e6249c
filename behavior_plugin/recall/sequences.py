"""Predict the next call of a piece of work from earlier work.

One model looks at the last three calls, another one at the last call with its argument. Each backs off to a shorter
context where it has seen little of the longer one, and the odds are the geometric mean of both. Earlier work counts by
how similar its prompt is, and by its age. docs/evaluation.md has the choice of the constants; near these values they
make little difference.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from typing import TypeAlias

from behavior_plugin.agents.core import core_of
from behavior_plugin.model import MAIN, Action, Turn
from behavior_plugin.patterns import programs
from behavior_plugin.patterns.commands import (
    EDITING_TOOLS,
    LOOKING_TOOLS,
    STARTING_TOOLS,
    CommandKind,
    command_of,
    split_command,
)
from behavior_plugin.patterns.danger import danger_of_action, dangers_in
from behavior_plugin.patterns.portable import portable_parts, relative_path
from behavior_plugin.patterns.steps import AND, SHELL_STEPS
from behavior_plugin.recall.calls import main_parameter
from behavior_plugin.recall.words import WordIndex, tokens
from behavior_plugin.workflow import NextStep, Step, StepKind

# The number of calls in the longest context.
MAX_CONTEXT = 3
# The weight of a shorter context, in calls that the most similar work has after the longer one.
BACK_OFF = 0.5
# Work for the very same prompt counts e to this power times as much as work for one without a word in common.
NEARNESS = 6.0
# A piece of work counts half once so many are newer.
HALF_AGE = 30.0
# The calls so far in this piece of work count as much as earlier work for a prompt with half of its words.
SAME_WORK = 30.0
# Neither model excludes a step: it may only not have seen it.
MIN_SHARE = 0.001
# The beginning of a long argument is enough to recognise it.
MAX_ARGUMENT_CHARS = 80

# Steps of these kinds are shown by a word, so people may name them by it, not by the tool.
_KIND_WORDS = {"edit": "Edit", "skill": "Skill", "subagent": "Agent"}
# The name of a shell line in which no command has a name.
NAMELESS = "shell"


@dataclass(frozen=True)
class Call:
    """A call, as calls are compared: by name, and by argument too where that helps. `step` is how it is shown."""

    name: str
    argument: str
    step: Step


# The calls of pieces of work, with how much each piece counts.
Weighed: TypeAlias = "Sequence[tuple[tuple[Call, ...], float]]"
# Before the first call.
_START = Call("", "", Step(kind=StepKind.LOOK))


@dataclass(frozen=True)
class EarlierWork:
    """The calls for one prompt, in their order."""

    prompt: str
    started_at: datetime
    calls: tuple[Call, ...]


def earlier_work(turns: Iterable[Turn]) -> list[EarlierWork]:
    """The work of these turns, each once; those without calls are left out."""
    distinct = {turn.source_key: turn for turn in turns}.values()
    works = (EarlierWork(turn.prompt, turn.started_at, calls_of(turn)) for turn in distinct)
    return [work for work in works if work.calls]


def calls_of(turn: Turn) -> tuple[Call, ...]:
    """The main agent's calls in a turn."""
    return tuple(call_of(action, turn.context.root) for action in turn.actions if action.actor == MAIN)


def call_of(action: Action, root: str = "") -> Call:
    """A recorded call; paths are seen from `root`, the project's folder."""
    if command := command_of(action):
        return _shell_call(command, root)
    call = _tool_call(action.tool, _argument(action), root)
    return replace(call, step=call.step.model_copy(update={"danger": danger_of_action(action)}))


def call_in(text: str, root: str = "", *, tools: Collection[str] = ()) -> Call:
    """The call that a person names: a shell line, or a tool with its argument, as in `Edit src/app.py`.

    `tools` are names of tools besides those that every agent has.
    """
    first, _, rest = text.strip().partition(" ")
    name = first if first in tools else _KIND_WORDS.get(first, first)
    if first == "tool" and rest:
        name, _, rest = rest.strip().partition(" ")
    known = EDITING_TOOLS | LOOKING_TOOLS | STARTING_TOOLS | {"Skill", *tools}
    is_tool = first == "tool" or name in known or name.startswith("mcp__")
    return _tool_call(name, rest.strip(), root) if is_tool else _shell_call(text.strip(), root)


class Sequences:
    """The calls of earlier work, weighed for one prompt."""

    def __init__(self, prompt: str, works: Sequence[EarlierWork]) -> None:
        weights = _weights(prompt, works)
        most = max(weights, default=1.0)
        self._weighed = [(work.calls, weight / most) for work, weight in zip(works, weights, strict=True)]
        self._same_work = SAME_WORK / most

    def after(self, done: Sequence[Call]) -> list[NextStep]:
        """The steps that may come next, the likeliest first; their odds sum to 1. Empty if no work is known."""
        if not self._weighed:
            return []
        weighed = [*self._weighed, (tuple(done), self._same_work)]
        steps = _steps(weighed)
        by_names, by_argument, times = _followers(weighed, done)
        equal = dict.fromkeys(steps, 1 / len(steps))
        by_calls = reduce(_backed_off, by_names, equal)
        by_last = reduce(_backed_off, (*by_names[:2], by_argument), equal)
        means = {name: math.sqrt(max(by_calls[name], MIN_SHARE) * max(by_last[name], MIN_SHARE)) for name in steps}
        whole = sum(means.values())
        order = sorted(means, key=lambda name: (-means[name], name))
        return [NextStep(step=steps[name], odds=means[name] / whole, times=times[name]) for name in order]


def _steps(weighed: Weighed) -> dict[str, Step]:
    """How each call is shown: in the form that counts most in all; another one may have been a slip."""
    steps: dict[tuple[str, str], Step] = {}
    weights: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for calls, weight in weighed:
        for call in calls:
            form = call.name, call.step.text
            steps[form] = call.step
            weights[form].append(weight)
    # A sum that does not depend on the order of the works.
    order = sorted(steps, key=lambda form: (math.fsum(weights[form]), form))
    return {name: steps[name, text] for name, text in order}


def _followers(weighed: Weighed, done: Sequence[Call]) -> tuple[list[dict[str, float]], dict[str, float], Counter[str]]:
    """The weights of the calls that followed no call in particular, the last one, the last two, up to MAX_CONTEXT.

    Then the weights of those that followed the last one with its argument, and how often each followed the last one.
    """
    context = [*reversed(done), _START][:MAX_CONTEXT]
    by_names: list[defaultdict[str, float]] = [defaultdict(float) for _ in range(MAX_CONTEXT + 1)]
    by_argument: defaultdict[str, float] = defaultdict(float)
    times: Counter[str] = Counter()
    for calls, weight in weighed:
        before = [_START, *calls]
        for place, call in enumerate(calls):
            same = _same_before(before, place, context)
            for length in range(same + 1):
                by_names[length][call.name] += weight
            times[call.name] += same > 0
            if same and before[place].argument == context[0].argument:
                by_argument[call.name] += weight
    return [dict(each) for each in by_names], dict(by_argument), times


def _same_before(calls: Sequence[Call], last: int, context: Sequence[Call]) -> int:
    """How many of the calls up to place `last` are those of the context, which begins with the last one."""
    same = 0
    while same < len(context) and same <= last and calls[last - same].name == context[same].name:
        same += 1
    return same


def _backed_off(shorter: dict[str, float], followers: dict[str, float]) -> dict[str, float]:
    """The shares by a context, from the weights of the calls after it, and from the shares by a shorter context."""
    seen = sum(followers.values()) + BACK_OFF
    return {name: (followers.get(name, 0.0) + BACK_OFF * share) / seen for name, share in shorter.items()}


def _weights(prompt: str, works: Sequence[EarlierWork]) -> list[float]:
    """How much each piece of work counts, by the words its prompt has of this one, and by how many are newer."""
    near = WordIndex([tokens(core_of(work.prompt)) for work in works]).scores(tokens(core_of(prompt)))
    starts = sorted(work.started_at for work in works)
    newer = [len(works) - bisect_right(starts, work.started_at) for work in works]
    return [
        math.exp(NEARNESS * min(1.0, float(share))) / (1 + age / HALF_AGE)
        for share, age in zip(near, newer, strict=True)
    ]


def _shell_call(command: str, root: str) -> Call:
    """A shell line is named by its first command that says something."""
    part = next((part for part in split_command(command) if part.label and part.label not in programs.SILENT), None)
    if part is None:
        return Call(NAMELESS, command[:MAX_ARGUMENT_CHARS], Step(kind=StepKind.LOOK, text=NAMELESS))
    danger = dict(dangers_in(command, root)).get(part.text, "")
    kind = StepKind.LOOK if part.kind is CommandKind.LOOK else SHELL_STEPS[part.kind]
    step = Step(kind=kind, text=part.label, danger=danger)
    portable = portable_parts(command, root=root) if part.kind is not CommandKind.LOOK else ()
    if portable and portable[0].label == part.label:
        # A dangerous command behind it is no part of the step.
        same = [each.text for each in portable if each.danger == portable[0].danger]
        step = step.model_copy(update={"text": AND.join(dict.fromkeys(same))})
    return Call(part.label, command[:MAX_ARGUMENT_CHARS], step)


def _argument(action: Action) -> str:
    if action.tool in STARTING_TOOLS:
        return str(action.parameters.get("subagent_type") or "general")
    return main_parameter(action) or next((str(value) for value in action.parameters.values() if value), "")


def _tool_call(tool: str, argument: str, root: str) -> Call:
    if tool in EDITING_TOOLS:
        return Call("edit", relative_path(argument, root) or argument, Step(kind=StepKind.EDIT))
    if tool == "Skill":
        return Call(f"skill {argument}", "", Step(kind=StepKind.SKILL, text=argument))
    if tool in STARTING_TOOLS:
        return Call(f"subagent {argument}", "", Step(kind=StepKind.AGENT, text=argument or "general"))
    return Call(tool, argument[:MAX_ARGUMENT_CHARS], Step(kind=StepKind.TOOL, text=tool))
