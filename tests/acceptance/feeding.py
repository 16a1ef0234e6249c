"""Run the registered hook commands in a shell on raw bytes, and read the saved payloads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from behavior_plugin import simulator
from behavior_plugin.capture import paths, spool, wake
from tests.acceptance.sessions import PYTHONS, ROOT

LOSS_NOTICE = b"behavior: event not recorded: "


def hook_environment(*, root: Path = ROOT, **changes: str) -> dict[str, str]:
    """The environment of a hook: that of this process, with the variables that the agent sets."""
    ours = {"CLAUDE_PLUGIN_ROOT": str(root), "CLAUDE_PID": str(os.getpid())}
    return {**os.environ, "PATH": f"{PYTHONS}:{os.environ['PATH']}", **ours, **changes}


def feed(
    event: str, raw: bytes, *, root: Path = ROOT, shell: str = "/bin/sh", before: str = "", **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the registered command of an event, in a shell that runs `before` first."""
    command = simulator.registered_hooks(ROOT)[event].command
    options = {"env": hook_environment(root=root), "input": raw, "timeout": 20, **options}
    return subprocess.run([shell, "-c", before + command], capture_output=True, check=False, **options)


def is_user_message(stdout: bytes) -> bool:
    """Whether the output is nothing but a message to the user: at a session's start, that no event can be saved."""
    return list(json.loads(stdout)) == ["systemMessage"]


def spooled_payloads(folder: Path | None = None) -> list[bytes]:
    """The payloads in the spool, oldest first."""
    new = folder or Path(spool.folder("new"))
    return [spool.read(record)[1] for record in sorted(new.iterdir())] if new.is_dir() else []


def plugin_copy(folder: Path) -> Path:
    """A copy of the plugin without its virtual environment, so that no worker starts."""
    ignore = shutil.ignore_patterns("__pycache__", "demo", "vocab.txt")
    shutil.copytree(ROOT / "hooks", folder / "hooks", ignore=ignore)
    shutil.copytree(ROOT / "behavior_plugin", folder / "behavior_plugin", ignore=ignore)
    return folder


@contextmanager
def data_folder(home: Path) -> Iterator[Path]:
    """A data folder whose interpreter does nothing, so that no worker starts."""
    data = home / "behavior"
    data.mkdir(mode=0o700)
    wake.record("/bin/true")
    yield data
    if Path(paths.in_data("run")).is_symlink():  # because a test's folder has a long path
        shutil.rmtree(paths.run_folder(), ignore_errors=True)
