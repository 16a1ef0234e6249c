"""Measure the models on this machine: the time of a prompt, and the memory that they take.

`python -m benchmarks.embedders` prints a row for each kind of text. Each model has a process of its own, which opens it
as the worker does; the multilingual one also has the process of its engine, which is counted with it.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any

import click
import psutil

from behavior_plugin.embed import Kind, open_embedder

SHORT = "fix the failing login test"
LONG = "please look at the page where users log in, the test fails there since yesterday, and repair it. "
TEXTS = {
    "a short prompt": SHORT,
    "300 characters": (LONG * 4)[:300],
    "2,000 characters": (LONG * 30)[:2_000],
    "300 characters, Chinese": "修复登录页面失败的测试，然后重新部署到预发布环境并通知团队。" * 11,
    "300 characters, Korean": "로그인 페이지의 실패하는 테스트를 고쳐줘. " * 13,
    "a megabyte": "fix it " * 150_000,
}
MEGABYTE = 1e6


@click.command()
@click.option("--rounds", default=100, show_default=True, help="Texts of each kind.")
@click.option("--one", "kind", hidden=True)
def main(rounds: int, kind: Kind | None) -> None:
    """Print the figures of both models."""
    if kind:
        return click.echo(json.dumps(measured(kind, rounds)))
    found = {kind: _in_own_process(kind, rounds) for kind in ("offline", "multilingual")}
    click.echo("| | MiniLM | multilingual-e5-small |\n| --- | --- | --- |")
    for name in found["offline"]:
        click.echo(f"| {name} | {found['offline'][name]} | {found['multilingual'][name]} |")
    return None


def measured(kind: Kind, rounds: int) -> dict[str, str]:
    """The figures of one model in this process."""
    before, began = _memory(), time.perf_counter()
    embedder = open_embedder(kind)
    assert embedder
    found = {"open, ms": f"{(time.perf_counter() - began) * 1000:.0f}"}
    for name, text in TEXTS.items():
        # Other texts each time, so that nothing can be remembered.
        times = sorted(_timed(embedder, f"{number} {text}") for number in range(rounds))
        figures = (times[0], statistics.median(times), times[int(0.99 * len(times))])
        found[f"{name}: min / p50 / p99 ms"] = " / ".join(f"{each:.1f}" for each in figures)
    found["memory, MB (PSS)"] = f"{(_memory() - before) / MEGABYTE:.0f}"
    embedder.close()
    return found


def _timed(embedder: Any, text: str) -> float:
    began = time.perf_counter()
    embedder.embed([text])
    return (time.perf_counter() - began) * 1000


def _memory() -> int:
    """That of this process and its children."""
    own = psutil.Process()
    return sum(each.memory_full_info().pss for each in (own, *own.children(recursive=True)))


def _in_own_process(kind: str, rounds: int) -> dict[str, str]:
    command = [sys.executable, "-m", "benchmarks.embedders", "--one", kind, "--rounds", str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
