"""Forgetting among a thousand sessions leaves nothing in the files of an embedded server."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from behavior_plugin.capture import paths
from behavior_plugin.config import Settings, Storage
from behavior_plugin.forget import forget
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.model import Context, Turn
from behavior_plugin.store import Selection
from behavior_plugin.store.opening import OpenStore, open_store
from behavior_plugin.store.sql_files import STORAGES
from tests.factories import START, make_action, make_turn

SESSIONS = 1_000
CANARY = "canary-5e1d"


@pytest.fixture(params=STORAGES)
def opened(request: pytest.FixtureRequest) -> Iterator[OpenStore]:
    storage: Storage = request.param
    store = open_store(Settings(storage=storage))
    yield store
    store.close()


def session(number: int) -> Turn:
    """One of a thousand small sessions; each tenth has the canary, in a prompt, a command or an error by turns."""
    word = CANARY if number % 10 == 0 else "plain"
    texts = [f"{word} {number}" if number // 10 % 3 == place else "usual" for place in range(3)]
    at = START + timedelta(minutes=number)
    return make_turn(
        f"Fix the cart {texts[0]}",
        make_action("Edit", parameters={"file_path": f"src/part{number % 7}.py"}, timestamp=at),
        make_action(parameters={"command": f"make test NAME='{texts[1]}'"}, timestamp=at, error=texts[2]),
        session_id=f"session-{number:04}",
        source_key=f"key-{number:04}",
        started_at=at,
        context=Context(directory="/shop", root="/shop", project=f"shop-{number % 5}"),
    )


def files_with(text: str) -> list[str]:
    found = [file for file in Path(paths.data_folder()).rglob("*") if file.is_file()]
    return sorted(str(file) for file in found if text.encode() in file.read_bytes())


def test_forgotten_sessions_are_in_no_file(opened: OpenStore) -> None:
    """One in ten of a thousand goes; the others stay, and their patterns with them."""
    store = opened.patterns
    for start in range(0, SESSIONS, 100):
        save_turns([session(number) for number in range(start, start + 100)], store)
    compute_patterns(embedder=None, store=store)
    before = files_with(CANARY)

    work, done = forget(Selection(text=CANARY), store)
    compute_patterns(embedder=None, store=store)
    deleted_only = files_with(CANARY)
    problem = opened.rewrite_files()

    assert (len(work), done.episodes, done.turns) == (SESSIONS // 10,) * 3
    assert before
    assert deleted_only, "or the rewriting would prove nothing"
    assert problem == ""
    assert files_with(CANARY) == []
    assert store.amounts().episodes == SESSIONS - SESSIONS // 10
    times = [each.workflow.times for each in store.newest(project=None, limit=50) if each.workflow]
    assert sum(times) == SESSIONS - SESSIONS // 10

    forget(Selection(is_everything=True), store)
    opened.rewrite_files()
    assert (store.amounts().episodes, store.count()) == (0, 0)
    assert files_with("session-0001") == files_with("Fix the cart") == []
