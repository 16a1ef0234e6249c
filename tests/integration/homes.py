"""A data folder for tests that own a server, or start another process that does."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from behavior_plugin.store.embedded import account


@contextmanager
def short_home() -> Iterator[Path]:
    """A data folder with a short enough path for a socket, and a SYSTEM_DIR that other accounts can reach."""
    with tempfile.TemporaryDirectory(prefix="b-") as name, pytest.MonkeyPatch.context() as patch:
        Path(name).chmod(0o755)
        home = Path(name) / "home"
        home.mkdir(mode=0o700)
        patch.setenv("BEHAVIOR_HOME", str(home))
        patch.setattr(account, "SYSTEM_DIR", Path(name) / "system_dir")
        yield home
