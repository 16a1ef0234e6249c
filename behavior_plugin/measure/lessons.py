"""Replay the lessons: count those that failed calls would have got from earlier sessions.

The rule is that of a running session (`patterns.repeats`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from behavior_plugin.measure.intervals import MIN_CASES
from behavior_plugin.measure.past import PastWork
from behavior_plugin.measure.replay import known_times
from behavior_plugin.model import Frozen
from behavior_plugin.patterns.lessons import merge_lessons
from behavior_plugin.patterns.repeats import lesson_for
from behavior_plugin.workflow import Lesson


class LessonsMet(Frozen):
    """The sessions, their failed calls that a lesson may fit, and the lessons met: each once in a session.

    `per_session` is None where the sessions are too few to say.
    """

    sessions: int
    failures: int
    lessons: int
    per_session: float | None


def lessons_met(
    history: Sequence[PastWork],
    *,
    since: datetime | None = None,
    is_told: Callable[[Lesson], bool] = lambda _: True,
) -> LessonsMet:
    """Count the lessons that sessions since a day would have met, of those that their own project knew then.

    Only lessons that `is_told` approves of are told.
    """
    by_project: defaultdict[str, list[PastWork]] = defaultdict(list)
    for work in history:
        by_project[work.project].append(work)
    known_at = known_times(history)
    counts = [_met(works, known_at, since, is_told) for works in by_project.values()]
    sessions = len({work.session_id for work in history if since is None or work.started_at >= since})
    lessons = sum(met for _, met in counts)
    return LessonsMet(
        sessions=sessions,
        failures=sum(failures for failures, _ in counts),
        lessons=lessons,
        per_session=lessons / sessions if sessions >= MIN_CASES else None,
    )


def _met(
    works: Sequence[PastWork],
    known_at: Mapping[str, datetime],
    since: datetime | None,
    is_told: Callable[[Lesson], bool],
) -> tuple[int, int]:
    """The failed calls of one project, and the lessons that were met."""
    waiting = sorted((work for work in works if work.lessons), key=lambda work: known_at[work.source_key], reverse=True)
    found: list[tuple[str, Lesson]] = []
    lessons: tuple[Lesson, ...] = ()
    failures = 0
    met: set[tuple[str, str, str]] = set()
    for work in sorted(works, key=lambda work: work.started_at):
        if since is not None and work.started_at < since:
            continue
        is_new = False
        while waiting and known_at[waiting[-1].source_key] < work.started_at:
            taught = waiting.pop()
            found += [(taught.session_id, lesson) for lesson in taught.lessons]
            is_new = True
        if is_new:
            lessons = merge_lessons(found)
        failures += len(work.failed)
        met |= {
            (work.session_id, lesson.failed, lesson.worked)
            for call in work.failed
            if (lesson := lesson_for(call, work.root, lessons)) and is_told(lesson)
        }
    return failures, len(met)
