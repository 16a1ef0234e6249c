"""Find the lesson for a call that failed as an earlier one did."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from behavior_plugin.model import Action, Context
from behavior_plugin.patterns.repeats import lesson_for, may_repeat
from behavior_plugin.recall.offer import offered_lessons
from behavior_plugin.store import Store
from behavior_plugin.workflow import Lesson

# The projects whose lessons are kept in memory.
MAX_PROJECTS = 100


@dataclass(frozen=True)
class _Read:
    """The lessons of a project that may be offered, and the state of the database that they were read in."""

    state: tuple[object, ...]
    lessons: tuple[Lesson, ...]


class KnownLessons:
    """The lessons of the projects that asked last, in memory. Safe to use from several threads.

    Each call compares the state of the database, so lessons from other machines are found too.
    """

    def __init__(self, max_projects: int = MAX_PROJECTS) -> None:
        self._max_projects = max_projects
        # By project; the one that asked last is at the end.
        self._known: dict[str, _Read] = {}
        self._lock = threading.Lock()

    def find(self, action: Action, context: Context, *, store: Store) -> Lesson | None:
        """The lesson for a redacted call that has just failed in this place; mostly there is none.

        Raises:
            StoreError: the lessons cannot be read.
        """
        if not context.project or not may_repeat(action):
            return None
        return lesson_for(action, context.root or context.directory, self._up_to_date(context.project, store))

    def drop(self) -> None:
        """Drop the lessons in memory: something in them was forgotten."""
        with self._lock:
            self._known.clear()

    def _up_to_date(self, project: str, store: Store) -> tuple[Lesson, ...]:
        state = store.lessons_state(project)
        with self._lock:
            read = self._known.pop(project, None)
        if read is None or read.state != state:
            read = _Read(state, offered_lessons(store.lessons(project)))
        with self._lock:
            self._known[project] = read
            while len(self._known) > self._max_projects:
                del self._known[next(iter(self._known))]
        return read.lessons
