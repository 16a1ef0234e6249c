"""Count how often the first prompt of a session is answered in time, when the worker has to start for it.

`python -m benchmarks.first_prompt` ends the worker before each round, and runs two hooks as `claude -p` does: the start
of the session, and at once the prompt. The project has 10,000 pieces of work. `--busy 12` runs twelve endless loops at
the same time. The baseline is a warm worker, which gets the same prompts one after the other. A prompt that is answered
in time gets no note if the odds are too low, as they are for a few rewordings among so many similar tasks.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from behavior_plugin import simulator
from behavior_plugin.capture import context, unanswered
from behavior_plugin.errors import WorkerUnavailableError
from behavior_plugin.model import Context
from behavior_plugin.redact import redact_model
from behavior_plugin.worker.client import start_worker
from benchmarks import prompts
from benchmarks.filling import fill
from benchmarks.processes import ROOT
from benchmarks.scratch import machine, say, scratch, shown
from tests.acceptance.sessions import running_worker, worker_pid
from tests.factories import payload

EPISODES, ROUNDS = 10_000, 20
# Distance between the tasks of two rounds.
STEP = 37


@dataclass(frozen=True)
class Result:
    """The numbers of prompts, of those answered in time, of those with a note; the median time of a prompt's hook."""

    worker: str
    prompts: int
    in_time: int
    noted: int
    median_ms: float


def main() -> None:
    options = _options()
    with scratch() as folder, ExitStack() as stack:
        project = folder / "project"
        fill(options.episodes, project=redact_model(Context(**_place(project))).project)
        for _ in range(options.busy):
            stack.enter_context(_busy_loop())
        results = [_measured("cold", project, options.rounds), _measured("warm", project, options.rounds)]
        say(_json(results, options) if options.json else _markdown(results, options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count how often the first prompt of a session is answered.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="sessions of each kind (default: %(default)s)")
    parser.add_argument("--episodes", type=int, default=EPISODES, help="stored pieces of work (default: %(default)s)")
    parser.add_argument("--busy", type=int, default=0, help="endless loops at the same time (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _place(project: Path) -> dict[str, Any]:
    return {"directory": str(project), **context.describe(str(project))}


@contextmanager
def _busy_loop() -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _measured(worker: str, project: Path, rounds: int) -> Result:
    """Prompts for tasks that the project knows, each in a session of its own."""
    hooks = simulator.registered_hooks(ROOT)
    took, noted, late_before = [], 0, _late()
    for number in shown(range(rounds), worker, total=rounds):
        if worker == "cold":
            _end_worker()
        elif not number:
            start_worker()
            worker_pid()
        session = {"cwd": str(project), "session_id": str(uuid.uuid4())}
        simulator.run(hooks["SessionStart"], payload("SessionStart", **session), environment=os.environ)
        began = time.perf_counter()
        asked = payload("UserPromptSubmit", prompt=prompts.reworded(number * STEP), **session)
        run = simulator.run(hooks["UserPromptSubmit"], asked, environment=os.environ)
        took.append((time.perf_counter() - began) * 1000)
        noted += bool(run.additional_context)
    return Result(worker, rounds, rounds - (_late() - late_before), noted, median(took))


def _late() -> int:
    """The number of prompts so far that were not answered in time."""
    return found[0] if (found := unanswered.read()) else 0


def _end_worker() -> None:
    """End a running worker, and wait until it and its server are gone."""
    with contextlib.suppress(WorkerUnavailableError, psutil.NoSuchProcess):  # none is running, or it is gone already
        psutil.Process(running_worker().stop().pid).wait()


def _json(results: list[Result], options: argparse.Namespace) -> str:
    header = {"machine": machine(), "episodes": options.episodes, "busy": options.busy}
    return json.dumps(header | {"rows": [asdict(result) for result in results]}, indent=2)


def _markdown(results: list[Result], options: argparse.Namespace) -> str:
    beside = f", beside {options.busy} busy loops" if options.busy else ""
    caption = f"{options.episodes:,} pieces of work{beside}, {machine()}:"
    rows = [
        f"| {each.worker} | {each.in_time} of {each.prompts} | {each.noted} | {each.median_ms:.0f} |"
        for each in results
    ]
    return "\n".join([caption, "", "| worker | in time | with a note | median ms |", "| --- " * 4 + "|", *rows])


if __name__ == "__main__":
    main()
