"""No secret is embedded or stored, whichever field it arrives in, including fields that are declared tomorrow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args, get_origin
from uuid import UUID

import pytest
from pydantic import BaseModel

from behavior_plugin.capture import paths
from behavior_plugin.learn import compute_patterns, learn, session_turns
from behavior_plugin.model import MAIN, Context, Event, EventKind, PromptKind, Turn
from behavior_plugin.recall import Recaller
from behavior_plugin.recall.decision import Decision
from behavior_plugin.redact import redact_turn
from behavior_plugin.worker import decisions
from behavior_plugin.worker.decisions import Decisions
from tests.factories import make_pattern
from tests.fakes import FakeEmbedder, FakeStore

# Assembled, so that scanners do not report this file as a leak.
CANARY = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
# Declared as `OwnText`: the plugin itself makes these, and the store identifies patterns by the first.
OWN = {"source_key", "version"}


def with_canaries(kind: Any) -> Any:
    """A value of a field's type with a secret in each of its texts."""
    if kind is str:
        return CANARY
    if get_origin(kind) is dict:
        return {CANARY: [{"deep": CANARY}]}
    if get_origin(kind) is tuple:
        return (with_canaries(get_args(kind)[0]),)
    if get_args(kind):
        return with_canaries(get_args(kind)[0])
    if issubclass(kind, BaseModel):
        fields = {name: with_canaries(field.annotation) for name, field in kind.model_fields.items()}
        return kind.model_construct(**fields)
    if kind is UUID:
        return UUID(int=1)
    if issubclass(kind, Enum):
        return next(iter(kind))
    return kind(1) if issubclass(kind, int | float) else NOW


def names_of_leaks(value: Any, name: str = "") -> Iterator[str]:
    """The fields that still contain the secret."""
    if isinstance(value, BaseModel):
        for field in type(value).model_fields:
            yield from names_of_leaks(getattr(value, field), field)
    elif isinstance(value, tuple):
        for item in value:
            yield from names_of_leaks(item, name)
    elif CANARY in str(value):
        yield name


def test_every_text_field_of_a_turn_is_redacted() -> None:
    """The model's fields are found by reflection, so a new one needs no entry here."""
    turn = with_canaries(Turn)
    # The walk reaches nested models, lists and optional fields.
    assert {"prompt", "parameters", "files_touched", "follows", "closing", "commit", *OWN} <= set(names_of_leaks(turn))

    assert set(names_of_leaks(redact_turn(turn))) == OWN


def hostile_session() -> list[Event]:
    """A task, two calls and their end with the secret in every text that an event has, at every depth."""
    event: Event = with_canaries(Event)
    assert event.action
    # The second call is a step of the main agent's: no verdict says that it failed.
    step = event.action.model_copy(update={"actor": MAIN, "verdict": None, "id": f"{CANARY} 2"})
    task = {"kind": EventKind.PROMPT, "prompt_kind": PromptKind.TASK, "action": None, "call_end": None}
    call = {"kind": EventKind.ACTION, "prompt": None, "prompt_kind": None, "call_end": None, "order": 2}
    end = {**call, "kind": EventKind.TURN_END, "action": None, "order": 4}
    return [event.model_copy(update=update) for update in (task, call, {**call, "action": step, "order": 3}, end)]


@pytest.mark.parametrize("has_embedder", [True, False])
def test_learning_passes_no_secret_to_embedder_or_store(has_embedder: bool) -> None:
    """The embedder may be a service on another machine."""
    embedder, store = FakeEmbedder(), FakeStore()

    learn(hostile_session(), store=store, follows=CANARY)
    compute_patterns(embedder=embedder if has_embedder else None, store=store)

    assert len(store.patterns) == 1
    assert bool(embedder.texts) is has_embedder
    assert CANARY not in repr([store.rows, store.told, embedder.texts])


def test_imported_turns_hold_no_secret() -> None:
    """An import sends them to another process."""
    [turn] = session_turns(hostile_session(), follows=CANARY)

    assert CANARY not in repr(turn)


def test_decisions_on_prompts_are_written_without_secrets() -> None:
    """The file has the prompts of the last days, and the work that was found for them."""
    paths.make_private(paths.data_folder())
    hostile = with_canaries(Decision)
    own = {"pattern_key", "name", "setting", "embedder"}
    assert {"prompt", "note", "problem", "trigger", "job", *own} <= set(names_of_leaks(hostile))

    Decisions().add(hostile)

    [written] = decisions.read()
    assert set(names_of_leaks(written)) == own


@pytest.mark.parametrize("has_embedder", [True, False])
def test_recall_passes_no_secret_to_embedder_or_store(has_embedder: bool) -> None:
    """The prompt is redacted before anything else reads it."""
    embedder, store = FakeEmbedder(), FakeStore()

    store.add(make_pattern(trigger="deploy", context=Context()))

    found = Recaller().recall(
        f"Deploy with {CANARY}",
        Context(),
        embedder=embedder if has_embedder else None,
        store=store,
        min_odds=0.0,
    )

    assert bool(embedder.texts) is has_embedder
    assert len(found) == 1
    assert CANARY not in repr([embedder.texts, found])
