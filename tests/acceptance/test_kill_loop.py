"""Kill the worker, its server and hooks at random moments during sessions: no event is lost or stored twice.

`make torture ROUNDS=1000` runs more rounds. The seed and the number of a round determine its moments.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.acceptance.marked_sessions import MarkedSession, check_liveness, everything_learned, run_together
from tests.acceptance.sessions import WORKER, processes_of
from tests.oracle import Oracle

pytestmark = [pytest.mark.usefixtures("clean_ending", "no_embedder"), pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("BEHAVIOR_TORTURE_ROUNDS", "15"))
SEED = os.environ.get("BEHAVIOR_TORTURE_SEED", str(time.time_ns()))
AGENTS = 3
# A worker starts within a second or so: half of the kills come during its start, the others during its work.
YOUNG_S, OLD_S = 0.6, 1.6
HOOK_DIES = 0.15
HOOK_LASTS_S = 0.06
REPORT_EVERY = 50

ReportProgress = Callable[[str], None]


@pytest.fixture
def report_progress(capsys: pytest.CaptureFixture[str]) -> ReportProgress:
    """Report the progress to a waiting person, past pytest's capture of output."""

    def write(text: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    return write


class SimulatedAgent:
    """An agent that asks, calls, ends sessions and begins others in each round, and whose hooks die now and then."""

    def __init__(self, oracle: Oracle, directory: Path, number: int) -> None:
        self._oracle, self._directory = oracle, directory
        self._next, self._session = number, None  # type: int, MarkedSession | None
        self.counts: Counter[str] = Counter()

    def work(self, chance: random.Random) -> None:
        session, is_new = self._session or self._begin(chance), self._session is None
        has_prompt = True
        if is_new or chance.random() < 0.5:
            has_prompt = self._count(session.ask(dies_after_s=self._death(chance)))
        for _ in range(chance.randrange(1, 4)):
            self._count(session.call(dies_after_s=self._death(chance)))
        self._count(session.stop(dies_after_s=self._death(chance)))
        self._session = session
        # Calls before any prompt become dead letters with their session; before a later prompt they belong to none.
        if chance.random() < 0.6 or (is_new and not has_prompt):
            self._count(session.end(dies_after_s=None if is_new and not has_prompt else self._death(chance)))
            self._session = None

    def _begin(self, chance: random.Random) -> MarkedSession:
        self._next += AGENTS
        session = MarkedSession(self._oracle, self._next, self._directory)
        self._count(session.begin(dies_after_s=self._death(chance)))
        return session

    def _death(self, chance: random.Random) -> float | None:
        return chance.random() * HOOK_LASTS_S if chance.random() < HOOK_DIES else None

    def _count(self, is_accepted: bool) -> bool:
        self.counts["hooks"] += 1
        self.counts["hooks killed"] += not is_accepted
        return is_accepted


def kill_one_process(home: Path, chance: random.Random) -> str:
    """Kill a worker, its server or one of the server's processes; returns which."""
    with suppress(psutil.Error):
        workers = [process for process in processes_of(home) if str(WORKER) in process.cmdline()]
        servers = [child for worker in workers for child in worker.children()]
        backends = [child for server in servers for child in server.children()]
        name = chance.choice(["worker", "worker", "worker", "worker", "server", "backend"])
        if found := {"worker": workers, "server": servers, "backend": backends}[name]:
            chance.choice(found).kill()
            return f"{name}s killed"
    return "no process to kill"


class Workers:
    """Starts a worker if none runs, as the next hook would after a few seconds."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        if all(worker.poll() is not None for worker in self._started):
            self._started = [subprocess.Popen([sys.executable, "-I", str(WORKER)])]

    def kill(self) -> None:
        for worker in self._started:
            worker.kill()
            worker.wait()


def test_kills_at_random_moments_lose_and_double_no_event(
    project: Path, own_home: Path, report_progress: ReportProgress
) -> None:
    """This is the promise: each accepted event exists exactly once, whatever dies at any moment."""
    oracle, workers, counts = Oracle(), Workers(), Counter[str]()
    project.mkdir()
    agents = [SimulatedAgent(oracle, project, number) for number in range(AGENTS)]
    report_progress(f"\nseed {SEED}, {ROUNDS} rounds")
    began = time.monotonic()

    for number in range(1, ROUNDS + 1):
        chance = random.Random(f"{SEED}-{number}")
        workers.start()
        moment_s = chance.random() * chance.choice([YOUNG_S, OLD_S])
        works = [partial(each.work, random.Random(f"{SEED}-{number}-{at}")) for at, each in enumerate(agents)]
        run_together(*works, lambda: time.sleep(moment_s))  # noqa: B023 - it is over before the next round
        counts[kill_one_process(own_home, chance)] += 1
        if number % REPORT_EVERY == 0:
            report_progress(f"round {number}, {time.monotonic() - began:.0f} s: {dict(counts)}")
    workers.kill()
    ended = oracle.check(everything_learned(), is_over=True)

    for agent in agents:
        counts += agent.counts
    report_progress(f"{ROUNDS} rounds in {time.monotonic() - began:.0f} s: {dict(counts)}; of the events {dict(ended)}")
    assert ended["stored"] > ended["dead"]
    check_liveness(oracle, project)
