"""Measure whether a backlog slows hooks down, how fast the worker learns it, and the memory that takes.

`python -m benchmarks.backlog` fills a spool without a worker up to each level, with 20 events per session, and runs
hooks beside bare Python. Then it starts a worker and watches it until all events are learned. At the last level that
needs `--drain`: without it, the worker is watched until all events are filed, or for FILING_S. `--sessions 20000`
instead measures the worker's memory before and after learning so many small sessions, which come in waves.

The worker of a level that is not drained is killed: it needs no clean end, because its home is deleted.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from behavior_plugin.capture import context, spool
from behavior_plugin.worker.client import start_worker
from benchmarks import prompts
from benchmarks.processes import BARE, PYTHON, Cost, Spread, launcher
from benchmarks.scratch import machine, say, scratch, shown
from tests.acceptance.sessions import ROOT, worker_pid
from tests.factories import payload
from tests.waiting import wait_for

LEVELS = "0,1000,100000"
ROUNDS = 60
PER_SESSION = 20
# How long the worker is watched at a level that is not drained.
FILING_S = 60.0
POLL_S = 0.05
# Events of a small session, sessions in a wave, and waves between two reports of memory.
EVENTS_PER_SMALL_SESSION = 5
WAVE, WAVES_PER_LINE = 500, 4
WAVE_S = 120.0
BARE_NAME = "`python3 -I -S -c pass`"
HOOKS = ("PostToolUse", "Stop")

# An event, and the fields of its payload that differ from the recording.
EventChanges = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Timing:
    """The cost of a hook at a level; ratios are medians relative to bare Python at the same level."""

    pending: int
    hook: str
    wall: Spread
    cpu: Spread
    ratio: float
    cpu_ratio: float


@dataclass(frozen=True)
class Memory:
    """Memory of the worker and of all the server's processes together, in MB."""

    worker_rss: float
    worker_pss: float
    server_pss: float


@dataclass(frozen=True)
class Work:
    """The speed of a worker, its start included, and its memory: peak RSS, and all figures at the end.

    `left` counts the sessions that are not stored yet.
    """

    pending: int
    filed_s: float
    seconds: float
    left: int
    peak_mb: float
    memory: Memory


def main() -> None:
    options = _options()
    if options.sessions:
        for line in _waves(options.sessions):
            say(line)
        return None
    timings: list[Timing] = []
    works: list[Work] = []
    levels = [int(level) for level in options.levels.split(",")]
    for pending in levels:
        with scratch() as folder:
            put(pending, folder / "project")
            timings += _timed(folder, pending, options.rounds)
            works.append(_watch_worker(pending, is_drained=options.drain or pending < max(levels)))
    if options.json:
        results = {"hooks": [asdict(timing) for timing in timings], "work": [asdict(work) for work in works]}
        return say(json.dumps({"machine": machine(), **results}, indent=2))
    return say(_markdown(timings, works, options.rounds))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure hooks and worker with events pending.")
    parser.add_argument("--levels", default=LEVELS, help="how many events are pending (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each hook is run (default: %(default)s)")
    parser.add_argument("--drain", action="store_true", help="learn the last level too; takes many minutes")
    parser.add_argument("--sessions", type=int, default=0, help="only learn so many small sessions")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def put(count: int, directory: Path) -> None:
    """Save so many events as hooks would, in whole sessions."""
    spool.make()
    sessions = -(-count // PER_SESSION)
    for number in shown(range(sessions), "noting", total=sessions):
        put_session(number, directory, min(PER_SESSION, count - number * PER_SESSION))


def put_session(number: int, directory: Path, events: int) -> None:
    """Save a session with one task and as many calls as fit."""
    name = str(uuid.uuid4())
    common = {"session_id": name, "cwd": str(directory), "prompt_id": str(uuid.uuid4())}
    common["transcript_path"] = str(directory / f"{name}.jsonl")
    first: list[EventChanges] = [("SessionStart", {}), ("UserPromptSubmit", {"prompt": prompts.task(number)})]
    last: list[EventChanges] = [("Stop", {}), ("SessionEnd", {})]
    calls: list[EventChanges] = [
        ("PostToolUse", {"tool_use_id": uuid.uuid4().hex, "tool_input": {"command": f"make step-{step}"}})
        for step in range(events - len(first) - len(last))
    ]
    notes = context.describe(str(directory))
    for event, changes in [*first, *calls, *last]:
        has_place = event in ("SessionStart", "UserPromptSubmit")
        line = json.dumps(payload(event, **common, **changes), separators=(",", ":")).encode() + b"\n"
        spool.put(event, line, False, notes if has_place else None)


def _timed(folder: Path, pending: int, rounds: int) -> list[Timing]:
    """Run bare Python and the hooks that need no answer, by turns."""
    hook = (str(PYTHON), "-I", "-S", str(ROOT / "hooks" / "hook.py"))
    commands: dict[str, Sequence[str]] = {BARE_NAME: BARE, **{event: (*hook, event) for event in HOOKS}}
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    file = folder / "payload"
    file.write_text(json.dumps(payload("PostToolUse", cwd=str(folder / "project"))))
    before = set(Path(spool.folder("new")).iterdir())
    with launcher(folder, home=folder / "home") as runs:
        for number in shown(range(rounds + 1), "trying hooks", total=rounds + 1):
            for name, command in commands.items():
                cost = runs.run(command, file)
                costs[name] += [cost] if number else []
    for record in set(Path(spool.folder("new")).iterdir()) - before:
        record.unlink()
    return _timings(pending, costs)


def _timings(pending: int, costs: dict[str, list[Cost]]) -> list[Timing]:
    walls = {name: Spread.of([cost.wall_ms for cost in some]) for name, some in costs.items()}
    cpus = {name: Spread.of([cost.cpu_ms for cost in some]) for name, some in costs.items()}
    bare, bare_cpu = walls[BARE_NAME].p50, cpus[BARE_NAME].p50
    return [
        Timing(pending, name, walls[name], cpus[name], walls[name].p50 / bare, cpus[name].p50 / bare_cpu)
        for name in costs
    ]


def _watch_worker(pending: int, *, is_drained: bool) -> Work:
    """Start a worker and watch it until it has learned all events, or filed them."""
    began = time.monotonic()
    start_worker()
    worker = psutil.Process(worker_pid())
    peak, filed_s = 0.0, None
    while _is_waiting("new") or (is_drained and _is_waiting("open")):
        peak = max(peak, worker.memory_info().rss / 1e6)
        taken = time.monotonic() - began
        filed_s = filed_s or (None if _is_waiting("new") else taken)
        if not is_drained and taken > FILING_S:
            break
        time.sleep(POLL_S)
    seconds = time.monotonic() - began
    memory = _memory(worker)
    left = sum(1 for _ in os.scandir(spool.folder("open")))
    if not is_drained:
        worker.kill()
    return Work(pending, filed_s or seconds, seconds, left, max(peak, memory.worker_rss), memory)


def _is_waiting(folder: str) -> bool:
    return any(True for _ in os.scandir(spool.folder(folder)))


def _memory(worker: psutil.Process) -> Memory:
    own = worker.memory_full_info()
    server = sum(_pss(process) for process in worker.children(recursive=True))
    return Memory(own.rss / 1e6, own.pss / 1e6, server / 1e6)


def _pss(process: psutil.Process) -> int:
    """The memory of a process; 0 if it ended since it was listed, as connections do."""
    with suppress(psutil.NoSuchProcess):
        return int(process.memory_full_info().pss)
    return 0


def _waves(sessions: int) -> Iterator[str]:
    """Measure the worker's memory while it learns many small sessions; yields the lines of a table."""
    with scratch() as folder:
        start_worker()
        worker = psutil.Process(worker_pid())
        yield f"{sessions:,} sessions of {EVENTS_PER_SMALL_SESSION} events, {machine()}:\n"
        yield "| learned | worker RSS MB | worker PSS MB | server PSS MB | seconds |\n| --- | --- | --- | --- | --- |"
        began = time.monotonic()
        yield _wave_line(0, worker, began)
        for wave in range(-(-sessions // WAVE)):
            for number in range(WAVE):
                put_session(wave * WAVE + number, folder / "project", EVENTS_PER_SMALL_SESSION)
            wait_for(lambda: not _is_waiting("new") and not _is_waiting("open"), "a wave's end", within_s=WAVE_S)
            if wave % WAVES_PER_LINE == WAVES_PER_LINE - 1:
                yield _wave_line((wave + 1) * WAVE, worker, began)


def _wave_line(learned: int, worker: psutil.Process, began: float) -> str:
    seconds = time.monotonic() - began
    memory = _memory(worker)
    columns = f"{memory.worker_rss:.0f} | {memory.worker_pss:.0f} | {memory.server_pss:.0f}"
    return f"| {learned:,} | {columns} | {seconds:.0f} |"


def _markdown(timings: Sequence[Timing], works: Sequence[Work], rounds: int) -> str:
    """The results in Markdown."""
    hooks = [
        f"| {each.pending:,} | {each.hook} | {each.wall} | {each.ratio:.2f} | {each.cpu} | {each.cpu_ratio:.2f} |"
        for each in timings
    ]
    lines = [
        f"{rounds} rounds, {machine()}:",
        "",
        "| pending | hook | wall min ms | p50 | p99 | p50 / bare | CPU min ms | p50 | p99 | p50 / bare |",
        "| --- " * 10 + "|",
        *hooks,
        "",
        "| pending | filed after s | watched s | events / s | sessions left | worker peak RSS MB "
        "| RSS MB at the end | PSS MB | server PSS MB |",
        "| --- " * 9 + "|",
        *map(_work_line, works),
    ]
    return "\n".join(lines)


def _work_line(work: Work) -> str:
    speed = f"{work.pending / work.seconds:.0f}" if work.pending and not work.left else ""
    memory = work.memory
    return (
        f"| {work.pending:,} | {work.filed_s:.1f} | {work.seconds:.1f} | {speed} | {work.left} | {work.peak_mb:.0f} "
        f"| {memory.worker_rss:.0f} | {memory.worker_pss:.0f} | {memory.server_pss:.0f} |"
    )


if __name__ == "__main__":
    main()
