"""Distil short work that has no other steps: a few commands that only look, or belong to one occasion.

The commands themselves are the way to do it again: `gh run view {number} --log-failed`. A search of the code is not: it
reads files between many commands, and goes another way each time.
"""

from __future__ import annotations

from collections.abc import Sequence

from behavior_plugin.model import MAIN, Action, Outcome, Turn
from behavior_plugin.patterns import programs
from behavior_plugin.patterns.commands import CommandKind, command_kind, command_of, split_command
from behavior_plugin.patterns.danger import danger_of_line
from behavior_plugin.patterns.portable import portable_line
from behavior_plugin.workflow import Step, StepKind

# More commands are a search.
MAX_COMMANDS = 3


def short_work_steps(turns: Sequence[Turn]) -> tuple[Step, ...]:
    """The commands of short work, each once; none of a search.

    Questions to a service, as with `gh` or `kubectl`, count also amid a search.
    """
    actions = [action for turn in turns for action in turn.actions if action.actor == MAIN]
    typed = [action for action in actions if _says_something(action)]
    if len(typed) < len(actions) or len(typed) > MAX_COMMANDS:
        typed = [action for action in typed if _service(command_of(action))]
    steps = [_step(action, turns[0].context.root) for action in typed if action.outcome is Outcome.SUCCESS]
    return tuple({step.text: step for step in steps if step.text}.values())


def short_work_job(steps: Sequence[Step]) -> str:
    """All questions to a service about one thing are one job; any other command is a job of its own."""
    asked = next((words for step in steps if (words := _service(step.text))), "")
    last = steps[-1]
    return f"{'look up' if last.kind is StepKind.LOOK else 'run'} {asked or last.text}"


def _says_something(action: Action) -> bool:
    silent = {"", "mkdir", *programs.SILENT, *programs.PASSING}
    return any(part.label not in silent for part in split_command(command_of(action)))


def _service(command: str) -> str:
    """The program and the subject of a question to a service, as in "gh run"; empty for another line."""
    labels = [part.label.split(" ") for part in split_command(command) if part.kind is CommandKind.LOOK]
    return next((" ".join(words[:2]) for words in labels if words[0] in programs.SERVICES), "")


def _step(action: Action, root: str) -> Step:
    command = command_of(action)
    kind = StepKind.LOOK if command_kind(command) is CommandKind.LOOK else StepKind.RUN
    text, danger = portable_line(command, root=root), danger_of_line(command, root=root)
    return Step(kind=kind, text=text, took_ms=action.duration_ms, danger=danger)
