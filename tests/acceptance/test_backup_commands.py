"""`behavior db backup|restore|move|rollback|tune` on the embedded server, each in its own process."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from behavior_plugin.capture import paths, wake
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import OTHER_TASK, ROOT, TASK, Session, drain, json_of, output_of, patterns, status
from tests.settings import configure

pytestmark = pytest.mark.usefixtures("clean_ending")


def work(project: Path) -> None:
    for task in (TASK, OTHER_TASK):
        Session(project).work(task).end()


def test_rolled_back_patterns_can_be_restored(project: Path, tmp_path: Path) -> None:
    """Users who remove the plugin and return after a year lose nothing."""
    work(project)
    before = drain()
    file = tmp_path / "backup.jsonl.gz"

    saved = json_of("db", "backup", str(file))
    gone = json_of("db", "rollback", "--with-rows")
    empty = patterns()
    restored = json_of("db", "restore", str(file))
    again = json_of("db", "restore", gone["backup"])

    # Patterns, and the evidence of both tasks.
    assert saved["rows"] >= len(before) + 2
    assert (gone["table"], gone["evidence"], gone["rows"]) == ("dropped", "dropped", saved["rows"])
    assert Path(gone["backup"]).parent == Path(paths.in_data("backups"))
    assert empty == []
    assert (restored["restored"], again["already_there"]) == (saved["rows"], saved["rows"])
    assert patterns() == before


def test_memories_move_into_the_separate_table(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting chooses the table, and a command changes it later."""
    configure(storage="memories")
    work(project)
    before = drain()
    Session(project).work("What comes while the worker is away")

    moved = json_of("db", "move", "--to", "behavior_patterns", "--delete-source")
    stop_worker()  # it has the settings that it was started with
    configure(storage="behavior_patterns")

    assert before
    assert moved == {"moved": len(before), "already_there": 0, "skipped": [], "deleted": len(before)}
    assert patterns() == before
    assert status().open_sessions == 1


def test_index_build_has_its_own_server(project: Path) -> None:
    """A build may take longer than an idle worker lives, whose server would stop with it."""
    work(project)
    before = drain()

    made = json_of("db", "tune", "--index", "hnsw", "--apply")
    is_running = wake.is_listening()
    seen = json_of("db", "tune", "--index", "hnsw")

    assert (made["present"]["kind"], made["present"]["is_valid"], made["is_due"]) == ("hnsw", True, False)
    assert not is_running
    assert seen["present"] == made["present"]
    assert (made["is_applied"], seen["is_applied"]) == (True, False)
    assert "--apply drops the index; meanwhile no worker runs" in output_of("db", "tune")
    assert "\nDropped hnsw.\nNow: no index" in output_of("db", "tune", "--apply")
    assert patterns() == before


def test_terminal_shows_the_progress(project: Path, tmp_path: Path) -> None:
    """A backup of years takes minutes, and a silent command looks dead."""
    work(project)
    before = drain()
    ours, theirs = pty.openpty()
    command = [sys.executable, str(ROOT / "behavior_plugin"), "db", "backup", str(tmp_path / "backup")]

    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}, timeout=60, check=False
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)

    assert done.returncode == 0
    rows, _, text = done.stdout.decode().partition(" ")
    assert int(rows) >= len(before) + 2
    assert text == f"rows are in {tmp_path / 'backup'}: patterns, their evidence and remarks.\n"
    assert "Backup" in shown
