"""The earlier work that the next steps come from."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.model import Turn
from behavior_plugin.recall import Recaller, next_steps
from behavior_plugin.recall.next_steps import Begun, begun_in, find_next_steps
from behavior_plugin.redact import redact_turn
from tests.factories import make_action, make_turn
from tests.fakes import FakeEmbedder, FakeStore

PROJECT = "/home/dev/project"


def turn(prompt: str, *commands: str, **changes: Any) -> Turn:
    actions = [make_action(parameters={"command": command}) for command in commands]
    return make_turn(prompt, *actions, **{"session_id": prompt, **changes})


def store_with(*turns: Turn) -> FakeStore:
    store = FakeStore()
    save_turns(turns, store)
    compute_patterns(embedder=FakeEmbedder(), store=store)
    return store


def find(store: FakeStore, begun: Begun, project: str | None = PROJECT) -> list[str]:
    found = find_next_steps(begun, project, recaller=Recaller(), embedder=FakeEmbedder(), store=store)
    return [each.step.text for each in found]


def test_steps_come_from_the_project() -> None:
    store = store_with(turn("fix it", "make lint", "make test"))

    assert find(store, Begun("fix that", done=("make lint",)))[0] == "make test"
    assert find(store, Begun("fix that"), "/elsewhere") == []
    assert find(store, Begun("fix that"), None)[0] == "make lint"


def test_named_steps_come_after_the_calls() -> None:
    store = store_with(turn("fix it", "make lint", "make test", "git push"))
    begun = begun_in(turn("mend it", "make lint"), Begun("", done=("make test",)))

    assert begun.prompt == "mend it"
    assert find(store, begun)[0] == "git push"
    assert begun_in(turn("mend it"), Begun("own words")).prompt == "own words"


def test_work_that_failed_and_that_of_the_same_session_is_left_out() -> None:
    """The one is no way, and the other would predict itself."""
    failed = (turn("fix it", "make guess"), turn("no, that is wrong", session_id="fix it"))
    store = store_with(*failed, turn("release", "git tag v1", "git push", session_id="mine"))

    assert "make guess" not in find(store, Begun("fix it"))
    assert "git push" in find(store, Begun("fix it"))
    assert find(store, Begun("fix it", session_id="mine")) == []


def test_similar_work_is_read_however_old_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is known, only so much is read."""
    monkeypatch.setattr(next_steps, "MAX_NEWEST", 3)
    store = store_with(
        turn("cut the yearly release", "make release"), *(turn(f"fix {n}", "make test") for n in range(9))
    )

    assert find(store, Begun("cut the yearly release"))[0] == "make release"
    monkeypatch.setattr(next_steps, "MAX_SIMILAR", 0)
    assert find(store, Begun("cut the yearly release")) == ["make test"]


def test_named_steps_are_redacted_like_stored_ones() -> None:
    """A stored argument has no secret, so one that is typed is compared without it too."""
    secret = "curl -H 'Authorization: Bearer ghp_" + "A1b2C3d4E5" * 3 + "F6g7H8'"
    asking = redact_turn(turn("fix it", secret, "git push"))
    store = store_with(asking, turn("fix that", "curl localhost", "make test"))

    assert find(store, Begun("", done=(secret,)))[0] == "git push"
    assert find(store, Begun("", done=("curl localhost",)))[0] == "make test"
