"""Housekeeping enforces limits, and restarts a worker that has grown or whose plugin was updated."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from behavior_plugin.capture import spool, wake
from behavior_plugin.worker import dead_letters, housekeeping
from behavior_plugin.worker.housekeeping import BELIEVED_S, EVERY_S, KEPT, SELF_EVERY_S, Housekeeping, Overdue
from behavior_plugin.worker.inbox import Inbox

YEARS = timedelta(days=3650)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass on the monotonic clock."""
    clock = [1000.0]
    monkeypatch.setattr("behavior_plugin.worker.housekeeping.time.monotonic", lambda: clock[0])

    def advance(seconds: float) -> None:
        clock[0] += seconds

    return advance


def waiting_session(at: datetime) -> Inbox:
    """A session that ended at that time and is not stored yet."""
    spool.put("SessionEnd", json.dumps({"session_id": "s", "reason": "other"}).encode())
    [record] = Path(spool.folder("new")).iterdir()
    stamp = f"{int(at.timestamp() * 1e9):020d}"
    envelope, payload = record.read_bytes().split(b"\n", 1)
    envelope = json.dumps({**json.loads(envelope), "time_ns": int(stamp)}).encode()
    record.with_name(f"{stamp}-1-SessionEnd").write_bytes(envelope + b"\n" + payload)
    record.unlink()
    inbox = Inbox()
    inbox.file_new()
    return inbox


def test_age_counts_only_after_a_delay(later: Callable[[float], None]) -> None:
    """A wrong clock that is corrected soon must not cost any data."""
    overdue = Overdue(timedelta(days=30))
    since = datetime.now(UTC)

    assert not overdue.is_overdue("a", since=since, now=since + YEARS)
    later(BELIEVED_S)
    assert overdue.is_overdue("a", since=since, now=since + YEARS)
    assert not overdue.is_overdue("a", since=since, now=since)
    assert not overdue.is_overdue("a", since=since, now=since + YEARS)


def test_a_session_becomes_a_dead_letter_after_a_month_unstored(later: Callable[[float], None]) -> None:
    """Until then the spool has its text as it arrived; a dead letter is redacted."""
    inbox = waiting_session(datetime.now(UTC) - KEPT - timedelta(hours=1))
    housekeeping_task = Housekeeping(inbox)
    housekeeping_task.enforce_limits()
    before = len(inbox.sessions)

    later(BELIEVED_S + EVERY_S)
    housekeeping_task.enforce_limits()

    assert (before, inbox.sessions) == (1, {})
    [letter] = dead_letters.letters()
    assert "30 days" in letter.reason


def test_a_session_waits_for_the_store_for_less_than_a_month(later: Callable[[float], None]) -> None:
    """The store may be unavailable for the holidays."""
    inbox = waiting_session(datetime.now(UTC) - KEPT + timedelta(hours=1))
    housekeeping_task = Housekeeping(inbox)
    for _ in range(3):
        housekeeping_task.enforce_limits()
        later(BELIEVED_S + EVERY_S)

    assert len(inbox.sessions) == 1
    assert dead_letters.letters() == []


def test_old_dead_letters_are_deleted(later: Callable[[float], None]) -> None:
    """Nobody looked at them for a month."""
    spool.put("Stop", b"garbage")
    inbox = Inbox()
    inbox.file_new()
    [letter] = dead_letters.letters()
    old = (datetime.now(UTC) - dead_letters.KEPT - timedelta(hours=1)).timestamp()
    os.utime(f"{letter.path}.reason", (old, old))
    housekeeping_task = Housekeeping(inbox)
    housekeeping_task.enforce_limits()
    later(BELIEVED_S + EVERY_S)

    housekeeping_task.enforce_limits()

    assert dead_letters.letters() == []


def test_the_spool_limit_is_checked_once_a_minute(
    later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks only look for a mark file, so the worker has to count."""
    spool.put("Stop", b"{}")
    housekeeping_task = Housekeeping(Inbox())
    housekeeping_task.enforce_limits()
    monkeypatch.setattr(spool, "MAX_WAITING", 1)
    housekeeping_task.enforce_limits()
    too_early = spool.why_full()

    later(EVERY_S)
    housekeeping_task.enforce_limits()

    assert too_early == ""
    assert "1 events wait" in spool.why_full()


def test_a_worker_that_has_grown_restarts(later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak must not use up a laptop's memory over the weeks."""
    housekeeping_task = Housekeeping(Inbox())
    before = housekeeping_task.should_restart()
    monkeypatch.setattr(housekeeping, "MAX_MEMORY_BYTES", 1)
    later(SELF_EVERY_S)

    assert (before, housekeeping_task.should_restart()) == (False, True)


def test_the_worker_restarts_only_after_a_complete_update(
    later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files arrive one by one; the update is complete when the version file no longer changes."""
    monkeypatch.setattr(wake, "ROOT", str(tmp_path))
    code = tmp_path / "behavior_plugin"
    code.mkdir()
    (code / "__init__.py").write_text("1")
    housekeeping_task = Housekeeping(Inbox())
    answers = []
    for content in ("", "22", "333", ""):
        if content:
            (code / "__init__.py").write_text(content)
        later(SELF_EVERY_S)
        answers.append(housekeeping_task.should_restart())

    assert answers == [False, False, False, True]


def test_a_worker_whose_plugin_was_removed_restarts(
    later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is no code to restart with, so the worker ends."""
    monkeypatch.setattr(wake, "ROOT", str(tmp_path))
    (tmp_path / "behavior_plugin").mkdir()
    version = tmp_path / "behavior_plugin" / "__init__.py"
    version.touch()
    housekeeping_task = Housekeeping(Inbox())
    version.unlink()
    answers = []
    for _ in range(2):
        later(SELF_EVERY_S)
        answers.append(housekeeping_task.should_restart())

    assert answers == [False, True]
