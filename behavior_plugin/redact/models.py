"""Redact and bound every text of a model, at every depth."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from behavior_plugin.model import OWN, Action, Turn
from behavior_plugin.redact.json_values import PARAMETERS, STRING_LIMIT, redact_value
from behavior_plugin.redact.text import redact

M = TypeVar("M", bound=BaseModel)

# Characters, unless it says otherwise.
TRIGGER_LIMIT = 2_000
ERROR_LIMIT = 500
PATH_LIMIT = 4_096
# A key of an index holds 2,700 bytes, and a character may be four.
PROJECT_LIMIT = 500
ACTIONS_LIMIT = 200  # the first half and the last half
FILES_LIMIT = 100
ENTRIES_LIMIT = 100
_LIMITS = {
    "prompt": TRIGGER_LIMIT,
    "error": ERROR_LIMIT,
    "directory": PATH_LIMIT,
    "root": PATH_LIMIT,
    "project": PROJECT_LIMIT,
    "files_touched": PATH_LIMIT,
}
_COUNTS = {"actions": ACTIONS_LIMIT, "files_touched": FILES_LIMIT}


def redact_turn(turn: Turn) -> Turn:
    """Redact and bound every text of a turn, but for those declared as our own (`model.OwnText`)."""
    return redact_model(turn.model_copy(update={"actions": _first_and_last(turn.actions)}))


def redact_model(model: M) -> M:
    """Redact and bound every text in a frozen model, at every depth.

    A text field needs no entry here to be redacted: one that is not listed gets the common limits.
    """
    fields = {name: getattr(model, name) for name in _redacted_fields(type(model))}
    return model.model_copy(update={name: _redacted(value, name) for name, value in fields.items()})


@cache
def _redacted_fields(kind: type[BaseModel]) -> tuple[str, ...]:
    return tuple(name for name, field in kind.model_fields.items() if OWN not in field.metadata)


def _redacted(value: Any, name: str) -> Any:
    """The value of the field `name`."""
    match value:
        case None | bool() | int() | float() | Enum() | datetime() | UUID():
            return value
        case str():
            return redact(value, _LIMITS.get(name, STRING_LIMIT))
        case BaseModel():
            return redact_model(value)
        case tuple():
            return tuple(_redacted(item, name) for item in value[: _COUNTS.get(name, ENTRIES_LIMIT)])
    return redact_value(value, PARAMETERS)


def _first_and_last(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """The first and the last actions; the last one of the first half says how many are left out after it."""
    half = ACTIONS_LIMIT // 2
    if len(actions) <= ACTIONS_LIMIT:
        return actions
    note = {"actions left out after this one": len(actions) - 2 * half}
    last = actions[half - 1]
    return (
        *actions[: half - 1],
        last.model_copy(update={"parameters": {**note, **last.parameters}}),
        *actions[-half:],
    )
