"""A temporary home and project for a benchmark: the user's own settings have no effect, and nothing is left behind."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from behavior_plugin.capture import paths, wake
from tests.acceptance.sessions import nothing_left
from tests.settings import SETTINGS, configure

# Longer than any benchmark: a worker that stops half-way would be measured as one that starts.
IDLE_TIMEOUT_S = 3600

Item = TypeVar("Item")


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder with a `project` in it, and BEHAVIOR_HOME beside that; all its processes are ended afterwards."""
    for name in [name for name in os.environ if name.startswith(SETTINGS)]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="b-") as folder:
        home = Path(folder, "home")
        os.environ.update(BEHAVIOR_HOME=str(home))
        if misplaced := paths.misplaced():
            sys.exit(f"{misplaced}: set TMPDIR to another folder, or start this in another one")
        wake.record(sys.executable)
        configure(idle_timeout_s=IDLE_TIMEOUT_S)
        _make_project(Path(folder, "project"))
        with nothing_left(home):
            yield Path(folder)


def shown(items: Iterable[Item], what: str, total: float | None = None) -> Iterable[Item]:
    """The same items, with a progress bar on stderr."""
    console = Console(stderr=True)
    return track(items, what, total=total, console=console, transient=True, disable=not console.is_terminal)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def machine() -> str:
    """The properties of the machine that the figures depend on most."""
    return f"{os.cpu_count()} CPUs, Python {platform.python_version()}, {platform.system()}"


def _make_project(folder: Path) -> None:
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (folder / "pyproject.toml").touch()
