"""Distil work that only looked something up, and whose answer is the output of a few commands.

Such commands are a way to ask again: `gh run view {number} --log-failed`. Somebody who searches the code reads files
between many commands, and goes another way each time; that is no way of working.
"""

from __future__ import annotations

from collections.abc import Sequence

from behavior_plugin.model import MAIN, Action, Outcome, Turn
from behavior_plugin.patterns import programs
from behavior_plugin.patterns.commands import CommandKind, command_kind, command_of, split_command
from behavior_plugin.patterns.portable import portable_line
from behavior_plugin.workflow import Step, StepKind

# With more commands than this, somebody searched.
MAX_COMMANDS = 3


def lookups(turns: Sequence[Turn]) -> tuple[Step, ...]:
    """The commands that looked something up, each once; none where somebody searched.

    What a service was asked, as with `gh` or `kubectl`, counts also amid a search.
    """
    actions = [action for turn in turns for action in turn.actions if action.actor == MAIN]
    asked = [action for action in actions if _is_lookup(action)]
    if len(asked) < len(actions) or len(asked) > MAX_COMMANDS:
        asked = [action for action in asked if _asks_a_service(command_of(action))]
    worked = [action for action in asked if action.outcome is Outcome.SUCCESS]
    steps = [_step(action, turns[0].context.root) for action in worked]
    return tuple({step.text: step for step in steps if step.text}.values())


def _is_lookup(action: Action) -> bool:
    command = command_of(action)
    is_looking = bool(command) and command_kind(command) is CommandKind.LOOK
    return is_looking and any(part.label not in ("", *programs.SILENT) for part in split_command(command))


def _asks_a_service(command: str) -> bool:
    return any(part.label.split(" ")[0] in programs.SERVICES for part in split_command(command))


def _step(action: Action, root: str) -> Step:
    return Step(kind=StepKind.LOOK, text=portable_line(command_of(action), root=root), took_ms=action.duration_ms)
