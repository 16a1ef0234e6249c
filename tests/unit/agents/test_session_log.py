"""The log of any agent becomes the events of one session."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import session_log, subagents
from behavior_plugin.agents.log_file import LogReader
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.agents.session_log import SessionLog, SessionRecorder
from behavior_plugin.agents.subagents import Subagents
from behavior_plugin.model import Context, Event, EventKind, Outcome
from tests.factories import START, make_action, make_call
from tests.logs import summary


def records(*values: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate(values, start=1)


def test_a_record_that_raises_is_reported_and_skipped() -> None:
    """An unforeseen record must not cost the rest of the session."""
    reader = SessionLog("agent", "s-1")
    skipped: list[tuple[int, str]] = []

    def take(record: dict[str, Any]) -> str | None:
        reader.prompt("x" * len(record["said"]), START)
        return "odd" if record["said"] == "odd" else None

    read = session_log.read_session(
        records({"said": "a"}, {"said": "odd"}, {"said": 7}, {"said": "aa"}),
        reader,
        take,
        lambda line, reason: skipped.append((line, reason)),
    )

    assert [summary(part) for part in read] == [["x", "xxx", "xx"]]
    assert skipped == [(2, "odd"), (3, "the record cannot be read (TypeError)")]


def test_a_long_session_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It need not be held whole."""
    monkeypatch.setattr(session_log, "MAX_EVENTS", 2)
    reader = SessionLog("agent", "s-1")

    def take(record: dict[str, Any]) -> None:
        reader.prompt(f"Task {record['n']}", START, prompt_id=record["n"])
        reader.call(record["n"], "Bash", {"command": "make"}, START)

    parts = list(session_log.read_session(records({"n": "1"}, {"n": "2"}, {"n": "3"}), reader, take, lambda *_: None))

    assert [len(part) for part in parts] == [2, 2, 2]
    assert [event.order for part in parts for event in part] == [0, 1, 2, 3, 4, 5]


def test_a_subagents_log_is_read_at_the_call_that_started_it() -> None:
    """So its calls are in the same part, and its task is no prompt of a person."""
    reader = SessionLog("agent", "s-1")
    logs = {"a": ["b", "a"], "b": ["c"], "../a": ["x"]}
    asked: list[str] = []

    def take(record: dict[str, Any]) -> None:
        reader.prompt(f"Task of {reader.actor}", START, prompt_id=reader.actor)
        reader.call(f"{reader.actor} starts {record['n']}", "Agent", {}, START, started_agent=record["n"])
        if reader.actor != "main" or record["n"] == "../a":
            reader.end_turn(START)

    def records_of(agent: str) -> session_log.Records:
        asked.append(agent)
        return records(*({"n": name} for name in logs.get(agent, [])))

    [events] = session_log.read_session(records({"n": "a"}, {"n": "../a"}), reader, take, lambda *_: None, records_of)

    assert asked == ["a", "b", "c"]
    assert [event.prompt or (event.action and event.action.id) or event.kind.value for event in events] == [
        "Task of main",
        "main starts a",
        "a starts b",
        "a starts a",
        "b starts c",
        "main starts ../a",
        "turn_end",
    ]


def test_each_subagent_is_read_once_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged log may name any number, in circles; of a session that comes in parts the bound is the same."""
    monkeypatch.setattr(subagents, "MAX_SUBAGENTS", 3)
    starts = {"a": ["b", "a", "main"], "b": ["a", "user"], "c": ["d", "e"], "d": [], "../x": []}
    asked: list[str] = []

    def read_one(_: Path, agent: str) -> list[Event]:
        asked.append(agent)
        return [make_call("Agent", id=f"{agent}-{other}", actor=agent, started_agent=other) for other in starts[agent]]

    those = Subagents(lambda agent: [Path(agent)], read_one, LogReader())
    first = those.calls_named_in([make_call("Agent", id="1", started_agent="a")])
    second = those.calls_named_in([make_call("Agent", id=name, started_agent=name) for name in ("a", "c", "../x")])

    assert asked == ["a", "b", "c"]
    assert [event.action.id for event in first if event.action] == ["a-b", "a-a", "a-main", "b-a", "b-user"]
    assert [event.action.id for event in second if event.action] == ["c-d", "c-e"]


def test_a_forged_log_names_at_most_the_limit_of_subagents(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bound holds where subagents are read as they are started."""
    monkeypatch.setattr(session_log, "MAX_SUBAGENTS", 3)
    reader = SessionLog("agent", "s-1")
    asked: list[str] = []

    def take(record: dict[str, Any]) -> None:
        reader.call(record["n"], "Agent", {}, START, started_agent=record["n"])

    def records_of(agent: str) -> session_log.Records:
        asked.append(agent)
        return ()

    list(
        session_log.read_session(
            records(*({"n": f"a{n}"} for n in range(9))), reader, take, lambda *_: None, records_of
        )
    )

    assert asked == ["a0", "a1", "a2"]


def test_a_call_without_an_end_time_has_no_duration() -> None:
    """None is better than a wrong one: the fastest run is shown."""
    reader = SessionLog("agent", "s-1")
    for name in ("a", "b", "c"):
        reader.call(name, "Bash", {}, START)

    reader.result("a", None, Outcome.SUCCESS)
    reader.result("b", START + timedelta(seconds=1), Outcome.SUCCESS)
    reader.result("c", None, Outcome.SUCCESS, duration_ms=7)

    actions = [event.action for event in reader.drain() if event.action]
    assert [action.duration_ms for action in actions] == [None, 1000, 7]
    assert [action.duration_source is None for action in actions] == [True, False, False]


def test_a_user_shell_line_opens_no_turn() -> None:
    """So there is none to end."""
    reader = SessionLog("agent", "s-1")

    reader.call("a", "Bash", {}, START, actor="user")
    reader.end_turn(START)

    assert not reader.is_working
    assert [event.kind for event in reader.drain()] == [EventKind.ACTION]


@pytest.fixture
def recorder() -> SessionRecorder:
    return SessionRecorder("agent", "session")


def prompt(recorder: SessionRecorder, said: str, prompt_id: str | None = None) -> None:
    recorder.add(EventKind.PROMPT, name="user", at=START, context=Context(), prompt_id=prompt_id, **read_prompt(said))


def call(recorder: SessionRecorder, name: str, **more: Any) -> None:
    action = make_action(id=name, outcome=Outcome.PARTIAL, duration_ms=None)
    recorder.add(EventKind.ACTION, name="call", at=START, context=Context(), action=action, pending_id=name, **more)


def ids(events: list[Event]) -> list[str | None]:
    return [event.action.id if event.action else event.prompt for event in events]


def outcomes(events: list[Event]) -> list[Outcome]:
    return [event.action.outcome for event in events if event.action]


def test_a_completed_call_keeps_its_place(recorder: SessionRecorder) -> None:
    """Its end comes when others have begun, and only one end counts."""
    call(recorder, "a")
    call(recorder, "b")

    recorder.complete("a", outcome=Outcome.FAILED, files=("x.py",))
    recorder.complete("a", outcome=Outcome.SUCCESS)
    recorder.complete("nobody", outcome=Outcome.SUCCESS)

    events = recorder.drain()
    assert outcomes(events) == [Outcome.FAILED, Outcome.PARTIAL]
    assert [event.files for event in events] == [("x.py",), ()]


def test_only_finished_work_is_drained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with the log, and no work is cut in two."""
    monkeypatch.setattr(session_log, "MAX_EVENTS", 4)
    recorder = SessionRecorder("agent", "session")
    prompt(recorder, "fix the first", "p1")
    call(recorder, "a")
    prompt(recorder, "fix the second", "p2")
    few = recorder.drain_completed()
    call(recorder, "b")

    taken = recorder.drain_completed()
    recorder.complete("b", outcome=Outcome.SUCCESS)
    call(recorder, "c")
    rest = recorder.drain()

    assert few == []
    assert (ids(taken), ids(rest)) == (["fix the first", "a"], ["fix the second", "b", "c"])
    assert [event.order for event in [*taken, *rest]] == [0, 1, 2, 3, 4]
    assert outcomes(rest) == [Outcome.SUCCESS, Outcome.PARTIAL]


def test_results_of_drained_calls_are_ignored(recorder: SessionRecorder) -> None:
    """Another event stands in its place by then."""
    prompt(recorder, "fix the first", "p1")
    call(recorder, "a")
    recorder.drain()
    prompt(recorder, "fix the second", "p2")
    call(recorder, "b", prompt_id="p2")

    late = recorder.pending("a")
    recorder.complete("a", outcome=Outcome.SUCCESS, files=("x.py",))
    recorder.rename_prompt(0, "other")
    recorder.rename_prompt(1, "other")

    events = recorder.drain()
    assert late is None
    assert outcomes(events) == [Outcome.PARTIAL]
    assert [(event.prompt_id, event.files) for event in events] == [("p2", ()), ("p2", ())]


def test_only_events_that_are_still_held_get_another_prompt_id(recorder: SessionRecorder) -> None:
    """A place is the event's number in the log, whatever was taken out before it."""
    prompt(recorder, "fix the first", "p1")
    recorder.drain()
    prompt(recorder, "fix the second", "p2")

    recorder.rename_prompt(1, "other")

    assert [event.prompt_id for event in recorder.drain()] == ["other"]


def test_a_steering_prompt_begins_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to the work that it was typed during."""
    monkeypatch.setattr(session_log, "MAX_EVENTS", 3)
    recorder = SessionRecorder("agent", "session")
    prompt(recorder, "fix the first", "p1")
    call(recorder, "a")
    prompt(recorder, "and mind the tests", "p1")
    call(recorder, "b")

    assert recorder.drain_completed() == []
    assert ids(recorder.drain()) == ["fix the first", "a", "and mind the tests", "b"]


def test_endless_work_is_not_searched_at_each_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """A single task with a hundred thousand calls must not take hours."""
    monkeypatch.setattr(session_log, "MAX_EVENTS", 10)
    looks: list[int] = []

    class Recorder(SessionRecorder):
        def _newest_task_index(self) -> int:
            looks.append(len(self.events))
            return super()._newest_task_index()

    recorder = Recorder("agent", "session")
    prompt(recorder, "fix it all", "p1")
    for number in range(200):
        call(recorder, f"t{number}")
        assert recorder.drain_completed() == []

    assert len(recorder.drain()) == 201
    assert 0 < len(looks) <= 20
