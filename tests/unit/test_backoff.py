"""A thing that has failed is left alone, each time for longer."""

from __future__ import annotations

import time

import pytest

from behavior_plugin.backoff import FIRST_S, MAX_S, Backoff


class Clock:
    """A monotonic clock that the test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def pause(backoff: Backoff, clock: Clock) -> float:
    """How long it is not tried after one more failure."""
    backoff.note_failure()
    failed_at = clock.now
    while not backoff.may_try():
        clock.now += 0.01
    return clock.now - failed_at


def test_each_failure_in_a_row_doubles_the_pause_up_to_a_limit(clock: Clock) -> None:
    backoff = Backoff()
    assert backoff.may_try()

    pauses = [pause(backoff, clock) for _ in range(9)]

    bounds = [min(FIRST_S * 2**number, MAX_S) for number in range(9)]
    assert all(bound / 2 <= waited <= bound + 0.02 for waited, bound in zip(pauses, bounds, strict=True))
    assert len({waited / bound for waited, bound in zip(pauses, bounds, strict=True)}) > 1  # jitter


def test_a_success_or_a_person_ends_the_pause(clock: Clock) -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.note_failure()

    backoff.end_pause()
    assert backoff.may_try()
    backoff.note_success()

    assert pause(backoff, clock) <= FIRST_S + 0.02
