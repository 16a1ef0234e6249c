"""Kill or fail a worker at each step of its life: the next one recovers by itself.

A seed selects the steps; `make torture` runs all of them. The message names the step that fails.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from behavior_plugin.capture import spool
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.worker.learner import TRIES
from tests.database import LOGIN
from tests.factories import payload
from tests.integration.working import LIFE, Worker, clear, stored_turns
from tests.oracle import Oracle

ROOT = Path(__file__).resolve().parents[2]
IS_TORTURE = "BEHAVIOR_TORTURE_ROUNDS" in os.environ
DRAWN = 40


class WorkerForker:
    """The process that forks workers and makes them fail."""

    def __init__(self, conninfo: str) -> None:
        command = [sys.executable, "-m", "tests.integration.dying_worker", conninfo]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run_worker(self, step: int, fault: str) -> tuple[int, int]:
        """Run a worker; returns its exit code, and the number of its steps if it came to its end."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{step} {fault}\n")
        self._process.stdin.flush()
        code, steps = self._process.stdout.readline().split()
        return int(code), int(steps)

    def end(self) -> None:
        self._process.communicate()


@pytest.fixture
def forker(server: Server, database: str) -> Iterator[WorkerForker]:
    process = WorkerForker(server.conninfo(LOGIN, database))
    yield process
    process.end()


class Scenario:
    """A spool with records in every state, which can be restored, and an empty table."""

    def __init__(self, store: PostgresStore, owner: psycopg.Connection, snapshot: Path) -> None:
        self.oracle = Oracle()
        self._store, self._owner, self._snapshot = store, owner, snapshot
        self._set_up()
        shutil.copytree(spool.folder(), snapshot)

    def restore(self) -> None:
        shutil.rmtree(spool.folder())
        shutil.copytree(self._snapshot, spool.folder())
        clear(self._owner)

    def outcome(self, *, is_disk_good: bool = True) -> Counter[str]:
        """The result of a worker that does not fail."""
        worker = Worker(self._store)
        for part in LIFE:
            part(worker)
        return self.oracle.check(stored_turns(self._store), is_over=True, is_disk_good=is_disk_good)

    def problem(self, run_worker: Callable[[int, str], tuple[int, int]], step: int, fault: str) -> str:
        """The problem left by a fault at a step, or "" if there is none."""
        self.restore()
        code, _ = run_worker(step, fault)
        if code != (-signal.SIGKILL if fault == "kill" else 0):
            return f"the worker ended with {code}"
        try:
            outcome = self.outcome(is_disk_good=fault == "kill")
        except (AssertionError, BehaviorError, OSError) as error:
            return str(error)
        return "" if outcome["stored"] > outcome["dead"] else f"hardly anything is stored: {dict(outcome)}"

    def _set_up(self) -> None:
        """Leave records of earlier workers, and then new ones."""
        for events in ("spce", "spcse"):
            self._play(events)
        self._garbage("an earlier letter")
        worker = Worker(self._store)
        worker.file()
        for tried in worker.inbox.sessions.values():
            for _ in range(TRIES):
                worker.inbox.attempt(tried)
        for events in ("spcpce", "cpce", "ce", "se", "spcc"):
            self._play(events)
        Worker(self._store).file()
        for events in ("spccse", "spcpcpce", "cspce", "ce", "pc"):
            self._play(events)
        self._garbage("a new record")
        Path(spool.folder("open"), "stray").write_text("not a folder", encoding="utf-8")
        Path(spool.folder("open"), "empty").mkdir()
        Path(spool.folder("tmp"), "done-1").mkdir()
        name = f"{time.time_ns():020d}-1-Stop"
        Path(spool.folder("new"), name).write_text('{"v": 99}\n', encoding="utf-8")

    def _garbage(self, text: str) -> None:
        mark = self.oracle.mark(0)
        spool.put("PostToolUse", f"{text}, {mark}".encode())
        self.oracle.accept(mark)

    def _play(self, events: str) -> None:
        """Play a session: s is its start, p a prompt, c a call, e its end."""
        session, prompt, prompt_id = str(uuid.uuid4()), "", ""
        number = random.randrange(1, 10**9)
        for letter in events:
            mark = ""
            changes: dict[str, str] = {}
            event = {"s": "SessionStart", "p": "UserPromptSubmit", "c": "PostToolUse", "e": "SessionEnd"}[letter]
            if letter in "pc":
                mark = self.oracle.mark(number)
            if letter == "p":
                prompt, prompt_id = mark, str(uuid.uuid4())
                changes = {"prompt": f"Repair the parser of {mark}"}
            if letter == "c":
                changes = {"tool_use_id": mark}
            named = {"session_id": session, "transcript_path": f"/home/dev/{session}.jsonl", "prompt_id": prompt_id}
            spool.put(event, json.dumps(payload(event, **named, **changes)).encode())
            if mark:
                self.oracle.accept(mark, prompt=prompt)


@pytest.fixture
def scenario(
    store: PostgresStore, owner: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Scenario:
    monkeypatch.setenv("CLAUDE_PID", str(os.getpid()))
    return Scenario(store, owner, tmp_path / "scenario")


@pytest.mark.timeout(0)
@pytest.mark.parametrize("fault", ["kill", "fail", "fill"])
def test_the_next_worker_recovers_from_a_fault_at_any_step(
    fault: str, scenario: Scenario, forker: WorkerForker
) -> None:
    """It finds every event in its place, and stores it once."""
    undisturbed = scenario.outcome()
    assert undisturbed["stored"] > 10
    assert undisturbed["dead"] > 3
    scenario.restore()
    code, last = forker.run_worker(0, fault)
    assert code == 0
    steps = range(1, last + 1)

    chosen = steps if IS_TORTURE else sorted(random.Random(fault).sample(steps, DRAWN))
    failed = {step: problem for step in chosen if (problem := scenario.problem(forker.run_worker, step, fault))}

    assert not failed, f"of {last} steps: {failed}"
