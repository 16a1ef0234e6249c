"""The lessons of a project are read once, and again when the database has changed."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.model import Action, Context, Outcome
from behavior_plugin.recall.lessons import KnownLessons
from behavior_plugin.workflow import Lesson
from tests.factories import make_action, make_pattern, make_workflow
from tests.fakes import FakeStore

HERE = Context(directory="/repo/src", root="/repo", project="/p")
ERROR = "sh: 1: pytest: command not found"
LESSON = Lesson(failed="pytest", worked="uv run pytest", error=ERROR, is_plain=True)


class CountingStore(FakeStore):
    """Counts how often lessons are read."""

    reads = 0

    def lessons(self, project: str) -> list[Lesson]:
        self.reads += 1
        return super().lessons(project)

    def learns(self, *lessons: Lesson, project: str = "/p", key: str = "key", **changes: Any) -> None:
        context = Context(directory=project, root=project, project=project)
        self.add(make_pattern(source_key=key, context=context, workflow=make_workflow(lessons=lessons, **changes)))


def failed(command: str = "pytest", **changes: Any) -> Action:
    defaults = {"parameters": {"command": command}, "outcome": Outcome.FAILED, "error": f"Exit code 127\n{ERROR}"}
    return make_action(**{**defaults, **changes})


@pytest.fixture
def store() -> CountingStore:
    store = CountingStore()
    store.learns(LESSON)
    return store


def test_lessons_are_read_once(store: CountingStore) -> None:
    """A failed call waits for the answer."""
    known = KnownLessons()

    found = [known.find(failed(), HERE, store=store) for _ in range(3)]

    assert found == [LESSON] * 3
    assert store.reads == 1


def test_lessons_are_read_again_when_they_have_changed(store: CountingStore) -> None:
    """Another worker may have learned them."""
    known = KnownLessons()
    known.find(failed(), HERE, store=store)

    more = LESSON.model_copy(update={"failures": 5, "sessions": 3})
    store.learns(more)

    assert known.find(failed(), HERE, store=store) == more


def test_a_lesson_of_a_hidden_pattern_is_not_found(store: CountingStore) -> None:
    known = KnownLessons()
    known.find(failed(), HERE, store=store)

    store.learns(LESSON, is_hidden=True)

    assert known.find(failed(), HERE, store=store) is None


def test_a_lesson_is_found_in_its_project_alone(store: CountingStore) -> None:
    """It may be wrong or confidential elsewhere; a place without a name is no project."""
    known = KnownLessons()
    store.learns(LESSON, project="", key="nowhere")

    for project in ("/another", ""):
        assert known.find(failed(), Context(directory="/p", root="/p", project=project), store=store) is None


def test_a_call_that_no_lesson_can_fit_reads_none(store: CountingStore) -> None:
    """The agent waits."""
    known = KnownLessons()

    known.find(failed(outcome=Outcome.PARTIAL), HERE, store=store)
    known.find(failed(tool="Edit"), HERE, store=store)

    assert store.reads == 0


def test_paths_in_the_project_are_recognised_from_its_root(store: CountingStore) -> None:
    store.learns(LESSON.model_copy(update={"failed": "bin/tool sync", "worked": "bin/other sync"}))

    assert KnownLessons().find(failed("/repo/bin/tool sync"), HERE, store=store)


def test_few_projects_are_kept_in_memory(store: CountingStore) -> None:
    """Those that asked last."""
    known = KnownLessons(max_projects=2)
    contexts = {name: Context(directory=name, root=name, project=name) for name in ("/p", "/q", "/r")}
    for name in ("/p", "/q", "/p", "/r", "/p"):
        known.find(failed(), contexts[name], store=store)
    before = store.reads

    known.find(failed(), contexts["/q"], store=store)

    assert (before, store.reads) == (3, 4)
