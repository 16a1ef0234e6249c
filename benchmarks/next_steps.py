"""See how much the constants of the next steps matter, and how they do where they were not chosen.

`python -m benchmarks.next_steps DATA` reads the `next` sets of a data folder (docs/evaluation.md). For each value of a
constant it prints how often the first guess is right, and one of three. Then, for each project, it chooses the best
value by the cases of the other projects alone, and prints the figures of the chosen ones. The labels are our own names
of calls here, so the figures differ a little from those of `make eval`.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import click
import numpy

from behavior_plugin.learn import session_turns
from behavior_plugin.recall import sequences
from behavior_plugin.recall.sequences import Call, EarlierWork, Sequences, earlier_work
from benchmarks.scratch import shown
from evaluation.data import Case, Data
from evaluation.distilled import next_acts
from evaluation.memory import calls_done, events_of

VALUES: dict[str, tuple[float, ...]] = {
    "NEARNESS": (3.0, 6.0, 9.0),
    "HALF_AGE": (10.0, 30.0, 100.0),
    "BACK_OFF": (0.2, 0.5, 1.5),
    "SAME_WORK": (3.0, 30.0, 100.0),
    "MAX_CONTEXT": (2, 3, 4),
}


@dataclass(frozen=True)
class Asked:
    """A prompt with the work known before it, and its cases: the calls done, and the name of the next one."""

    prompt: str
    works: list[EarlierWork]
    cases: list[tuple[tuple[Call, ...], str]]


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(data: Path) -> None:
    """Measure the next steps with other constants."""
    asked = _asked(Data(data))
    settings = [{}, *({name: value} for name, values in VALUES.items() for value in values)]
    settings = [each for each in settings if not each or getattr(sequences, next(iter(each))) not in each.values()]
    rights = {json.dumps(each): _rights(asked, each) for each in shown(settings, "settings")}
    for name, by_project in rights.items():
        click.echo(f"{name:22} {'  '.join(f'{project} {_phrase([by_project[project]])}' for project in asked)}")
    chosen = {project: max(rights, key=lambda name: _of_others(rights[name], project)) for project in asked}
    click.echo(f"\nChosen by the others: {chosen}")
    click.echo(f"all, with them: {_phrase([rights[chosen[project]][project] for project in asked])}")
    click.echo(f"all, as it is:  {_phrase(list(rights['{}'].values()))}")


def _asked(data: Data) -> dict[str, list[Asked]]:
    """The prompts of each project."""
    found: defaultdict[str, list[Asked]] = defaultdict(list)
    for name in (part.set for part in data.parts() if part.kind == "next"):
        known = [(entry, earlier_work(session_turns(events_of(entry)))) for entry in data.memory(name)]
        targets = {line["id"]: line["target"] for line in _lines(data.folder / "next" / f"{name}.cases.jsonl")}
        groups: defaultdict[tuple[str, str, str], list[Case]] = defaultdict(list)
        for case in data.cases(name):
            groups[case.ts, case.session, case.prompt].append(case)
        for (ts, session, prompt), cases in groups.items():
            works = [
                work
                for entry, worked in known
                if entry.pool == cases[0].pool and entry.ts < ts and entry.session != session
                for work in worked
            ]
            found[cases[0].pool].append(Asked(prompt, works, [(calls_done(case), targets[case.id]) for case in cases]))
    return found


def _lines(file: Path) -> Iterator[dict[str, str]]:
    return map(json.loads, file.read_text(encoding="utf-8").splitlines())


def _rights(asked: dict[str, list[Asked]], constants: dict[str, float]) -> dict[str, list[tuple[bool, bool]]]:
    """For each case of each project whether the first guess is right, and whether one of three is."""
    with patch.dict(vars(sequences), constants):
        return {name: [right for each in prompts for right in _of_prompt(each)] for name, prompts in asked.items()}


def _of_prompt(asked: Asked) -> Iterator[tuple[bool, bool]]:
    known = Sequences(asked.prompt, asked.works)
    for done, target in asked.cases:
        guesses = next_acts(known.after(done))[:3]
        yield guesses[:1] == [target], target in guesses


def _of_others(rights: dict[str, list[tuple[bool, bool]]], project: str) -> float:
    """The mean of all other projects, each counting the same."""
    return float(numpy.mean([numpy.mean(right) for name, right in rights.items() if name != project]))


def _phrase(rights: Sequence[list[tuple[bool, bool]]]) -> str:
    first, any_of_three = numpy.mean([right for each in rights for right in each], axis=0)
    return f"{first:.3f} / {any_of_three:.3f}"


if __name__ == "__main__":
    main()
