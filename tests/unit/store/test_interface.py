"""The interface of the store, without its implementation."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["store", "learn", "recall"])
def test_importing_the_interface_loads_no_database_driver(module: str) -> None:
    """Commands and imports that only build patterns start quickly and need no libpq."""
    code = f"import behavior_plugin.{module}, sys; sys.exit('psycopg' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
