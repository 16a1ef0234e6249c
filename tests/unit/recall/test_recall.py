"""Recall, from a prompt to suggestions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.embed import Embedder
from behavior_plugin.model import Context, Outcome
from behavior_plugin.recall import MAX_CANDIDATES, MAX_PROMPT_CHARS, recall
from behavior_plugin.workflow import Suggestion
from tests.factories import START, make_action, make_pattern
from tests.fakes import FakeEmbedder, FakeStore

HERE = Context(directory="/home/dev/project", project="/home/dev/project")
ELSEWHERE = Context(directory="/home/dev/other", project="/home/dev/other")
SECRET = "ghp_" + "A1b2C3d4E5" * 3 + "F6g7H8"
PROMPT = "fix the login test"


def store_with(*patterns: dict[str, Any], embedder: Embedder | None = None) -> FakeStore:
    """A store that has learned these patterns, by default the work of PROMPT."""
    store = FakeStore()
    for changes in patterns:
        pattern = make_pattern(**{"trigger": PROMPT, "started_at": START, **changes})
        embedding = embedder.embed([pattern.trigger])[0] if embedder else None
        store.add(pattern, embedding, embedder.model if embedder else None)
    return store


def ask(text: str, *patterns: dict[str, Any], min_similarity: float | None = None, **changes: Any) -> list[Suggestion]:
    embedder = FakeEmbedder()
    store = store_with(*patterns, embedder=embedder)
    return recall(text, HERE, embedder=embedder, store=store, now=START, min_similarity=min_similarity, **changes)


def triggers(found: list[Suggestion]) -> list[str]:
    return [suggestion.pattern.trigger for suggestion in found]


def test_similar_prompt_recalls_the_pattern() -> None:
    """Three words of four are the same, so the cosine is 0.75."""
    [suggestion] = ask("fix the login form", {})

    assert suggestion.pattern.trigger == PROMPT
    assert round(suggestion.similarity, 2) == 0.75


def test_embedders_minimum_similarity_decides() -> None:
    """The fake embedder's minimum is 0.4: two words of four are enough, one is not."""
    assert triggers(ask("fix the other bug", {})) == [PROMPT]
    assert ask("fix that other bug", {}) == []


def test_callers_minimum_similarity_overrides_the_embedders() -> None:
    """A manual search shows more, and a user's setting may allow less."""
    assert ask("fix the login form", {}, min_similarity=0.9) == []
    assert triggers(ask("fix that other bug", {}, min_similarity=0.2)) == [PROMPT]
    assert triggers(ask("fix that other bug", {}, min_similarity=0.0)) == [PROMPT]


def test_failed_work_is_found_only_on_request() -> None:
    """As a way it would do harm; a person wants to know that it was tried."""
    failed = {"final_outcome": Outcome.FAILED}

    assert ask(PROMPT, failed) == []
    assert triggers(ask(PROMPT, failed, with_failed=True)) == [PROMPT]


def test_patterns_that_are_not_near_enough_still_count_in_the_ranking() -> None:
    """Several farther ones of one way of working say that it is the habit."""
    build = {"actions": (make_action(parameters={"command": "make build"}),)}
    near, likely = {"trigger": f"{PROMPT} now", **build}, {"trigger": f"{PROMPT} please"}
    far = {"trigger": "fix the form"}

    alone = ask(f"{PROMPT} now please", near, likely, min_similarity=0.8)
    among = ask(f"{PROMPT} now please", near, likely, far, far, far, min_similarity=0.8)

    assert len(alone) == len(among) == 2
    assert alone[0].score == pytest.approx(alone[1].score)
    assert triggers(among)[0] == f"{PROMPT} please"


def test_candidates_are_bounded() -> None:
    """Years of the same work must not slow a prompt down."""
    many = [{"started_at": START - timedelta(days=day)} for day in range(MAX_CANDIDATES + 5)]

    found = ask(PROMPT, *many, limit=100)

    assert len(found) == MAX_CANDIDATES


def test_best_suggestions_come_first_up_to_the_limit() -> None:
    """The limit applies after the suggestions are sorted by score."""
    found = ask(PROMPT, {"trigger": "fix the login form"}, {"confidence": 0.5}, {"confidence": 0.9}, limit=2)

    assert [(each.pattern.trigger, each.pattern.confidence) for each in found] == [(PROMPT, 0.9), (PROMPT, 0.5)]


def test_age_lowers_the_score() -> None:
    """Recall passes `now` on to the ranking."""
    old, store = START - timedelta(days=360), store_with({}, embedder=FakeEmbedder())

    [then] = recall(PROMPT, HERE, embedder=FakeEmbedder(), store=store, now=START)
    [later] = recall(PROMPT, HERE, embedder=FakeEmbedder(), store=store, now=START + (START - old))

    assert then.score > later.score


def test_prompt_is_redacted_before_it_is_embedded() -> None:
    """An embedder may be a service on the network."""
    embedder = FakeEmbedder()

    recall(f"deploy with the token {SECRET} now", HERE, embedder=embedder, store=FakeStore(), now=START)

    [text] = embedder.texts
    assert SECRET not in text
    assert text.startswith("deploy with the token ")


def test_long_prompt_is_cut_before_it_is_embedded() -> None:
    """A pasted log must not slow a prompt down."""
    embedder = FakeEmbedder()

    recall("word " * MAX_PROMPT_CHARS, HERE, embedder=embedder, store=FakeStore(), now=START)

    assert len(embedder.texts[0]) <= MAX_PROMPT_CHARS


def test_other_projects_are_searched_only_on_request() -> None:
    """Projects differ in their workflows."""
    assert ask(PROMPT, {"context": ELSEWHERE}) == []
    assert triggers(ask(PROMPT, {"context": ELSEWHERE}, everywhere=True)) == [PROMPT]


def test_blank_prompt_recalls_nothing_without_an_embedding() -> None:
    """An embedder rejects texts without words."""
    embedder = FakeEmbedder()

    assert recall(" \n", HERE, embedder=embedder, store=store_with({}, embedder=FakeEmbedder()), now=START) == []
    assert embedder.texts == []


def test_without_an_embedder_shared_words_decide() -> None:
    """Six words in ten must be the same: three of five are, two are not."""
    store = store_with({})

    found = recall("fix the login form now", HERE, embedder=None, store=store, now=START)
    missed = recall("fix the other form now", HERE, embedder=None, store=store, now=START)
    lowered = recall("fix the other form now", HERE, embedder=None, store=store, now=START, min_similarity=0.3)

    assert triggers(found) == triggers(lowered) == [PROMPT]
    assert missed == []
