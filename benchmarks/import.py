"""Measure the speed and the memory of importing past sessions.

`python -m benchmarks.import` reads the logs below `--logs`, or logs repeated from recorded ones, and prints the time to
read, order and assemble them on one core beside a bare `json.loads` of every line, then the time with redaction, and
the time of the whole `behavior import` with a running worker: first into an empty store, then again. `--memory MB`
prints instead the peak memory of importing one log of that size.
"""

from __future__ import annotations

import argparse
import json
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
from behavior_plugin.learn import session_turns
from behavior_plugin.patterns.evidence import episodes_of
from behavior_plugin.patterns.reconcile import reconcile
from behavior_plugin.patterns.turns import turns_of
from behavior_plugin.worker.client import start_worker
from benchmarks.scratch import machine, say, scratch
from tests.factories import TRANSCRIPTS
from tests.settings import configure

ROUNDS = 5
MADE_MB = 30
POLL_S = 0.02
IDS = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?:toolu|msg|req)_\w+")


def main() -> None:
    options = _options()
    with scratch() as folder:
        if options.memory:
            return say(_memory(folder / "logs", options.memory, options.logs))
        logs = options.logs or _make_logs(folder / "logs", MADE_MB)
        found = find_logs([logs], tuple(AGENTS.values()), None).logs
        return say("\n".join([*_reading(found, options.rounds), "", *_importing(logs, found)]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the import of past sessions.")
    parser.add_argument("--logs", type=Path, help="logs to read; by default recorded ones, repeated with new ids")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of reading (default: %(default)s)")
    parser.add_argument(
        "--memory", type=int, metavar="MB", help="only import one log of this size, made of --logs FILE"
    )
    return parser.parse_args()


def _reading(logs: list[Log], rounds: int) -> Iterator[str]:
    """The fastest of several rounds; the rows alternate, so that noise affects them equally."""
    size = sum(log.size for log in logs) / 1e6
    turns = [(_seconds(_load, logs), _seconds(_assemble, logs), _seconds(_redact, logs)) for _ in range(rounds)]
    bare, ours, redacted = (min(turn[column] for turn in turns) for column in range(3))
    yield f"{len(logs)} sessions, {size:.1f} MB; the fastest of {rounds} rounds, {machine()}:"
    yield ""
    yield "| on one core | s | MB/s | sessions/min | x bare |"
    yield "| --- | --- | --- | --- | --- |"
    rows = {"`json.loads` of every line": bare, "read, ordered and assembled": ours, "and redacted": redacted}
    for name, seconds in rows.items():
        rates = f"{seconds:.2f} | {size / seconds:.0f} | {60 * len(logs) / seconds:,.0f}"
        yield f"| {name} | {rates} | {seconds / bare:.2f} |"


def _importing(logs: Path, found: list[Log]) -> Iterator[str]:
    """The whole command, as a person runs it."""
    start_worker()
    size = sum(log.size for log in found) / 1e6
    yield "| `behavior import` | s | MB/s | sessions/min | new | known |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for name in ("the first time", "again"):
        started_at = time.perf_counter()
        report, _ = _import(logs)
        seconds = time.perf_counter() - started_at
        rates = f"{seconds:.2f} | {size / seconds:.0f} | {60 * len(found) / seconds:,.0f}"
        yield f"| {name} | {rates} | {report['new']} | {report['known']} |"


def _memory(folder: Path, size: int, log: Path | None) -> str:
    logs = _make_logs(folder, size, log or TRANSCRIPTS / "print-fix-and-follow-up.jsonl")
    # The worker's part is not measured here, so it need not embed.
    configure(embedder="none")
    start_worker()
    report, peak = _import(logs)
    contents = f"{report['prompts']:,} prompts, {report['calls']:,} calls and {report['patterns']:,} patterns"
    size_mb = report["bytes"] / 1e6
    return f"One log of {size_mb:.0f} MB with {contents}: at most {peak:.0f} MB, in {report['seconds']:.1f} s."


def _import(logs: Path) -> tuple[dict[str, Any], float]:
    """The command's report, and the peak memory of all its processes together (PSS), in MB."""
    command = [sys.executable, "-m", "behavior_plugin", "import", "--json", str(logs)]
    peak = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        while process.poll() is None:
            peak = max(peak, _pss_mb(process.pid))
            time.sleep(POLL_S)
        assert process.stdout
        return json.loads(process.stdout.read()), peak


def _pss_mb(pid: int) -> float:
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
        episodes_of(turns_of(reconcile([], part)))


def _redact(log: Log) -> None:
    for part in AGENTS[log.agent].logs.read(log.file, LogReader()):
        episodes_of(session_turns(reconcile([], part)))


def _seconds(do: Callable[[Log], None], logs: list[Log]) -> float:
    started_at = time.perf_counter()
    for log in logs:
        do(log)
    return time.perf_counter() - started_at


def _make_logs(folder: Path, size: int, log: Path | None = None) -> Path:
    """Make a folder with `size` MB of logs: one repeated from `log`, or one from each of the recorded sessions."""
    folder.mkdir()
    sources = [log] if log else sorted(TRANSCRIPTS.glob("print-*.jsonl"))
    for source in sources:
        _repeat(source, folder / f"{uuid.uuid4()}.jsonl", size * 1_000_000 // len(sources))
    return folder


def _repeat(source: Path, target: Path, size: int) -> None:
    raw, session_id = source.read_bytes(), source.stem.encode()
    with target.open("wb") as copies:
        while copies.tell() < size:
            copies.write(_with_new_ids(raw, session_id))


def _with_new_ids(raw: bytes, session_id: bytes) -> bytes:
    """Replace each id consistently, except the session's."""
    new_ids: dict[bytes, bytes] = {session_id: session_id}

    def replaced(match: re.Match[bytes]) -> bytes:
        old = match[0]
        kind = b"" if old[8:9] == b"-" else old.partition(b"_")[0] + b"_"
        return new_ids.setdefault(old, kind + (uuid.uuid4().hex if kind else str(uuid.uuid4())).encode())

    return IDS.sub(replaced, raw)


if __name__ == "__main__":
    main()
