"""Compare the steps of pieces of work: how alike two are, and the one that stands for several."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from behavior_plugin.patterns.commands import split_command
from behavior_plugin.workflow import SHELL_KINDS, Step, StepKind

_COMMAND_WORD = re.compile(r"[\w./:-]+")


def identities(steps: Sequence[Step]) -> tuple[str, ...]:
    """The names by which steps are compared: edits are alike whatever the files, commands whatever the arguments.

    An edit with its check counts as both.
    """
    return tuple(name for step in steps for name in _names(step))


def command_words(lines: Iterable[str]) -> tuple[str, ...]:
    """The words of shell lines, slots and options among them."""
    return tuple(word for line in lines for word in _COMMAND_WORD.findall(line))


def similarity(one: Sequence[str], other: Sequence[str]) -> float:
    """How much of two sequences of names is the same in the same order, from 0 to 1."""
    if not one or not other:
        return float(not one and not other)
    return 2 * common(one, other) / (len(one) + len(other))


def common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many names two sequences have in the same order: the length of their longest common subsequence."""
    row = [0] * (len(other) + 1)
    for name in one:
        above = row
        row = [0]
        for column, each in enumerate(other):
            row.append(above[column] + 1 if name == each else max(row[column], above[column + 1]))
    return row[-1]


def medoid(candidates: Sequence[Sequence[Step]]) -> int:
    """The index of the candidate whose steps are most like those of the others; the first of equals.

    One piece of work has steps of its own occasion; the one most like the others shows the habit.
    """
    named = [identities(steps) for steps in candidates]
    counts = Counter(named)
    # Rounded, so that the order of adding makes no difference.
    totals = {one: round(sum(similarity(one, other) * counts[other] for other in counts), 9) for one in counts}
    return max(range(len(named)), key=lambda index: (totals[named[index]], -index))


def _names(step: Step) -> tuple[str, ...]:
    if step.kind is StepKind.EDIT:
        return ("edit", *_command_names(step.until))
    is_named = step.kind in SHELL_KINDS and step.kind is not StepKind.LOOK
    return _command_names(step.text) if is_named else (f"{step.kind} {step.text}",)


@lru_cache(maxsize=4_096)
def _command_names(line: str) -> tuple[str, ...]:
    """The programs and sub-commands of a line, without flags and slots; two calls or one line make no difference."""
    return tuple(part.label for part in split_command(line) if part.label)
