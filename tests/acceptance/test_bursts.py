"""Run many hooks at the same moment, with a worker that files their events meanwhile: none is lost, joined or doubled.

On a busy machine a hook may run out of time and report the loss; its event then counts as not accepted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.marked_sessions import MarkedSession, check_liveness, everything_learned, run_together
from tests.oracle import Oracle

pytestmark = pytest.mark.usefixtures("clean_ending", "no_embedder")


def test_fifty_simultaneous_calls_of_one_session_are_learned(project: Path) -> None:
    """Parallel calls end together, and so do a subagent's."""
    oracle = Oracle()
    session = MarkedSession(oracle, 1, project)
    session.begin()
    session.ask()

    run_together(*[session.call] * 50)
    session.stop()
    session.end()
    [pattern] = everything_learned()

    ended = oracle.check([pattern], is_over=True)
    assert ended["stored"] == ended["accepted"] > 40
    check_liveness(oracle, project)


def play(session: MarkedSession) -> None:
    """Twenty events: two prompts with their calls, one of which fails each time, and five calls after the last turn."""
    session.begin()
    for calls in (3, 4):
        session.ask()
        for _ in range(calls):
            session.call()
        session.call(event="PostToolUseFailure")
        session.stop()
    for _ in range(5):
        session.call()
    session.end()


def test_twenty_simultaneous_sessions_are_learned(project: Path) -> None:
    """Many agents may run on one machine."""
    oracle = Oracle()
    sessions = [MarkedSession(oracle, number, project) for number in range(1, 21)]

    run_together(*(partial(play, session) for session in sessions))
    patterns = everything_learned()

    ended = oracle.check(patterns, is_over=True)
    assert ended["accepted"] > 300
    assert ended["stored"] + ended["dead"] >= ended["accepted"]
    check_liveness(oracle, project)
