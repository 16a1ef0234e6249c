"""Fixtures of the tests that play sessions through the registered hooks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.sessions import make_database, nothing_left
from tests.settings import configure


@pytest.fixture
def clean_ending(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Learn a session as soon as it ends, and fail if a process of the test's home remains."""
    configure(settle_s=0)
    with nothing_left(own_home):
        yield


@pytest.fixture
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run without an embedder, which saves the time to load it."""
    configure(embedder="none")


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory to play sessions in; the worker's database exists already."""
    make_database(tmp_path_factory.getbasetemp() / "database")
    return tmp_path / "project"
