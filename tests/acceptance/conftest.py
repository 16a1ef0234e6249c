"""What the tests share that play sessions through the registered hooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.sessions import make_database, nothing_left


@pytest.fixture
def clean_ending(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A session that ends is learned at once, and no process of the test's home stays."""
    monkeypatch.setenv("BEHAVIOR_SETTLE_S", "0")
    with nothing_left(own_home):
        yield


@pytest.fixture
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prompts are not understood, which saves the time to load what understands them."""
    monkeypatch.setenv("BEHAVIOR_EMBEDDER", "none")


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where sessions are played; the worker finds its database made."""
    make_database(tmp_path_factory.getbasetemp() / "database")
    return tmp_path / "project"
