"""How a log of any length is told: each event completed, and no more of it held than what still goes on."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.agents import recorder
from behavior_plugin.agents.prompts import PromptKind, kind_of
from behavior_plugin.agents.recorder import Telling
from behavior_plugin.model import Context, Event, EventKind, Outcome
from tests.factories import START, make_action


@pytest.fixture
def told() -> Telling:
    return Telling("session", "agent")


def prompt(told: Telling, said: str, prompt_id: str | None = None) -> None:
    told.add(EventKind.PROMPT, name="user", at=START, context=Context(), prompt=said, prompt_id=prompt_id)


def call(told: Telling, name: str, **more: Any) -> None:
    action = make_action(id=name, outcome=Outcome.PARTIAL, duration_ms=None)
    told.add(EventKind.ACTION, name="call", at=START, context=Context(), action=action, waits_for=name, **more)


def ids(events: list[Event]) -> list[str | None]:
    return [event.action.id if event.action else event.prompt for event in events]


def outcomes(events: list[Event]) -> list[Outcome]:
    return [event.action.outcome for event in events if event.action]


def test_a_call_is_completed_where_it_stands(told: Telling) -> None:
    """Its end comes when others have begun, and only one end counts."""
    call(told, "a")
    call(told, "b")

    told.complete("a", outcome=Outcome.FAILED, files=("x.py",))
    told.complete("a", outcome=Outcome.SUCCESS)
    told.complete("nobody", outcome=Outcome.SUCCESS)

    events = told.take_all()
    assert outcomes(events) == [Outcome.FAILED, Outcome.PARTIAL]
    assert [event.files for event in events] == [("x.py",), ()]


def test_only_what_is_finished_is_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the log, and no work is cut in two."""
    monkeypatch.setattr(recorder, "MOST_EVENTS", 4)
    told = Telling("session", "agent")
    prompt(told, "fix the first", "p1")
    call(told, "a")
    prompt(told, "fix the second", "p2")
    few = told.take_finished()
    call(told, "b")

    taken = told.take_finished()
    told.complete("b", outcome=Outcome.SUCCESS)
    call(told, "c")
    rest = told.take_all()

    assert few == []
    assert (ids(taken), ids(rest)) == (["fix the first", "a"], ["fix the second", "b", "c"])
    assert [event.order for event in [*taken, *rest]] == [0, 1, 2, 3, 4]
    assert outcomes(rest) == [Outcome.SUCCESS, Outcome.PARTIAL]


def test_what_comes_of_what_was_taken_out_hits_nothing_else(told: Telling) -> None:
    """Another event stands in its place by then."""
    prompt(told, "fix the first", "p1")
    call(told, "a")
    told.take_all()
    prompt(told, "fix the second", "p2")
    call(told, "b", prompt_id="p2")

    late = told.waiting("a")
    told.complete("a", outcome=Outcome.SUCCESS, files=("x.py",))
    told.rename_prompt(0, "other")
    told.rename_prompt(1, "other")

    events = told.take_all()
    assert late is None
    assert outcomes(events) == [Outcome.PARTIAL]
    assert [(event.prompt_id, event.files) for event in events] == [("p2", ()), ("p2", ())]


def test_an_event_that_is_still_here_is_given_another_prompt(told: Telling) -> None:
    """A place is the event's number in the log, whatever was taken out before it."""
    prompt(told, "fix the first", "p1")
    told.take_all()
    prompt(told, "fix the second", "p2")

    told.rename_prompt(1, "other")

    assert [event.prompt_id for event in told.take_all()] == ["other"]


def test_a_prompt_that_steers_begins_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to the work that it was typed during."""
    monkeypatch.setattr(recorder, "MOST_EVENTS", 3)
    told = Telling("session", "agent")
    prompt(told, "fix the first", "p1")
    call(told, "a")
    prompt(told, "and mind the tests", "p1")
    call(told, "b")

    assert told.take_finished() == []
    assert ids(told.take_all()) == ["fix the first", "a", "and mind the tests", "b"]


def test_work_without_end_is_not_looked_through_at_each_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single task with a hundred thousand calls must not take hours."""
    monkeypatch.setattr(recorder, "MOST_EVENTS", 10)
    looks: list[str] = []

    def look(said: str) -> PromptKind:
        looks.append(said)
        return kind_of(said)

    monkeypatch.setattr(recorder, "kind_of", look)
    told = Telling("session", "agent")
    prompt(told, "fix it all", "p1")
    for number in range(200):
        call(told, f"t{number}")
        assert told.take_finished() == []

    assert len(told.take_all()) == 201
    assert 0 < len(looks) <= 20
