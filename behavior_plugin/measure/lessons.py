"""Replay the lessons: count the failed commands with a lesson from an earlier session."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from behavior_plugin.measure.past import FailedCall, PastWork
from behavior_plugin.measure.replay import known_times
from behavior_plugin.patterns.failures import words_of
from behavior_plugin.patterns.lessons import merge_lessons
from behavior_plugin.workflow import Lesson

# Two errors are the same if they have this share of their words in common.
MIN_ALIKE = 0.5


@dataclass(frozen=True)
class Met:
    """The sessions, their failed commands, and the lessons they would have met: each once in a session."""

    sessions: int
    failures: int
    lessons: int


def lessons_met(history: Sequence[PastWork], *, since: datetime | None = None) -> Met:
    """Count the lessons that sessions since a day would have met, of those that their own project knew then."""
    by_project: defaultdict[str, list[PastWork]] = defaultdict(list)
    for work in history:
        by_project[work.project].append(work)
    known_at = known_times(history)
    counts = [_met(works, known_at, since) for works in by_project.values()]
    sessions = {work.session_id for work in history if since is None or work.started_at >= since}
    return Met(len(sessions), sum(failures for failures, _ in counts), sum(lessons for _, lessons in counts))


def _met(works: Sequence[PastWork], known_at: Mapping[str, datetime], since: datetime | None) -> tuple[int, int]:
    """The failed commands of one project, and the lessons that were met."""
    waiting = sorted((work for work in works if work.lessons), key=lambda work: known_at[work.source_key], reverse=True)
    found: list[tuple[str, Lesson]] = []
    lessons: defaultdict[str, list[Lesson]] = defaultdict(list)
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
            lessons = defaultdict(list)
            for lesson in merge_lessons(found):
                lessons[lesson.failed].append(lesson)
        failures += len(work.failed)
        met |= {
            (work.session_id, lesson.failed, lesson.worked)
            for call in work.failed
            for text in call.texts
            for lesson in lessons[text]
            if _is_same_error(call, lesson)
        }
    return failures, len(met)


def _is_same_error(call: FailedCall, lesson: Lesson) -> bool:
    """Whether a command failed as it did before; where one of the two said nothing, that is taken for the same."""
    words, others = words_of(call.error), words_of(lesson.error)
    return not words or not others or len(words & others) >= MIN_ALIKE * len(words | others)
