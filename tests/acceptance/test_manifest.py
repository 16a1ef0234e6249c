"""The real client accepts the plugin in the repository."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.client import REPOSITORY, client_env, client_or_skip, run_quietly


def test_strict_validation_passes(tmp_path: Path) -> None:
    """A client that refuses one file of the plugin loads none of its hooks, and reports that to nobody."""
    command = [str(client_or_skip()), "plugin", "validate", "--strict", str(REPOSITORY)]

    ended = run_quietly(command, cwd=tmp_path, env=client_env(tmp_path), timeout_s=60)

    assert ended.returncode == 0, ended.stdout + ended.stderr
