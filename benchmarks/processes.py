"""Run commands, measure the cost of each run, and summarize many runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# The interpreter itself, since a version manager's python3 is a script that takes longer than any hook.
PYTHON = Path(sys.executable).resolve()
BARE = (str(PYTHON), "-I", "-S", "-c", "pass")
ROOT = Path(__file__).resolve().parents[1]
LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True)
class Cost:
    """The cost of one run; CPU is user and system time of all its processes."""

    wall_ms: float
    cpu_ms: float
    peak_mb: float
    is_answered: bool = False


@dataclass(frozen=True)
class Spread:
    """The minimum, the median and the 99th percentile."""

    min: float
    p50: float
    p99: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(*(float(each) for each in np.percentile(values, [0, 50, 99])))

    def __str__(self) -> str:
        return f"{self.min:.1f} | {self.p50:.1f} | {self.p99:.1f}"


class Launcher:
    """Runs commands from a small process, all in the same folder and environment."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path, answer: Path) -> None:
        self.home = home
        self._process = process
        self._answer = answer
        self.own_peak_mb = max(self.run(("true",)).peak_mb for _ in range(3))

    def run(self, command: Sequence[str], payload: Path | None = None) -> Cost:
        """Run a command with a file as its input. It must exit with 0; its stderr is shown."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\0".join([str(payload or ""), *command]).encode() + b"\n")
        self._process.stdin.flush()
        wall_ms, cpu_ms, peak_kb, status = map(float, self._process.stdout.readline().split())
        if status:
            raise RuntimeError(f"{command} exited with {status:.0f}")
        return Cost(wall_ms, cpu_ms, peak_kb / 1024, self._answer.stat().st_size > 0)


@contextmanager
def launcher(folder: Path, *, home: Path) -> Iterator[Launcher]:
    """A launcher that starts hooks as Claude Code does in `folder`/project; this process acts as Claude Code."""
    environment = with_python(os.environ) | {
        "BEHAVIOR_HOME": str(home),
        "CLAUDE_PID": str(os.getpid()),
        "CLAUDE_PLUGIN_DATA": str(home),
        "CLAUDE_PLUGIN_ROOT": str(ROOT),
    }
    answer = folder / f"answer-{home.name}"
    command = [str(PYTHON), "-I", "-S", str(LAUNCHER), str(answer)]
    with subprocess.Popen(
        command, cwd=folder / "project", env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        try:
            yield Launcher(process, home, answer)
        finally:
            process.stdin.close()


def with_python(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which `python3` is the measured interpreter."""
    return {**environment, "PATH": f"{PYTHON.parent}:{environment['PATH']}"}
