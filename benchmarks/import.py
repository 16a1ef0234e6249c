"""How fast past sessions are read and learned from, and what that holds in memory.

`python -m benchmarks.import` takes the logs below `--logs`, or makes some of recorded ones, and tells: what it takes to
read, order and assemble them on one core, beside a bare `json.loads` of every line; what redaction takes after that;
the whole of `behavior import` with a worker that is up, and once more, when all is known. `--memory MB` shows instead
what an import of one log of that size holds, made by repetition with fresh ids.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from behavior_plugin.agents import AGENTS
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.importer.logs import Log, find_logs
from behavior_plugin.learn import session_patterns
from behavior_plugin.patterns.episodes import assemble
from behavior_plugin.patterns.reconcile import reconcile
from behavior_plugin.worker.client import start_worker
from benchmarks.scratch import machine, say, scratch
from tests.factories import TRANSCRIPTS

ROUNDS = 5
MADE_MB = 30
POLL_S = 0.02
IDS = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?:toolu|msg|req)_\w+")


def main() -> None:
    options = _options()
    with scratch() as folder:
        if options.memory:
            return say(_memory(folder / "logs", options.memory, options.logs))
        logs = options.logs or _made(folder / "logs", MADE_MB)
        found = find_logs([logs], tuple(AGENTS.values()), None).logs
        return say("\n".join([*_reading(found, options.rounds), "", *_whole(logs, found)]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the import of past sessions.")
    parser.add_argument("--logs", type=Path, help="logs to read; by default recorded ones, repeated with fresh ids")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often they are read (default: %(default)s)")
    parser.add_argument("--memory", type=int, metavar="MB", help="only: import one log of this size (of --logs FILE)")
    return parser.parse_args()


def _reading(logs: list[Log], rounds: int) -> Iterator[str]:
    """The fastest of some rounds, by turns, so that noise meets both."""
    size = sum(log.size for log in logs) / 1e6
    turns = [(_seconds(_load, logs), _seconds(_assemble, logs), _seconds(_redact, logs)) for _ in range(rounds)]
    bare, ours, redacted = (min(turn[which] for turn in turns) for which in range(3))
    yield f"{len(logs)} sessions, {size:.1f} MB; the fastest of {rounds} rounds, {machine()}:"
    yield ""
    yield "| on one core | s | MB/s | sessions/min | x bare |"
    yield "| --- | --- | --- | --- | --- |"
    rows = {"`json.loads` of every line": bare, "read, ordered and assembled": ours, "and redacted": redacted}
    for name, took in rows.items():
        yield f"| {name} | {took:.2f} | {size / took:.0f} | {60 * len(logs) / took:,.0f} | {took / bare:.2f} |"


def _whole(logs: Path, found: list[Log]) -> Iterator[str]:
    """The command itself, as a person would run it."""
    start_worker()
    size = sum(log.size for log in found) / 1e6
    yield "| `behavior import` | s | MB/s | sessions/min | new | known |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name in ("the first time", "again"):
        began = time.perf_counter()
        report, _ = _imported(logs)
        took = time.perf_counter() - began
        rates = f"{took:.2f} | {size / took:.0f} | {60 * len(found) / took:,.0f}"
        yield f"| {name} | {rates} | {report['new']} | {report['known']} |"


def _memory(folder: Path, size: int, log: Path | None) -> str:
    made = _made(folder, size, log or TRANSCRIPTS / "print-fix-and-follow-up.jsonl")
    # What the worker does of it is none of this figure.
    os.environ["BEHAVIOR_EMBEDDER"] = "none"
    start_worker()
    report, peak = _imported(made)
    held = f"{report['prompts']:,} prompts, {report['calls']:,} calls and {report['patterns']:,} patterns"
    size_mb = report["bytes"] / 1e6
    return f"One log of {size_mb:.0f} MB with {held}: at most {peak:.0f} MB, in {report['seconds']:.1f} s."


def _imported(logs: Path) -> tuple[dict[str, Any], float]:
    """What the command says, and the most that its processes held together (PSS), in MB."""
    command = [sys.executable, "-m", "behavior_plugin", "import", "--json", str(logs)]
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            peak = max(peak, _held(process.pid))
            time.sleep(POLL_S)
        assert process.stdout
        return json.loads(process.stdout.read()), peak


def _held(pid: int) -> float:
    with suppress(psutil.Error):
        command = psutil.Process(pid)
        processes = [command, *command.children(recursive=True)]
        return float(sum(each.memory_full_info().pss for each in processes)) / 2**20
    return 0.0


def _load(log: Log) -> None:
    with log.file.open("rb") as lines:
        for line in lines:
            with suppress(ValueError):
                json.loads(line)


def _assemble(log: Log) -> None:
    for part in AGENTS[log.agent].logs.read(log.file, LogReader()):
        assemble(reconcile([], part))


def _redact(log: Log) -> None:
    for part in AGENTS[log.agent].logs.read(log.file, LogReader()):
        session_patterns(reconcile([], part))


def _seconds(do: Callable[[Log], None], logs: list[Log]) -> float:
    began = time.perf_counter()
    for log in logs:
        do(log)
    return time.perf_counter() - began


def _made(folder: Path, size: int, log: Path | None = None) -> Path:
    """A folder with logs of so many MB together: one made of `log`, or as many as the recorded ones give."""
    folder.mkdir()
    sources = [log] if log else sorted(TRANSCRIPTS.glob("print-*.jsonl"))
    for source in sources:
        _repeat(source, folder / f"{uuid.uuid4()}.jsonl", size * 1_000_000 // len(sources))
    return folder


def _repeat(source: Path, target: Path, size: int) -> None:
    raw, own = source.read_bytes(), source.stem.encode()
    with target.open("wb") as made:
        while made.tell() < size:
            made.write(_with_fresh_ids(raw, own))


def _with_fresh_ids(raw: bytes, kept: bytes) -> bytes:
    """Each id another one, the same at all its places."""
    fresh: dict[bytes, bytes] = {kept: kept}

    def replaced(match: re.Match[bytes]) -> bytes:
        old = match[0]
        kind = b"" if old[8:9] == b"-" else old.partition(b"_")[0] + b"_"
        return fresh.setdefault(old, kind + (uuid.uuid4().hex if kind else str(uuid.uuid4())).encode())

    return IDS.sub(replaced, raw)


if __name__ == "__main__":
    main()
