"""Find or install the real client, run it headless, and read its output.

A run has a scratch home and a minimal environment, so it neither uses nor changes the settings, keys and hooks of
the developer.
"""

from __future__ import annotations

import fcntl
import functools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
CLIENT_VERSION = "2.1.328"
CACHE = REPOSITORY / ".cache" / f"claude-code-{CLIENT_VERSION}"

# The environment before each test got its own home: npm's settings and CLAUDE_BIN are there.
OUTER_ENV = dict(os.environ)

# Shorter than the time limit of a test, so that a slow network skips the test instead of killing the run.
INSTALL_TIMEOUT_S = 100

Record = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """The exit code and output of one run of the client."""

    exit_code: int
    records: list[Record]
    stderr: str

    @property
    def result(self) -> Record:
        """The closing record; empty if the client did not get that far."""
        return next((record for record in self.records if record["type"] == "result"), {})

    @property
    def hook_events(self) -> list[Record]:
        """One record for each hook that ended, with its `hook_event`, `stdout`, `stderr` and `exit_code`."""
        return [record for record in self.records if record.get("subtype") == "hook_response"]

    @property
    def session_id(self) -> str:
        return str(self.records[0]["session_id"])


def client_or_skip() -> Path:
    """The client's path; without a client the test is skipped, or fails if BEHAVIOR_REQUIRE_CLIENT=1."""
    found = find_client()
    if isinstance(found, Path):
        return found
    if OUTER_ENV.get("BEHAVIOR_REQUIRE_CLIENT") == "1":
        pytest.fail(found)
    pytest.skip(found)


@functools.cache
def find_client() -> Path | str:
    """The path of the client, installed if need be, or the reason why there is none."""
    chosen = OUTER_ENV.get("CLAUDE_BIN")
    if chosen:
        return Path(chosen) if os.access(chosen, os.X_OK) else f"CLAUDE_BIN={chosen} is not executable"
    deadline = time.monotonic() + INSTALL_TIMEOUT_S
    try:
        with _install_lock():
            return _executable(CACHE) or _install(within_s=deadline - time.monotonic())
    except (OSError, subprocess.SubprocessError) as error:
        return f"claude-code {CLIENT_VERSION} could not be installed: {error}"


def run_client(
    client: Path,
    prompt: str,
    *,
    home: Path,
    project: Path,
    model_url: str,
    plugin_dir: Path | None = None,
    env_extra: Mapping[str, str] | None = None,
    resume: str | None = None,
    arguments: Sequence[str] = (),
    timeout_s: float = 90,
) -> Run:
    """Give the client one prompt in `project`, headless, all tools allowed, and wait for its end."""
    command = [str(client), "-p", prompt, "--dangerously-skip-permissions", *arguments]
    command += ["--output-format", "stream-json", "--verbose", "--include-hook-events"]
    command += ["--plugin-dir", str(plugin_dir)] if plugin_dir else []
    command += ["--resume", resume] if resume else []
    env = client_env(home, model_url) | dict(env_extra or {})
    ended = run_quietly(command, cwd=project, env=env, timeout_s=timeout_s)
    return Run(ended.returncode, _records(ended.stdout), ended.stderr)


def client_env(home: Path, model_url: str = "http://127.0.0.1:9") -> dict[str, str]:
    """The whole environment of the client; without a model's address it reaches no server."""
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        "LANG": "C.UTF-8",
        "SHELL": "/bin/sh",
        "ANTHROPIC_BASE_URL": model_url,
        "ANTHROPIC_API_KEY": "not-a-key",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
    }
    # Root may skip the permission questions only where this says that nothing can be broken.
    return env | ({"IS_SANDBOX": "1"} if os.geteuid() == 0 else {})


def run_quietly(
    command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a command without a terminal, in an environment of its own."""
    return subprocess.run(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout_s,
        check=False,
    )


@contextmanager
def _install_lock() -> Iterator[None]:
    """Let one process of a test run install, while the others wait for it."""
    CACHE.parent.mkdir(exist_ok=True)
    with (CACHE.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(*, within_s: float) -> Path:
    """Install beside the cache folder and rename, so that no partial installation is ever found."""
    fresh = Path(tempfile.mkdtemp(prefix=f"{CACHE.name}.", dir=CACHE.parent))
    try:
        _npm_install(fresh, within_s=within_s)
        fresh.rename(CACHE)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    if found := _executable(CACHE):
        return found
    raise FileNotFoundError("npm brought no executable for this platform")


def _npm_install(folder: Path, *, within_s: float) -> None:
    package = f"@anthropic-ai/claude-code@{CLIENT_VERSION}"
    # The executable comes in a platform package of its own: no install script is needed.
    command = ["npm", "install", "--no-save", "--ignore-scripts", "--prefix", str(folder), package]
    subprocess.run(command, env=OUTER_ENV, capture_output=True, timeout=within_s, check=True)


def _executable(folder: Path) -> Path | None:
    return next(folder.glob("node_modules/@anthropic-ai/claude-code-*/claude"), None)


def _records(stream: str) -> list[Record]:
    return [json.loads(line) for line in stream.splitlines() if line.startswith("{")]
