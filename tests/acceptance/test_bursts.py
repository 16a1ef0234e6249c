"""Many hooks at the same moment, with a real worker that files while they write: none lost, none glued, none twice.

Where a machine is busy enough a hook runs out of its second and says so; that is no loss, and counts as not accepted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.clients import MarkedSession, at_once, check_liveness, everything_learned
from tests.oracle import Oracle

pytestmark = pytest.mark.usefixtures("clean_ending", "no_embedder")


def test_fifty_calls_of_one_session_that_end_at_once(project: Path) -> None:
    """Parallel calls, and a subagent's beside them, report together."""
    oracle = Oracle()
    session = MarkedSession(oracle, 1, project)
    session.begin()
    session.ask()

    at_once(*[session.call] * 50)
    session.stop()
    session.end()
    [pattern] = everything_learned()

    ended = oracle.check([pattern], is_over=True)
    assert ended["stored"] == ended["accepted"] > 40
    check_liveness(oracle, project)


def play(session: MarkedSession) -> None:
    """Twenty events: two prompts with eight calls, one of which failed."""
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


def test_twenty_sessions_at_once_with_twenty_events_each(project: Path) -> None:
    """A team of agents on one machine."""
    oracle = Oracle()
    sessions = [MarkedSession(oracle, number, project) for number in range(1, 21)]

    at_once(*(partial(play, session) for session in sessions))
    patterns = everything_learned()

    ended = oracle.check(patterns, is_over=True)
    assert ended["accepted"] > 300
    assert ended["stored"] + ended["dead"] >= ended["accepted"]
    check_liveness(oracle, project)
