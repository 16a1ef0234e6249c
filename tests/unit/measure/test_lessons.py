"""Lessons that a session would have met: those known then that fit its failed calls."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.measure.lessons import LessonsMet, lessons_met
from behavior_plugin.measure.past import PastWork
from behavior_plugin.model import Outcome
from behavior_plugin.workflow import Lesson
from tests.factories import make_action
from tests.unit.measure.history import at, past

ERROR = "error: unrecognized subcommand 'bun'"
LESSON = Lesson(failed="rtk bun test", worked="bun test", error=ERROR, is_plain=True)


def failed(hour: float, command: str = "rtk bun test", *, error: str = ERROR, **changes: Any) -> PastWork:
    call = make_action(parameters={"command": command}, outcome=Outcome.FAILED, error=error)
    return past(hour, **{"failed": (call,), **changes})


def taught(hour: float, lesson: Lesson = LESSON, **changes: Any) -> PastWork:
    return failed(hour, lessons=(lesson,), **changes)


def test_a_command_that_fails_again_meets_its_lesson() -> None:
    assert lessons_met([taught(1), failed(2)]) == LessonsMet(sessions=2, failures=2, lessons=1, per_session=None)
    assert lessons_met([failed(1), taught(2)]).lessons == 0


def test_a_lesson_is_known_once_its_session_is_over() -> None:
    """A later session that begins before does not know it, and neither does the session itself."""
    assert lessons_met([taught(1, until=3), failed(2), failed(4)]).lessons == 1
    assert lessons_met([taught(1, session_id="a"), failed(2, session_id="a")]).lessons == 0


def test_a_session_meets_a_lesson_once() -> None:
    """It is shown once."""
    again = [failed(hour, session_id="a") for hour in (2, 3)]

    assert lessons_met([taught(1), *again, failed(4)]) == LessonsMet(
        sessions=3, failures=4, lessons=2, per_session=None
    )


@pytest.mark.parametrize(
    ("call", "is_met"),
    [
        (failed(2, "rtk npm test"), False),
        (failed(2, "git add cart.ts && rtk bun test"), True),
        (failed(2, error="3 tests failed in cart.test.ts"), False),
        (failed(2, error="Exit code 2\nerror: unrecognized subcommand 'bun'\nUsage: rtk COMMAND"), True),
        (failed(2, error=""), False),
        (failed(2, project="other"), False),
    ],
)
def test_only_the_same_failure_in_the_same_project_counts(call: PastWork, is_met: bool) -> None:
    assert lessons_met([taught(1), call]).lessons == is_met


def test_a_lesson_that_may_be_chance_needs_two_sessions() -> None:
    """As with the lessons of notes (`merge_lessons`)."""
    unsure = LESSON.model_copy(update={"is_plain": False})

    assert lessons_met([taught(1, unsure), failed(2)]).lessons == 0
    assert lessons_met([taught(1, unsure), taught(2, unsure), failed(3)]).lessons == 1


def test_since_counts_later_sessions_and_knows_earlier_lessons() -> None:
    assert lessons_met([taught(1), failed(2), failed(3)], since=at(3)) == LessonsMet(
        sessions=1, failures=1, lessons=1, per_session=None
    )
    assert lessons_met([]) == LessonsMet(sessions=0, failures=0, lessons=0, per_session=None)


@pytest.mark.parametrize(("sessions", "share"), [(29, None), (30, 29 / 30)])
def test_few_sessions_make_no_claim(sessions: int, share: float | None) -> None:
    history = [taught(0), *(failed(hour) for hour in range(1, sessions))]

    assert lessons_met(history).per_session == share


def test_only_lessons_that_would_be_told_count() -> None:
    """With `suggestions = "quiet"` one session is not enough."""
    history = [taught(1), failed(2), taught(3), failed(4)]

    assert lessons_met(history).lessons == 3
    assert lessons_met(history, is_told=lambda lesson: lesson.sessions > 1).lessons == 1
