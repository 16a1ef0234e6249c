"""The lessons of a project on a real database: whose they are, which are left out, and when they have changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from behavior_plugin.config import Storage
from behavior_plugin.model import Context
from behavior_plugin.store import postgres
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.store.sql_files import STORAGES
from behavior_plugin.workflow import Lesson
from tests import database as rows
from tests.database import member, member_store
from tests.factories import START, make_pattern, make_workflow

LESSON = Lesson(failed="pytest", worked="uv run pytest", error="pytest: command not found", is_plain=True)
OTHER = Lesson(failed="npm ci", worked="pnpm install", failures=3, sessions=2)
# How the owner changes the lessons of all rows.
SET_LESSONS = {
    "behavior_patterns": "update public.behavior_patterns set workflow = jsonb_set(workflow, '{lessons}', %s)",
    "memories": "update public.memories set metadata = jsonb_set(metadata, '{workflow,lessons}', %s)",
}


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each test runs once for each storage mode."""
    chosen: Storage = request.param
    return chosen


@pytest.fixture
def other_store(server: Server, owner: psycopg.Connection, storage: Storage) -> Iterator[PostgresStore]:
    """The same database as another user."""
    member(owner, server, "colleague")
    with member_store(owner, server, "colleague", storage) as opened:
        yield opened


def save(store: PostgresStore, *lessons: Lesson, key: str = "key", project: str = "/p", **changes: Any) -> None:
    """Save a pattern with these lessons; `changes` are those of its workflow."""
    workflow = make_workflow(lessons=lessons, **changes)
    rows.save(
        store, make_pattern(source_key=key, context=Context(project=project), workflow=workflow, started_at=START)
    )


def test_lessons_of_a_project_are_read_once_each(store: PostgresStore) -> None:
    save(store, LESSON, OTHER, key="a")
    save(store, OTHER, key="b")
    save(store, key="c")
    save(store, LESSON.model_copy(update={"worked": "tox"}), key="d", project="/another")

    assert store.lessons("/p") == [LESSON, OTHER]
    assert store.lessons("") == []


def test_lessons_of_hidden_patterns_are_left_out(store: PostgresStore) -> None:
    save(store, LESSON, is_hidden=True)

    assert store.lessons("/p") == []


def test_lessons_of_another_user_are_never_read(store: PostgresStore, other_store: PostgresStore) -> None:
    """Both work on the project."""
    save(other_store, LESSON)

    assert store.lessons("/p") == []
    assert other_store.lessons("/p") == [LESSON]


def test_the_state_changes_with_the_lessons(store: PostgresStore) -> None:
    """So that a worker reads them again."""
    states = [store.lessons_state("/p")]
    for is_hidden in (False, True, False):
        save(store, LESSON, is_hidden=is_hidden)
        states.append(store.lessons_state("/p"))
    save(store, OTHER)
    states.append(store.lessons_state("/p"))
    save(store, OTHER)

    assert len(set(states)) == len(states)
    assert store.lessons_state("/p") == states[-1]


@pytest.mark.parametrize(
    "lessons",
    [None, 7, "text", {}, {"failed": "a"}, [7], [None], [[]], [{}], [{**LESSON.model_dump(), "new": 1}]],
)
def test_lessons_of_an_unknown_shape_are_left_out(
    store: PostgresStore, owner: psycopg.Connection, storage: Storage, lessons: object
) -> None:
    """Another program, or a newer version, wrote them."""
    save(store, LESSON)
    owner.execute(SET_LESSONS[storage].encode(), [Jsonb(lessons)])
    save(store, OTHER, key="b")

    assert store.lessons("/p") == [OTHER]


def test_the_newest_patterns_are_read_of_very_many(store: PostgresStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed call waits for them."""
    monkeypatch.setattr(postgres, "MAX_WITH_LESSONS", 2)
    for number in range(4):
        save(store, LESSON.model_copy(update={"worked": f"way {number}"}), key=f"key {number}")

    assert [lesson.worked for lesson in store.lessons("/p")] == ["way 0", "way 1"]
