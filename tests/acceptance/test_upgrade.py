"""`behavior db upgrade` as a user sees it: the worker asks for it, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from behavior_plugin.capture import wake
from behavior_plugin.config import Settings
from behavior_plugin.store.opening import open_store
from behavior_plugin.worker.client import start_worker
from behavior_plugin.worker.lifecycle import stop_worker, worker_stopped
from tests.acceptance.sessions import (
    TASK,
    WORKER,
    Session,
    behavior,
    drain,
    holds_for,
    in_spool,
    processes_of,
    status,
    worker_pid,
)
from tests.old_postgres import MAJOR, old_programs, older_postgres
from tests.settings import configure
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending", "no_embedder")


def test_session_before_an_upgrade_is_learned_after_it(tmp_path: Path) -> None:
    """The plugin was updated overnight, and nobody has read the release notes."""
    with older_postgres():
        open_store(Settings()).close()
    Session(tmp_path / "project").work().end()
    wait_for(lambda: "`behavior db upgrade`" in status().last_error, "the worker names the command")

    done = behavior("db", "upgrade", "--old-binaries", str(old_programs().site))

    assert (done.returncode, done.stderr) == (0, "")
    assert f"Upgraded from Postgres {MAJOR} to " in done.stdout
    assert f"postgres/data.{MAJOR}" in done.stdout
    assert [pattern.trigger for pattern in drain()] == [TASK]
    assert not in_spool("open")


def test_upgrade_reports_that_nothing_is_due(project: Path) -> None:
    """Careful users run it after each update."""
    done = behavior("db", "upgrade")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Nothing to upgrade")
    assert "your own Postgres" not in done.stdout


def test_upgrade_does_not_apply_to_the_users_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Nothing to upgrade` would be read as a statement about that server."""
    configure(database_url="postgresql://ann@localhost:1/team")

    done = behavior("db", "upgrade")

    assert (done.returncode, done.stderr) == (0, "")
    assert "not your own Postgres" in done.stdout


def test_failed_upgrade_is_reported_with_a_hint(tmp_path: Path) -> None:
    """One line for the error, and one for the remedy."""
    with older_postgres():
        open_store(Settings()).close()

    done = behavior("db", "upgrade", "--old-binaries", str(tmp_path))

    assert done.returncode == 1
    assert f"There is no Postgres {MAJOR} in {tmp_path}" in done.stderr
    assert "pip install --target DIR" in done.stderr


def test_no_worker_starts_during_an_exclusive_command(project: Path, own_home: Path) -> None:
    """Two owners of one server would stop it for each other; the waiting worker takes over afterwards."""
    start_worker()
    worker_pid()

    with worker_stopped():
        assert not processes_of(own_home)
        waiting = subprocess.Popen([sys.executable, "-I", str(WORKER)])
        assert holds_for(0.5, lambda: waiting.poll() is None and not wake.is_listening())

    assert worker_pid() == waiting.pid
    stop_worker()
    assert waiting.wait(timeout=20) == 0
