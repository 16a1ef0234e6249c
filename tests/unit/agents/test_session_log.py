"""How a session is put together from what any agent's log tells, and in whose words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.agents import recorder, session_log, subagents
from behavior_plugin.agents.log_file import Reading
from behavior_plugin.agents.session_log import Session
from behavior_plugin.agents.subagents import Subagents
from behavior_plugin.model import Event, EventKind, Outcome
from tests.factories import START, make_call
from tests.logs import told


def records(*values: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    return enumerate(values, start=1)


def test_a_record_that_breaks_the_reader_is_told_of_and_passed_over() -> None:
    """What nobody thought of must not cost the rest of the session."""
    reader = Session("agent", "s-1")
    skipped: list[tuple[int, str]] = []

    def take(record: dict[str, Any]) -> str | None:
        reader.prompt("x" * len(record["said"]), START)
        return "odd" if record["said"] == "odd" else None

    read = session_log.read(
        records({"said": "a"}, {"said": "odd"}, {"said": 7}, {"said": "aa"}),
        reader,
        take,
        lambda line, reason: skipped.append((line, reason)),
    )

    assert [told(part) for part in read] == [["x", "xxx", "xx"]]
    assert skipped == [(2, "odd"), (3, "the record cannot be read (TypeError)")]


def test_a_long_session_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """It need not be held whole."""
    monkeypatch.setattr(recorder, "MOST_EVENTS", 2)
    reader = Session("agent", "s-1")

    def take(record: dict[str, Any]) -> None:
        reader.prompt(f"Task {record['n']}", START, prompt_id=record["n"])
        reader.call(record["n"], "Bash", {"command": "make"}, START)

    parts = list(session_log.read(records({"n": "1"}, {"n": "2"}, {"n": "3"}), reader, take, lambda *_: None))

    assert [len(part) for part in parts] == [2, 2, 2]
    assert [event.order for part in parts for event in part] == [0, 1, 2, 3, 4, 5]


def test_a_subagents_own_log_is_read_where_it_was_started() -> None:
    """So its calls are in the same part, and what it was told is no prompt of a person's."""
    reader = Session("agent", "s-1")
    logs = {"a": ["b", "a"], "b": ["c"], "../a": ["x"]}
    asked: list[str] = []

    def take(record: dict[str, Any]) -> None:
        reader.prompt(f"Task of {reader.agent}", START, prompt_id=reader.agent)
        reader.call(f"{reader.agent} starts {record['n']}", "Agent", {}, START, started_agent=record["n"])
        if reader.agent != "main" or record["n"] == "../a":
            reader.end_turn(START)

    def records_of(agent: str) -> session_log.Records:
        asked.append(agent)
        return records(*({"n": name} for name in logs.get(agent, [])))

    [events] = session_log.read(records({"n": "a"}, {"n": "../a"}), reader, take, lambda *_: None, records_of)

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


def test_each_subagent_is_followed_once_and_there_is_an_end_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forged log may name any number, in circles; of a session that comes in parts the bound is the same."""
    monkeypatch.setattr(subagents, "MOST_SUBAGENTS", 3)
    starts = {"a": ["b", "a", "main"], "b": ["a", "user"], "c": ["d", "e"], "d": [], "../x": []}
    asked: list[str] = []

    def read_one(_: Path, agent: str) -> list[Event]:
        asked.append(agent)
        return [make_call("Agent", id=f"{agent}-{other}", agent=agent, started_agent=other) for other in starts[agent]]

    those = Subagents(lambda agent: [Path(agent)], read_one, Reading())
    first = those.followed([make_call("Agent", id="1", started_agent="a")])
    second = those.followed([make_call("Agent", id=name, started_agent=name) for name in ("a", "c", "../x")])

    assert asked == ["a", "b", "c"]
    assert [event.action.id for event in first if event.action] == ["a-b", "a-a", "a-main", "b-a", "b-user"]
    assert [event.action.id for event in second if event.action] == ["c-d", "c-e"]


def test_a_log_is_asked_for_by_no_more_names_than_a_session_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bound holds where subagents are read as they are started."""
    monkeypatch.setattr(subagents, "MOST_SUBAGENTS", 3)
    reader = Session("agent", "s-1")
    asked: list[str] = []

    def take(record: dict[str, Any]) -> None:
        reader.call(record["n"], "Agent", {}, START, started_agent=record["n"])

    def records_of(agent: str) -> session_log.Records:
        asked.append(agent)
        return ()

    list(session_log.read(records(*({"n": f"a{n}"} for n in range(9))), reader, take, lambda *_: None, records_of))

    assert asked == ["a0", "a1", "a2"]


def test_a_call_whose_end_nobody_timed_has_no_duration() -> None:
    """None is better than a wrong one: the fastest run is shown."""
    reader = Session("agent", "s-1")
    for name in ("a", "b", "c"):
        reader.call(name, "Bash", {}, START)

    reader.result("a", None, Outcome.SUCCESS)
    reader.result("b", START + timedelta(seconds=1), Outcome.SUCCESS)
    reader.result("c", None, Outcome.SUCCESS, duration_ms=7)

    actions = [event.action for event in reader.rest() if event.action]
    assert [action.duration_ms for action in actions] == [None, 1000, 7]
    assert [action.duration_source is None for action in actions] == [True, False, False]


def test_a_line_of_the_users_shell_opens_no_turn() -> None:
    """So there is none to end."""
    reader = Session("agent", "s-1")

    reader.call("a", "Bash", {}, START, agent="user")
    reader.end_turn(START)

    assert not reader.is_working
    assert [event.kind for event in reader.rest()] == [EventKind.ACTION]
