"""The worker forgets old work, or too much of it, by the settings; by default none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from behavior_plugin import api
from behavior_plugin.config import Settings
from behavior_plugin.forget import forget
from behavior_plugin.learn import save_turns
from behavior_plugin.store import Selection, Store
from behavior_plugin.worker import retention
from behavior_plugin.worker.retention import EVERY_S, FIRST_AFTER_S, Retention
from tests.factories import make_work
from tests.fakes import FakeStore

NOW = datetime.now(UTC)
EMPTY = dict.fromkeys(("patterns", "changed_patterns", "turns", "remarks", "waiting_sessions", "dead_letters"), 0)


class FakeForgetter:
    """Notes what it is asked to forget, and forgets it."""

    def __init__(self) -> None:
        self.asked: list[tuple[datetime | None, bool]] = []

    def run(self, selection: Selection, store: Store, *, is_marked: bool) -> api.ForgetReport:
        self.asked.append((selection.until, is_marked))
        assert selection == Selection(until=selection.until)
        until = selection.until or NOW
        _, done = forget(selection, _Before(store, until), is_marked=is_marked)
        return api.ForgetReport(
            **EMPTY, episodes=done.episodes, decisions=0, log_lines=0,
            examples=(), backups=(), open_sessions=(), left_in_files="",
        )  # fmt: skip


class _Before(FakeStore):
    """A store whose chosen work is that from before a moment."""

    def __init__(self, store: Store, until: datetime) -> None:
        assert isinstance(store, FakeStore)
        self.__dict__ = store.__dict__
        self._until = until

    def chosen(self, selection: Selection) -> list:  # type: ignore[type-arg]
        return [each for each in super().chosen(selection) if self.told[each.source_key].started_at < self._until]


class FakeResources:
    def __init__(self, store: FakeStore) -> None:
        self.is_open = True
        self._store = store

    def can_store(self) -> bool:
        return self.is_open

    def store(self, within_s: float) -> FakeStore:
        return self._store


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let time pass on the monotonic clock."""
    clock = [1000.0]
    monkeypatch.setattr("behavior_plugin.worker.retention.time.monotonic", lambda: clock[0])

    def advance(seconds: float) -> None:
        clock[0] += seconds

    return advance


def a_year(store: FakeStore) -> None:
    """Work of each of the last ten days, and of the day a year ago, by sessions."""
    ages = (365, *range(9, -1, -1))
    save_turns([make_work(session_id=f"{days}", started_at=NOW - timedelta(days=days)) for days in ages], store)


def left(store: FakeStore) -> set[int]:
    return {int(each.session_id) for each in store.told.values()}


def enforcing(store: FakeStore, **settings: int) -> tuple[Retention, FakeForgetter, FakeResources]:
    forgetter, resources = FakeForgetter(), FakeResources(store)
    return Retention(Settings(**settings), resources, forgetter), forgetter, resources


def test_by_default_everything_is_kept(later: Callable[[float], None]) -> None:
    a_year(store := FakeStore())
    kept, forgetter, _ = enforcing(store)

    later(2 * EVERY_S)
    kept.enforce()

    assert forgetter.asked == []


def test_work_older_than_the_days_goes(later: Callable[[float], None]) -> None:
    """A day as a whole, without marks."""
    a_year(store := FakeStore())
    kept, forgetter, _ = enforcing(store, keep_days=5)

    later(FIRST_AFTER_S)
    kept.enforce()

    midnight = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    assert forgetter.asked == [(midnight - timedelta(days=5), False)]
    assert left(store) == set(range(6))


def test_beyond_a_size_the_oldest_goes_and_a_tenth_more(
    later: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BYTES_PER_MB", 1)  # an episode of this store takes a byte
    a_year(store := FakeStore())
    kept, forgetter, _ = enforcing(store, keep_megabytes=10)

    later(FIRST_AFTER_S)
    kept.enforce()

    assert left(store) == set(range(9))
    later(EVERY_S)
    kept.enforce()
    assert len(forgetter.asked) == 1


def test_it_waits_for_the_clock_and_the_store_and_looks_once_an_hour(later: Callable[[float], None]) -> None:
    """A clock that is wrong for a moment must not cost anything."""
    a_year(store := FakeStore())
    kept, forgetter, resources = enforcing(store, keep_days=5)

    kept.enforce()
    later(FIRST_AFTER_S)
    resources.is_open = False
    kept.enforce()
    assert forgetter.asked == []

    resources.is_open = True
    kept.enforce()
    a_year(store)
    kept.enforce()
    assert len(forgetter.asked) == 1
    later(EVERY_S)
    kept.enforce()
    assert len(forgetter.asked) == 2
