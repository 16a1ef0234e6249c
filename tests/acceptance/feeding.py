"""Feed the registered hook commands by hand, as bytes through a shell, and look at what was kept of it."""

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
from behavior_plugin.capture import paths, spool
from tests.acceptance.sessions import PYTHONS, ROOT

TOLD = b"behavior: event not recorded: "


def surroundings(*, root: Path = ROOT, **changes: str) -> dict[str, str]:
    """What a hook finds in its environment: that of this process, and what the client adds."""
    ours = {"CLAUDE_PLUGIN_ROOT": str(root), "CLAUDE_PID": str(os.getpid())}
    return {**os.environ, "PATH": f"{PYTHONS}:{os.environ['PATH']}", **ours, **changes}


def feed(
    event: str, raw: bytes, *, root: Path = ROOT, shell: str = "/bin/sh", before: str = "", **options: Any
) -> subprocess.CompletedProcess[bytes]:
    """Run the command that hooks.json registers for an event, in a shell where something was done `before`."""
    command = simulator.registered_hooks(ROOT)[event].command
    options = {"env": surroundings(root=root), "input": raw, **options}
    return subprocess.run([shell, "-c", before + command], capture_output=True, timeout=20, check=False, **options)


def is_message(stdout: bytes) -> bool:
    """Whether a hook tells the user something, and nothing else: at a session's start that nothing can be kept."""
    return list(json.loads(stdout)) == ["systemMessage"]


def kept(folder: Path | None = None) -> list[bytes]:
    """The payloads in the spool, oldest first."""
    new = folder or Path(spool.folder("new"))
    return [spool.read(record)[1] for record in sorted(new.iterdir())] if new.is_dir() else []


def plugin_copy(folder: Path) -> Path:
    """The plugin without its environment, so that no worker comes up."""
    ignore = shutil.ignore_patterns("__pycache__", "demo", "vocab.txt")
    shutil.copytree(ROOT / "hooks", folder / "hooks", ignore=ignore)
    shutil.copytree(ROOT / "behavior_plugin", folder / "behavior_plugin", ignore=ignore)
    return folder


@contextmanager
def data_folder(home: Path) -> Iterator[Path]:
    """A data folder whose interpreter does nothing, so that no worker comes up."""
    data = home / "behavior"
    data.mkdir(mode=0o700)
    (data / "interpreter").write_text("/bin/true\n")
    yield data
    if Path(paths.in_data("run")).is_symlink():  # the path of a test's folder is long
        shutil.rmtree(paths.run_folder(), ignore_errors=True)
