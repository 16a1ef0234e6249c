"""Play sessions through the registered hooks with real workers, and make sure that no worker remains."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

from behavior_plugin import api, simulator
from behavior_plugin.capture import paths, spool
from behavior_plugin.errors import BehaviorError
from behavior_plugin.simulator import HookRun
from behavior_plugin.worker.client import Client, start_worker
from behavior_plugin.worker.lifecycle import stop_worker
from behavior_plugin.workflow import StoredPattern
from tests.factories import payload
from tests.waiting import DEADLINE_S, POLL_S, wait_for

ROOT = Path(__file__).resolve().parents[2]
WORKER = ROOT / "behavior_plugin" / "worker" / "__main__.py"
# A version manager's python3 is a shell script that takes longer than the hook itself.
PYTHONS = Path(sys.executable).resolve().parent
EVERYTHING = api.ListPatterns(limit=1000)
ALL_TURNS = api.ListTurns(limit=1000)
TASK = "The invoice total is off by one cent for some orders, find out why and fix it"
SAME_TASK = "Customers complain that the sum on the invoice is sometimes a cent too high. Find the cause and repair it."
OTHER_TASK = "Write a short introduction for the project's web page, for readers who do not program."


class Session:
    """One session of an agent, as its hooks see it. The agent is this process unless a pid is given."""

    def __init__(self, directory: Path, *, agent_pid: int | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.id = str(uuid.uuid4())
        self.directory = directory
        self.agent_pid = agent_pid or os.getpid()
        self.prompt_id = ""

    @property
    def transcript(self) -> Path:
        return self.directory.parent / f"{self.id}.jsonl"

    def send(self, event: str, **changes: Any) -> HookRun:
        """Run the hook of an event; it must exit with 0 and print nothing on stderr."""
        common = {
            "session_id": self.id,
            "cwd": str(self.directory),
            "prompt_id": self.prompt_id,
            "transcript_path": str(self.transcript),
        }
        run = simulator.run(
            simulator.registered_hooks(ROOT)[event],
            payload(event, **common | changes),
            environment={**os.environ, "PATH": f"{PYTHONS}:{os.environ['PATH']}"},
            client_pid=self.agent_pid,
        )
        assert (run.exit_code, run.stderr) == (0, "")
        return run

    def ask(self, prompt: str) -> HookRun:
        self.prompt_id = str(uuid.uuid4())
        return self.send("UserPromptSubmit", prompt=prompt)

    def call(self, command: str = "make test", *, event: str = "PostToolUse") -> None:
        self.send(event, tool_input={"command": command}, tool_use_id=f"toolu_{uuid.uuid4().hex}")

    def work(self, prompt: str = TASK, command: str = "make test", *, event: str = "PostToolUse") -> Session:
        """A start, a prompt, a call and the end of the turn."""
        self.send("SessionStart")
        self.ask(prompt)
        self.call(command, event=event)
        self.send("Stop")
        return self

    def end(self) -> Session:
        self.send("SessionEnd")
        return self


def behavior(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command as a process, in a terminal that is wide enough for every line."""
    command = [sys.executable, str(ROOT / "behavior_plugin"), *words]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def output_of(*words: str, cwd: Path = ROOT) -> str:
    """The output of a command that succeeds."""
    done = behavior(*words, cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def json_of(*words: str, cwd: Path = ROOT) -> Any:
    """The parsed JSON output of a command that succeeds."""
    return json.loads(output_of(*words, "--json", cwd=cwd))


def make_database(template: Path) -> None:
    """Copy a database, created once for all tests, into the data folder: creating one takes longer than most tests."""
    if not template.exists():
        start_worker()
        worker_pid()
        stop_worker()
        Path(paths.in_data("postgres")).rename(template)
    shutil.copytree(template, paths.in_data("postgres"))
    Path(paths.data_folder()).chmod(0o700)


def holds_for(seconds: float, condition: Callable[[], object]) -> bool:
    """Whether a condition is true now and stays true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            return False
        time.sleep(POLL_S)
    return True


def patterns() -> list[StoredPattern]:
    """All patterns learned so far; starts a worker if need be."""
    return Client().list_patterns(EVERYTHING)


def turns() -> list[StoredPattern]:
    """All turns learned from so far, newest first; starts a worker if need be."""
    return Client().list_turns(ALL_TURNS)


def learned(count: int = 1) -> list[StoredPattern]:
    """Wait until the running worker has learned from so many turns by itself; returns them."""
    return wait_for(
        lambda: found if len(found := running_worker().list_turns(ALL_TURNS)) >= count else None,
        f"{count} turns",
    )


def drain() -> list[StoredPattern]:
    """All patterns, after learning the ended sessions."""
    Client().drain(api.Drain())
    return patterns()


def drained_turns() -> list[StoredPattern]:
    """All turns, after learning the ended sessions."""
    Client().drain(api.Drain())
    return turns()


def running_worker() -> Client:
    """A client of the running worker; starts none."""
    return Client(is_starting=False)


def status() -> api.Status:
    """The state of the running worker."""
    return running_worker().status()


def worker_pid() -> int:
    """The pid of the worker, once its store is open."""
    return int(wait_for(lambda: (found := status()).store != "not open" and found.pid, "a worker"))


def in_spool(name: str) -> list[Path]:
    folder = Path(spool.folder(name))
    return sorted(folder.iterdir()) if folder.exists() else []


@contextmanager
def running_agent() -> Iterator[subprocess.Popen[bytes]]:
    """A process whose pid hooks can take for the agent's."""
    process = subprocess.Popen(["sleep", "120"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def nothing_left(home: Path) -> Iterator[None]:
    """Stop the worker of a home afterwards, and fail if a process of the home remains."""
    try:
        yield
    finally:
        short_run_folder = Path(paths.run_folder())
        left = _stop_all(home)
    assert not left, f"still running: {left}"
    if Path(paths.in_data("run")).is_symlink():  # a killed worker leaves it to the next one
        shutil.rmtree(short_run_folder, ignore_errors=True)


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process with a folder in its command line or environment."""
    return [process for process in psutil.process_iter() if process.pid != os.getpid() and _names(process, home)]


def commands_of(home: Path) -> list[str]:
    """The command lines of those processes that still run."""
    commands = []
    for process in processes_of(home):
        with suppress(psutil.Error):
            commands.append(" ".join(process.cmdline()))
    return commands


def _names(process: psutil.Process, home: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return str(home) in "\n".join([*process.cmdline(), *process.environ().values()])
    except (psutil.Error, OSError):
        return False


def _stop_all(home: Path) -> list[str]:
    """Stop the worker until all processes are gone: a worker that is still starting cannot be stopped yet."""
    deadline = time.monotonic() + DEADLINE_S
    while processes_of(home) and time.monotonic() < deadline:
        with suppress(BehaviorError):
            stop_worker()
        time.sleep(POLL_S)
    left = commands_of(home)
    for process in processes_of(home):
        process.kill()
    return left
