"""What the tests share that play sessions through the registered hooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.sessions import make_database


@pytest.fixture
def project(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where sessions are played; the worker finds its database made."""
    make_database(tmp_path_factory.getbasetemp() / "database")
    return tmp_path / "project"
