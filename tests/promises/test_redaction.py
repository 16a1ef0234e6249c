"""No secret is stored: every text field of a pattern is redacted, including those that are declared tomorrow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from behavior_plugin.model import Pattern
from behavior_plugin.redact import redact_pattern

# Assembled, so that scanners do not report this file as a leak.
CANARY = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
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
    if issubclass(kind, Enum):
        return next(iter(kind))
    return kind(1) if issubclass(kind, int | float) else datetime(2026, 3, 2, tzinfo=UTC)


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


def test_every_text_field_of_a_pattern_is_redacted() -> None:
    """The model's fields are found by reflection, so a new one needs no entry here."""
    pattern = with_canaries(Pattern)
    # The walk reaches nested models, lists and optional fields.
    assert {"trigger", "parameters", "files_touched", "follows", *OWN} <= set(names_of_leaks(pattern))

    assert set(names_of_leaks(redact_pattern(pattern))) == OWN
