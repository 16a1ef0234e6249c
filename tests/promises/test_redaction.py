"""No text of a session is embedded or stored unredacted, whichever field it arrives in.

The fields are found by reflection, so a field that is declared tomorrow is covered today.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import AwareDatetime, BaseModel

from behavior_plugin.learn import learn, session_patterns
from behavior_plugin.model import OWN, Action, Context, Event, EventKind, Pattern, PromptKind
from behavior_plugin.recall import recall
from behavior_plugin.redact import redact_pattern
from tests.fakes import FakeEmbedder, FakeStore

# A token that every rule set knows, in two pieces so that no scanner finds it here.
CANARY = "ghp" + "_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
# A value of each type that holds no other; a field of a new type needs one here.
_PLAIN: dict[Any, Any] = {str: f"a text with {CANARY} in it", bool: True, int: 1, float: 0.5, AwareDatetime: NOW}


def filled(model: type[BaseModel], **fixed: Any) -> Any:
    """An instance with the canary in every text, at every depth."""
    fields = {
        name: value(field.rebuild_annotation()) for name, field in model.model_fields.items() if name not in fixed
    }
    return model(**{**fields, **fixed})


def value(annotation: Any) -> Any:
    """A value of a field's type, with the canary in each text of it."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return "our own text" if OWN in arguments else value(arguments[0])
    if origin in (Union, UnionType):
        return value(next(each for each in arguments if each is not type(None)))
    if origin is tuple:
        return (value(arguments[0]),)
    if origin is dict or annotation is dict:
        return {CANARY: [{"deep": CANARY}, CANARY], "text": CANARY}
    if origin is Literal:
        return arguments[0]
    return _of_class(annotation)


def _of_class(kind: type[Any]) -> Any:
    if issubclass(kind, BaseModel):
        return filled(kind)
    if issubclass(kind, Enum):
        return next(iter(kind))
    return _PLAIN[kind]


def texts(kind: type[BaseModel], path: str = "") -> Iterator[str]:
    """The paths of all text fields of a model, those of our own left out."""
    for name, field in kind.model_fields.items():
        if "str" in str(field.annotation) and OWN not in field.metadata:
            yield f"{path}{name}"
        for inner in [field.annotation, *get_args(field.annotation)]:
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from texts(inner, f"{path}{name}.")


def test_the_canary_reaches_every_text_of_a_pattern() -> None:
    """Otherwise the tests below would prove nothing."""
    pattern = filled(Pattern)
    paths = set(texts(Pattern))

    assert {"trigger", "context.branch", "actions.error", "provenance.follows", "session_id"} <= paths
    assert pattern.model_dump_json().count(CANARY) >= len(paths)


def test_redaction_leaves_no_canary_in_a_pattern() -> None:
    """In no field, key or list, however deep."""
    redacted = redact_pattern(filled(Pattern))

    assert CANARY not in redacted.model_dump_json()
    assert redacted.source_key == "our own text"


def hostile_session() -> list[Event]:
    """A task and a call, as an agent might report them, with the canary in every text that an event has."""
    task = filled(Event, kind=EventKind.PROMPT, prompt_kind=PromptKind.TASK, action=None, call_end=None)
    call = filled(Event, kind=EventKind.ACTION, prompt=None, prompt_kind=None, action=filled(Action, actor="main"))
    return [task, call.model_copy(update={"order": 2})]


@pytest.mark.parametrize("has_embedder", [True, False])
def test_learning_gives_no_canary_to_embedder_or_store(has_embedder: bool) -> None:
    """The embedder may be a service elsewhere."""
    embedder, store = FakeEmbedder(), FakeStore()

    patterns = learn(hostile_session(), embedder=embedder if has_embedder else None, store=store, follows=CANARY)

    assert patterns
    assert CANARY not in repr([pattern.model_dump_json() for pattern in store.patterns])
    assert CANARY not in repr(embedder.texts)


def test_patterns_that_are_stored_elsewhere_hold_no_canary() -> None:
    """An import hands its patterns to another process."""
    patterns = session_patterns(hostile_session(), follows=CANARY)

    assert patterns
    assert CANARY not in repr([pattern.model_dump_json() for pattern in patterns])


@pytest.mark.parametrize("has_embedder", [True, False])
def test_recall_gives_no_canary_to_embedder_or_store(has_embedder: bool) -> None:
    """A prompt is redacted before anything else sees it."""
    embedder, store = FakeEmbedder(), FakeStore()

    recall(
        f"Deploy with {CANARY}",
        Context(project="/p"),
        embedder=embedder if has_embedder else None,
        store=store,
        now=NOW,
    )

    assert embedder.texts or store.queries
    assert CANARY not in repr([embedder.texts, store.queries])
