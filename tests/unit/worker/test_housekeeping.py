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
    """Let time pass, as the monotonic clock tells it."""
    clock = [1000.0]
    monkeypatch.setattr("behavior_plugin.worker.housekeeping.time.monotonic", lambda: clock[0])

    def pass_by(seconds: float) -> None:
        clock[0] += seconds

    return pass_by


def waiting_session(at: datetime) -> Inbox:
    """A session that has ended at that time, and that the store has not taken."""
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


def test_what_seems_too_old_is_believed_only_after_a_while(later: Callable[[float], None]) -> None:
    """A clock that is set right again must not have cost anything."""
    overdue = Overdue(timedelta(days=30))
    since = datetime.now(UTC)

    assert not overdue.is_overdue("a", since=since, now=since + YEARS)
    later(BELIEVED_S)
    assert overdue.is_overdue("a", since=since, now=since + YEARS)
    assert not overdue.is_overdue("a", since=since, now=since)
    assert not overdue.is_overdue("a", since=since, now=since + YEARS)


def test_a_session_that_the_store_does_not_take_for_a_month_is_set_aside(later: Callable[[float], None]) -> None:
    """Until then its text lies in the spool as it came; as a dead letter it is redacted."""
    inbox = waiting_session(datetime.now(UTC) - KEPT - timedelta(hours=1))
    keeper = Housekeeping(inbox)
    keeper.enforce_limits()
    before = len(inbox.sessions)

    later(BELIEVED_S + EVERY_S)
    keeper.enforce_limits()

    assert (before, inbox.sessions) == (1, {})
    [letter] = dead_letters.letters()
    assert "30 days" in letter.reason


def test_a_session_that_waits_for_less_goes_on_waiting(later: Callable[[float], None]) -> None:
    """A store may be away over the holidays."""
    inbox = waiting_session(datetime.now(UTC) - KEPT + timedelta(hours=1))
    keeper = Housekeeping(inbox)
    for _ in range(3):
        keeper.enforce_limits()
        later(BELIEVED_S + EVERY_S)

    assert len(inbox.sessions) == 1
    assert dead_letters.letters() == []


def test_old_dead_letters_are_deleted(later: Callable[[float], None]) -> None:
    """Nobody has looked at them for a month."""
    spool.put("Stop", b"garbage")
    inbox = Inbox()
    inbox.file_new()
    [letter] = dead_letters.letters()
    old = (datetime.now(UTC) - dead_letters.KEPT - timedelta(hours=1)).timestamp()
    os.utime(f"{letter.path}.reason", (old, old))
    keeper = Housekeeping(inbox)
    keeper.enforce_limits()
    later(BELIEVED_S + EVERY_S)

    keeper.enforce_limits()

    assert dead_letters.letters() == []


def test_the_bound_of_the_spool_is_kept_once_a_minute(
    later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hooks look for a mark; somebody has to count."""
    spool.put("Stop", b"{}")
    keeper = Housekeeping(Inbox())
    keeper.enforce_limits()
    monkeypatch.setattr(spool, "MAX_WAITING", 1)
    keeper.enforce_limits()
    too_early = spool.why_full()

    later(EVERY_S)
    keeper.enforce_limits()

    assert too_early == ""
    assert "1 events wait" in spool.why_full()


def test_a_worker_that_has_grown_starts_anew(later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak must not take a laptop's memory over the weeks."""
    keeper = Housekeeping(Inbox())
    before = keeper.should_restart()
    monkeypatch.setattr(housekeeping, "MAX_MEMORY_BYTES", 1)
    later(SELF_EVERY_S)

    assert (before, keeper.should_restart()) == (False, True)


def test_half_an_update_is_not_started(
    later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Files come one after the other; the update is complete when the version file has stopped changing."""
    monkeypatch.setattr(wake, "ROOT", str(tmp_path))
    code = tmp_path / "behavior_plugin"
    code.mkdir()
    (code / "__init__.py").write_text("1")
    keeper = Housekeeping(Inbox())
    answers = []
    for content in ("", "22", "333", ""):
        if content:
            (code / "__init__.py").write_text(content)
        later(SELF_EVERY_S)
        answers.append(keeper.should_restart())

    assert answers == [False, False, False, True]


def test_a_worker_whose_plugin_was_removed_restarts(
    later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is nothing to restart with, so it ends."""
    monkeypatch.setattr(wake, "ROOT", str(tmp_path))
    (tmp_path / "behavior_plugin").mkdir()
    version = tmp_path / "behavior_plugin" / "__init__.py"
    version.touch()
    keeper = Housekeeping(Inbox())
    version.unlink()
    answers = []
    for _ in range(2):
        later(SELF_EVERY_S)
        answers.append(keeper.should_restart())

    assert answers == [False, True]
