"""Measure the cost of our hooks next to the cheapest possible hook in Python, in one table.

`python -m benchmarks.hooks` runs every row once a round, in another order each time, so that other load on the machine
affects them all alike. Learning and recall use a scratch folder: 10,000 pieces of work of one project, with their
patterns, in the embedded server, and a running worker. Tool calls are saved in a separate spool without a worker,
because its work on 6 MB would be measured with the next recall. Each prompt has a session of its own, because no
session gets a pattern twice.
"""

from __future__ import annotations

import argparse
import json
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from behavior_plugin import api, simulator
from behavior_plugin.capture import context
from behavior_plugin.model import Action, Context, Outcome, Turn
from behavior_plugin.redact import redact_model
from behavior_plugin.worker.client import Client, start_worker
from benchmarks import prompts
from benchmarks.filling import fill
from benchmarks.processes import BARE, PYTHON, Cost, Launcher, Spread, launcher
from benchmarks.scratch import machine, say, scratch, shown
from tests.acceptance.sessions import ROOT, worker_pid
from tests.factories import payload

HOOK = ROOT / "hooks" / "hook.py"
ROUNDS = 200
EPISODES = 10_000
# The characters of a large file.
BIG = 6_000_000
# Distance between the tasks of two rounds.
STEP = 37
BARE_NAME = "`python3 -I -S -c pass`"
CAPTURE_NAME, RECALL_NAME, FAILURE_NAME = "PostToolUse", "UserPromptSubmit, answered", "PostToolUseFailure, answered"
# A command that failed, with what it printed, and the one that helped.
FAILED, NOT_FOUND, WORKED = "pytest", "Exit code 127\nsh: 1: pytest: command not found", "uv run pytest"
AS_REGISTERED = ", as registered"

# Takes the number of a round; returns the file that is a command's input.
Payload = Callable[[int], Path]


@dataclass(frozen=True)
class Row:
    """One command to measure. `is_asking`: it runs beside the worker."""

    name: str
    command: Sequence[str]
    payload: Payload
    is_asking: bool = False


@dataclass(frozen=True)
class Result:
    """One line of the table. Ratios are to the median of bare Python, times in milliseconds."""

    name: str
    wall: Spread
    wall_ratio: float
    wall_p99_ratio: float
    cpu: Spread
    cpu_ratio: float
    peak_mb: float
    answered: int


def main() -> None:
    options = _options()
    with scratch() as folder:
        project = folder / "project"
        fill(options.episodes, project=_project(project))
        start_worker()
        worker_pid()
        _teach(_project(project))
        with _launchers(folder) as (alone, beside):
            results = _results(_measured(_rows(folder, project), alone, beside, options.rounds))
            say(_json(results, options) if options.json else _markdown(results, options, alone.own_peak_mb))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the cost of our hooks.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is run (default: %(default)s)")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="stored pieces of work (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _project(folder: Path) -> str:
    """The name of the project, as a request from that folder has it."""
    return redact_model(Context(**{"directory": str(folder), **context.describe(str(folder))})).project


def _teach(project: str) -> None:
    """Let the worker learn one lesson, as from a session."""
    now = datetime.now(UTC)
    calls = [
        Action(tool="Bash", outcome=Outcome.FAILED, timestamp=now, parameters={"command": FAILED}, error=NOT_FOUND),
        Action(tool="Bash", outcome=Outcome.SUCCESS, timestamp=now, parameters={"command": WORKED}),
    ]
    context = Context(directory=project, root=project, project=project)
    turn = Turn(source_key="lesson", session_id="lesson", prompt=prompts.task(0), started_at=now, context=context)
    client = Client()
    client.save_turns(api.SaveTurns(turns=(turn.model_copy(update={"actions": tuple(calls)}),)))
    client.list_patterns(api.ListPatterns(limit=1))  # computes the patterns


@contextmanager
def _launchers(folder: Path) -> Iterator[tuple[Launcher, Launcher]]:
    """A launcher for hooks with a home without a worker, and one for hooks beside the worker."""
    with launcher(folder, home=folder / "other") as alone, launcher(folder, home=folder / "home") as beside:
        yield alone, beside


def _rows(folder: Path, project: Path) -> list[Row]:
    nothing = Path(os.devnull)
    small = _written(folder / "small", payload("PostToolUse", cwd=str(project)))
    big = _written(folder / "big", payload("PostToolUse-Write", cwd=str(project), tool_response={"content": "x" * BIG}))
    start = _written(folder / "start", payload("SessionStart", cwd=str(project)))
    alike, unlike = _asking(folder, prompts.reworded), _asking(folder, prompts.unrelated)
    known, unknown = _failing(folder, FAILED), _failing(folder, "tox")
    registered = {event: hook.command for event, hook in simulator.registered_hooks(ROOT).items()}

    def ours(name: str, event: str, payload: Payload, *, is_asking: bool = False) -> list[Row]:
        alone = (str(PYTHON), "-I", "-S", str(HOOK), event)
        whole = ("sh", "-c", registered[event])
        return [Row(name, alone, payload, is_asking), Row(name + AS_REGISTERED, whole, payload, is_asking)]

    return [
        Row("`true`", ("true",), lambda _: nothing),
        Row(BARE_NAME, BARE, lambda _: nothing),
        Row("`python3 -I -S -c 'import json'`", (*BARE[:-1], "import json"), lambda _: nothing),
        *ours(CAPTURE_NAME, "PostToolUse", lambda _: small),
        *ours("PostToolUse, 6 MB", "PostToolUse", lambda _: big),
        *ours(RECALL_NAME, "UserPromptSubmit", alike, is_asking=True),
        *ours(RECALL_NAME.replace("answered", "unanswered"), "UserPromptSubmit", unlike, is_asking=True),
        *ours(FAILURE_NAME, "PostToolUseFailure", known, is_asking=True),
        *ours(FAILURE_NAME.replace("answered", "unanswered"), "PostToolUseFailure", unknown, is_asking=True),
        *ours(FAILURE_NAME.replace("answered", "no worker"), "PostToolUseFailure", known),
        *ours("SessionStart", "SessionStart", lambda _: start, is_asking=True),
    ]


def _asking(folder: Path, prompt: Callable[[int], str]) -> Payload:
    """A prompt with another subject each time, in a session of its own."""
    cwd = str(folder / "project")

    def written(number: int) -> Path:
        asked = payload("UserPromptSubmit", prompt=prompt(number * STEP), cwd=cwd, session_id=str(uuid.uuid4()))
        return _written(folder / "prompt", asked)

    return written


def _failing(folder: Path, command: str) -> Payload:
    """A failed call, each time in a session of its own."""

    def written(_: int) -> Path:
        changes = {"cwd": str(folder / "project"), "session_id": str(uuid.uuid4()), "error": NOT_FOUND}
        call = payload("PostToolUseFailure-Bash", **changes, tool_input={"command": command})
        return _written(folder / "failure", call)

    return written


def _written(file: Path, content: dict[str, Any]) -> Path:
    file.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    return file


def _measured(rows: list[Row], alone: Launcher, beside: Launcher, rounds: int) -> dict[str, list[Cost]]:
    costs: dict[str, list[Cost]] = {row.name: [] for row in rows}
    random = np.random.default_rng(5)
    for number in shown(range(rounds + 1), "measuring", total=rounds + 1):
        for place in random.permutation(len(rows)):
            row = rows[place]
            cost = (beside if row.is_asking else alone).run(row.command, row.payload(number))
            if number:  # the first round makes folders and brings files into memory
                costs[row.name].append(cost)
        _clear(alone.home)
    return costs


def _clear(home: Path) -> None:
    """Delete the saved events, which no worker reads: hundreds of 6 MB would fill the disk."""
    for record in (home / "spool" / "new").iterdir():
        record.unlink()


def _results(costs: dict[str, list[Cost]]) -> list[Result]:
    bare_wall = Spread.of([cost.wall_ms for cost in costs[BARE_NAME]]).p50
    bare_cpu = Spread.of([cost.cpu_ms for cost in costs[BARE_NAME]]).p50
    return [_result(name, some, bare_wall, bare_cpu) for name, some in costs.items()]


def _result(name: str, costs: Sequence[Cost], bare_wall: float, bare_cpu: float) -> Result:
    wall = Spread.of([cost.wall_ms for cost in costs])
    cpu = Spread.of([cost.cpu_ms for cost in costs])
    return Result(
        name=name,
        wall=wall,
        wall_ratio=wall.p50 / bare_wall,
        wall_p99_ratio=wall.p99 / bare_wall,
        cpu=cpu,
        cpu_ratio=cpu.p50 / bare_cpu,
        peak_mb=max(cost.peak_mb for cost in costs),
        answered=sum(cost.is_answered for cost in costs),
    )


def _json(results: Sequence[Result], options: argparse.Namespace) -> str:
    header = {"machine": machine(), "rounds": options.rounds, "episodes": options.episodes}
    return json.dumps(header | {"rows": [asdict(result) for result in results]}, indent=2)


def _markdown(results: Sequence[Result], options: argparse.Namespace, own_peak_mb: float) -> str:
    """The results in Markdown."""
    caption = f"{options.rounds} rounds, {options.episodes:,} pieces of work, {machine()}:"
    header = (
        "| hook | wall min ms | p50 | p99 | p50 / bare | p99 / bare's p50 "
        "| CPU min ms | p50 | p99 | p50 / bare | peak MB | answered |"
    )
    rows = [_line(result, own_peak_mb) for result in results]
    return "\n".join([caption, "", header, "| --- " * 12 + "|", *rows, "", *_reached(results)])


def _line(result: Result, own_peak_mb: float) -> str:
    # A child inherits the memory of the process that started it, which is as much as a bare Python's.
    peak = f"{result.peak_mb:.0f}" if result.peak_mb > own_peak_mb + 1 else f"{own_peak_mb:.0f} or less"
    return (
        f"| {result.name} | {result.wall} | {result.wall_ratio:.2f} | {result.wall_p99_ratio:.2f} "
        f"| {result.cpu} | {result.cpu_ratio:.2f} | {peak} | {result.answered or ''} |"
    )


def _reached(results: Sequence[Result]) -> Iterator[str]:
    named = {result.name: result for result in results}
    capture, recall = named[CAPTURE_NAME], named[RECALL_NAME]
    for measure, ratio, limit in (
        ("capture, CPU p50", capture.cpu_ratio, 1.5),
        ("recall, wall p50", recall.wall_ratio, 3),
        ("recall, wall p99", recall.wall_p99_ratio, 6),
    ):
        met = "met" if ratio <= limit else "not met"
        yield f"* {measure}: {ratio:.2f} times bare Python (limit {limit}): {met}"


if __name__ == "__main__":
    main()
