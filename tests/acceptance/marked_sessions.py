"""Play agent sessions with marked events and hooks that may be killed, and record accepted events in an oracle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from behavior_plugin import api, simulator
from behavior_plugin.worker.client import Client
from behavior_plugin.workflow import StoredPattern
from tests.acceptance.feeding import LOSS_NOTICE, hook_environment
from tests.acceptance.sessions import ROOT
from tests.factories import payload
from tests.oracle import Oracle
from tests.waiting import DEADLINE_S, wait_for

HOOKS = simulator.registered_hooks(ROOT)


class MarkedSession:
    """One conversation of an agent. `number` begins the marks of its events."""

    def __init__(self, oracle: Oracle, number: int, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.id = str(uuid.uuid4())
        self._oracle, self._number, self._directory = oracle, number, directory
        self._prompt = self._prompt_id = ""

    def begin(self, *, dies_after_s: float | None = None) -> bool:
        return self._send("SessionStart", dies_after_s=dies_after_s)

    def ask(self, *, dies_after_s: float | None = None) -> bool:
        self._prompt, self._prompt_id = self._oracle.mark(self._number), str(uuid.uuid4())
        prompt = f"Repair the parser of {self._prompt} and its tests"
        return self._send("UserPromptSubmit", self._prompt, prompt=prompt, dies_after_s=dies_after_s)

    def call(self, *, dies_after_s: float | None = None, event: str = "PostToolUse") -> bool:
        mark = self._oracle.mark(self._number)
        return self._send(event, mark, tool_use_id=mark, dies_after_s=dies_after_s)

    def stop(self, *, dies_after_s: float | None = None) -> bool:
        return self._send("Stop", dies_after_s=dies_after_s)

    def end(self, *, dies_after_s: float | None = None) -> bool:
        return self._send("SessionEnd", dies_after_s=dies_after_s)

    def _send(self, event: str, mark: str = "", *, dies_after_s: float | None, **changes: Any) -> bool:
        """Run the registered command; returns whether the event was accepted."""
        common = {"session_id": self.id, "cwd": str(self._directory), "prompt_id": self._prompt_id}
        raw = json.dumps(payload(event, **common, transcript_path=f"{self._directory}/{self.id}.jsonl", **changes))
        is_accepted = run_hook(event, raw.encode(), self._directory, dies_after_s=dies_after_s)
        if is_accepted and mark:
            self._oracle.accept(mark, prompt=self._prompt)
        return is_accepted


def run_hook(event: str, raw: bytes, directory: Path, *, dies_after_s: float | None = None) -> bool:
    """Run the registered command, killed with SIGKILL after `dies_after_s`; returns whether it accepted the event."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", HOOKS[event].command],
        cwd=directory,
        env=hook_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        try:
            _, stderr = process.communicate(raw, timeout=DEADLINE_S if dies_after_s is None else dies_after_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            _, stderr = process.communicate()
    is_reported = stderr.startswith(LOSS_NOTICE) and stderr.count(b"\n") == 1
    assert dies_after_s is not None or (process.returncode == 0 and (is_reported or not stderr)), stderr
    return process.returncode == 0 and not stderr


def run_together(*calls: Callable[[], object]) -> None:
    """Run all calls at the same time, and fail if one of them fails."""
    with ThreadPoolExecutor(max_workers=len(calls)) as threads:
        for done in [threads.submit(call) for call in calls]:
            done.result()


def everything_learned() -> list[StoredPattern]:
    """All turns, after closing and learning every session. Retries if a worker or a store has just died."""
    wait_for(lambda: Client().drain(api.Drain()), "everything is learned")
    wait_for(lambda: Client().reap(api.Reap(idle_s=0)), "everything is closed")
    return Client().list_turns(api.ListTurns(limit=10_000))


def check_liveness(oracle: Oracle, directory: Path) -> None:
    """Check that a new session is learned as on the first day."""
    fresh = MarkedSession(oracle, 1_000_000, directory)
    assert all([fresh.begin(), fresh.ask(), fresh.call(), fresh.stop(), fresh.end()])
    before = oracle.check(everything_learned(), is_over=True)
    assert any(turn.session_id == fresh.id for turn in everything_learned()), before
