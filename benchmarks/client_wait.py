"""Measure how long the user of the real client waits for hooks at each call.

`python -m benchmarks.client_wait` lets the client make 30 Bash calls of `true` in one headless session against a
scripted model, and measures the time from one request to the next. The model answers at once, so this is the time of
the call, of the client and of the hooks. The compared plugins register the same events, with `true` or with our
commands, and either with our asynchronous hooks or with none. They take turns, in another order each time, beside a
running worker; `python3` is the interpreter itself.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from behavior_plugin.worker.client import start_worker
from benchmarks.processes import ROOT, with_python
from benchmarks.scratch import machine, say, scratch, shown
from tests.acceptance.client import find_client, run_client
from tests.acceptance.scripted_model import Play, ScriptedModel, Turn, call
from tests.acceptance.scripted_model import say as reply
from tests.acceptance.sessions import worker_pid

CALLS = 30
ROUNDS = 10
PROMPT = "Run the command thirty times, please, one after the other."
NOTHING, PLAIN, PLAIN_SYNC, OURS, OURS_SYNC = "none", "`true`", "`true`, none async", "ours", "ours, none async"
WITHIN_MS = 5.0


@dataclass(frozen=True)
class Result:
    """The milliseconds from one request to the next. `runs` has each run's median, `median` is theirs."""

    hooks: str
    fastest: float
    median: float
    runs: tuple[float, ...]


class TimedModel(ScriptedModel):
    """A model that records the time of each request."""

    def __init__(self, plays: Sequence[Play]) -> None:
        super().__init__(plays)
        self.requested_at: list[float] = []

    def answer(self, body: dict[str, Any]) -> Turn:
        self.requested_at.append(time.perf_counter())
        return super().answer(body)

    def waits_ms(self) -> list[float]:
        """Leaves out the first wait, which includes the start of the shell."""
        return [(after - before) * 1000 for before, after in pairwise(self.requested_at[1:])]


def main() -> None:
    options = _options()
    client = find_client()
    if isinstance(client, str):
        raise SystemExit(client)
    with scratch() as folder:
        start_worker()
        worker_pid()
        plugins = _plugins(folder)
        results = _results(_measured(client, folder, plugins, options.rounds))
        if options.json:
            return say(json.dumps({"machine": machine(), "hooks": [asdict(result) for result in results]}, indent=2))
        return say(_markdown(results, options.rounds))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure the wait for hooks in the real client.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="sessions with each plugin (default: %(default)s)")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _plugins(folder: Path) -> dict[str, Path | None]:
    return {
        NOTHING: None,
        PLAIN: _plugin(folder / "plain", "true", is_async=True),
        PLAIN_SYNC: _plugin(folder / "plain-sync", "true", is_async=False),
        OURS: ROOT,
        OURS_SYNC: _plugin(folder / "ours-sync", None, is_async=False),
    }


def _plugin(folder: Path, command: str | None, *, is_async: bool) -> Path:
    """A plugin with our events, with another command or with synchronous hooks only."""
    registered = json.loads((ROOT / "hooks" / "hooks.json").read_text(encoding="utf-8"))
    for groups in registered["hooks"].values():
        for entry in [entry for group in groups for entry in group["hooks"]]:
            entry["command"] = command or f"CLAUDE_PLUGIN_ROOT={shlex.quote(str(ROOT))}; {entry['command']}"
            entry["async"] = is_async and entry.get("async", False)
    for name, content in (
        (".claude-plugin/plugin.json", {"name": folder.name, "version": "1.0.0"}),
        ("hooks/hooks.json", registered),
    ):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


def _measured(client: Path, folder: Path, plugins: dict[str, Path | None], rounds: int) -> dict[str, list[list[float]]]:
    waits: dict[str, list[list[float]]] = {name: [] for name in plugins}
    random = np.random.default_rng(3)
    for number in shown(range(rounds + 1), "sessions", total=rounds + 1):
        for name in random.permutation(list(plugins)).tolist():
            found = _session(client, folder, plugins[name])
            if number:  # the first round brings the client into memory
                waits[name].append(found)
    return waits


def _session(client: Path, folder: Path, plugin: Path | None) -> list[float]:
    turns = [[call("Bash", command="true", description=f"Call {number}")] for number in range(CALLS)]
    home = folder / "client"
    home.mkdir(exist_ok=True)
    with TimedModel([Play(PROMPT, [*turns, [reply("Done.")]])]) as model:
        run = run_client(
            client,
            PROMPT,
            home=home,
            project=folder / "project",
            model_url=model.base_url,
            plugin_dir=plugin,
            env_extra={"PATH": with_python(os.environ)["PATH"], "BEHAVIOR_HOME": str(folder / "home")},
        )
    if run.exit_code or len(model.requested_at) != CALLS + 1:
        raise RuntimeError(f"the client ended with {run.exit_code} after {len(model.requested_at)} requests")
    return model.waits_ms()


def _results(waits: dict[str, list[list[float]]]) -> list[Result]:
    return [
        Result(name, min(min(run) for run in runs), median(map(median, runs)), tuple(map(median, runs)))
        for name, runs in waits.items()
    ]


def _markdown(results: Sequence[Result], rounds: int) -> str:
    """The results in Markdown."""
    named = {result.hooks: result for result in results}
    nothing = named[NOTHING]
    rows = [
        f"| {each.hooks} | {each.fastest:.1f} | {each.fastest - nothing.fastest:+.1f} | {each.median:.1f} "
        f"| {each.median - nothing.median:+.1f} | {' '.join(f'{run:.0f}' for run in each.runs)} |"
        for each in results
    ]
    return "\n".join(
        [
            f"{rounds} sessions of {CALLS} calls each, {machine()}:",
            "",
            "| hooks | fastest ms | more than none | median ms | more than none | medians of the runs |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
            *_reached(named),
        ]
    )


def _reached(named: dict[str, Result]) -> Iterator[str]:
    """Users have the plugins as registered, so only those must keep the limit."""
    for measure, ours, plain in (
        ("fastest", named[OURS].fastest, named[PLAIN].fastest),
        ("median", named[OURS].median, named[PLAIN].median),
    ):
        met = "met" if ours - plain <= WITHIN_MS else "not met"
        yield f"* wait per call, {measure}: {ours - plain:+.1f} ms to the `true` hook (limit {WITHIN_MS:.0f}): {met}"


if __name__ == "__main__":
    main()
