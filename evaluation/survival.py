"""Measure how much of recorded work is left in its distilled steps: python -m evaluation.survival DATA.

A piece of work is a prompt's, or, as the hardest case, all work of a session. Its last loop is the shell calls that
worked after its last edit; without such calls, all that worked. The commands of a loop are counted once each, without
those that only look. A command survives if it stands in one of at most seven steps, under the same flags.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median, quantiles

import click

from behavior_plugin.agents import agent_of_log
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.model import MAIN, Action, Outcome, Turn
from behavior_plugin.patterns.commands import EDITING_TOOLS, CommandKind, command_of, split_command
from behavior_plugin.patterns.portable import portable_parts
from behavior_plugin.patterns.steps import distil, known_commands, top_steps
from behavior_plugin.patterns.turns import turns_of
from behavior_plugin.recall.wording import step_line
from benchmarks.scratch import shown
from evaluation.data import Data


@dataclass(frozen=True)
class Survival:
    """The commands of a last loop, those of them with a portable form, the survivors, and the length of the steps."""

    actions: int
    commands: int
    portable: int
    survived: int
    lines: int
    chars: int


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="DATA")
def main(folder: Path) -> None:
    """Print how many commands of the transcripts in DATA survive in at most seven steps."""
    sessions: defaultdict[str, list[Turn]] = defaultdict(list)
    for turn in _turns(Data(folder)):
        sessions[turn.session_id].append(turn)
    for name, works in (
        ("prompts", [[turn] for turns in sessions.values() for turn in turns]),
        ("sessions", list(sessions.values())),
    ):
        click.echo(_summary(name, [measured for work in works if (measured := survival(work))]))


def _turns(data: Data) -> Iterator[Turn]:
    for file in shown(data.logs(), "survival"):
        agent = agent_of_log(file)
        events = [event for part in agent.logs.read(file, LogReader()) for event in part] if agent else []
        yield from turns_of(events)


def survival(work: Sequence[Turn]) -> Survival | None:
    """What is left of a piece of work; None if no command of it worked."""
    loop = [(turn.context.root, command) for turn in work for command in _worked(turn.actions)]
    last_edit = max((index for index, (_, command) in enumerate(loop) if not command), default=-1)
    last_loop = [(root, command) for root, command in loop[last_edit + 1 :] if command] or [
        (root, command) for root, command in loop if command
    ]
    # By command as typed its portable form, which may be empty.
    forms = {text: form for root, line in last_loop for text, form in _forms(line, root)}
    if not forms:
        return None
    steps = top_steps(distil(work, judged=[Outcome.SUCCESS] * len(work)))
    kept = set(known_commands(steps))
    return Survival(
        actions=sum(len(turn.actions) for turn in work),
        commands=len(forms),
        portable=sum(bool(form) for form in forms.values()),
        survived=sum(form in kept for form in forms.values()),
        lines=len(steps),
        chars=len("\n".join(map(step_line, steps))),
    )


def _forms(line: str, root: str) -> Iterator[tuple[str, str]]:
    for part in split_command(line):
        if _is_work(part.kind):
            yield part.text, next((form.text for form in portable_parts(part.text, root=root)), "")


def _worked(actions: Iterable[Action]) -> Iterator[str]:
    """The shell lines that worked and do something, and an empty text for an edit."""
    for action in actions:
        if action.actor != MAIN or action.outcome is not Outcome.SUCCESS:
            continue
        if action.tool in EDITING_TOOLS:
            yield ""
        elif any(_is_work(part.kind) for part in split_command(command_of(action))):
            yield command_of(action)


def _is_work(kind: CommandKind) -> bool:
    return kind is not CommandKind.LOOK


def _summary(name: str, found: Sequence[Survival]) -> str:
    portable = [each for each in found if each.portable]
    return (
        f"{name}: {len(found)} with commands that worked, {median(each.actions for each in found):.0f} actions to "
        f"{median(each.lines for each in found):.0f} lines (medians); survive: "
        f"{mean(each.survived / each.commands for each in found):.3f} of all commands of the last loop, "
        f"{mean(each.survived / each.portable for each in portable):.3f} of the portable ones; "
        f"characters: median {median(each.chars for each in found):.0f}, "
        f"90 % {quantiles((each.chars for each in found), n=10)[-1]:.0f}"
    )


if __name__ == "__main__":
    main()
