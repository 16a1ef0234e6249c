"""A pending session is live or over, whatever the clock says."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest

from behavior_plugin.agents.payload import EventHeader
from behavior_plugin.model import Event
from behavior_plugin.worker.pending_session import SILENCE_S, PendingSession
from tests.acceptance.sessions import running_agent
from tests.factories import make_event, make_prompt

MACHINE = os.uname().nodename
YEARS = timedelta(days=3650)


def session(*events: Event) -> PendingSession:
    made = PendingSession("key", "s", events[0].at)
    for event in events:
        made.note(header(event))
    return made


def header(event: Event) -> EventHeader:
    return EventHeader(**{name: getattr(event, name) for name in EventHeader.model_fields})


def now() -> datetime:
    return datetime.now(UTC)


def test_a_session_is_live_while_its_agent_runs() -> None:
    """Long silence is normal: a person may be at lunch."""
    with running_agent() as agent:
        found = session(make_event("session_start", agent_pid=agent.pid, machine=MACHINE, at=now()))
        found.seen -= 10 * SILENCE_S
        was_live, was_over = found.is_live(), found.is_over(1)

    assert (was_live, was_over) == (True, False)
    assert found.is_over(1)


def test_another_process_with_the_same_pid_does_not_count() -> None:
    """The system reuses pids, on a laptop within hours."""
    with running_agent() as agent:
        found = session(make_prompt("fix it", agent_pid=agent.pid, machine=MACHINE, at=now() - timedelta(hours=1)))

        assert not found.is_live()


@pytest.mark.parametrize("jump", [-YEARS, YEARS])
def test_a_jump_of_the_clock_ends_no_session(jump: timedelta, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock would be wrong by years."""
    with running_agent() as agent:
        found = session(make_event("session_start", agent_pid=agent.pid, machine=MACHINE, at=now()))
        found.note(header(make_event("turn_end", agent_pid=agent.pid, machine=MACHINE, at=now() + jump)))

        assert found.is_live()
        assert not found.is_over(0)


def test_an_agent_on_another_machine_is_judged_by_its_silence() -> None:
    """Two machines may share a home, and a pid of another machine means nothing here."""
    with running_agent() as agent:
        found = session(make_event("session_start", agent_pid=agent.pid, machine="elsewhere", at=now()))
    was_live = found.is_live()
    found.seen -= SILENCE_S

    assert was_live
    assert found.is_over(1)


def test_a_resumed_session_belongs_to_its_new_process() -> None:
    """The first process has ended."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    with running_agent() as agent:
        found = session(
            make_event("session_start", agent_pid=gone.pid, machine=MACHINE, at=now()),
            make_event("session_start", agent_pid=agent.pid, machine=MACHINE, at=now(), reason="resume"),
        )

        assert found.is_live()


def test_an_end_read_before_the_prompt_still_counts() -> None:
    """A directory listing taken during writes can miss the older of two records."""
    prompt, end = make_prompt("fix it"), make_event("session_end")

    assert session(end, prompt).is_ended


def test_a_late_end_does_not_end_a_resumed_session() -> None:
    """The hook of the end runs beside the agent, which may be back before the hook is done."""
    end, start = make_event("session_end"), make_event("session_start", reason="resume")

    assert not session(start, end).is_ended


def test_a_late_call_does_not_reopen_an_ended_session() -> None:
    """Hooks of calls run beside the session; only a start or a prompt reopens it."""
    found = session(make_event("session_start"), make_event("session_end"), make_event("turn_end"))
    was_ended = found.is_ended
    found.note(header(make_prompt("one more thing")))

    assert (was_ended, found.is_ended) == (True, False)


def test_a_session_goes_on_after_the_machine_was_started_again() -> None:
    """The order of its events begins anew, and a session that was taken for over would be torn apart."""
    ended = make_event("session_end", boot="first", order=10**12)
    resumed = make_prompt("go on", boot="second", order=5)
    late = make_event("action", boot="second", order=6)

    assert session(ended).is_ended
    assert not session(ended, resumed, late).is_ended
    assert session(ended, make_prompt("typed before the end", boot="first", order=5)).is_ended
