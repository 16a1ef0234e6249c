"""Redact and bound a JSON value, such as the input of a tool: a key or an option says what its value is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from behavior_plugin.redact.names import NAME, VARIABLE
from behavior_plugin.redact.text import MARGIN, MASK, found, masked, redact, visible
from behavior_plugin.redact.values import is_given, is_random, is_set

LEFT_OUT = "…"
STRING_LIMIT = 500  # characters

_NAMED_SECRET = re.compile(NAME, re.IGNORECASE)
_NAMED_VARIABLE = re.compile(rf"(?<![A-Za-z]){VARIABLE}$")
_NAMED_PASSWORD = re.compile(
    r"pass(?:word|wd|phrase)|\bpwd\b|^(?:proxy-)?authorization$|^(?:set-)?cookie$", re.IGNORECASE
)
# Keys of an entry that has a name and a value: {"name": "DB_PASSWORD", "value": "x"}.
_NAMES, _VALUES = ("name", "key", "variable", "id"), ("value", "val", "content", "default")


@dataclass(frozen=True)
class Limits:
    """The size limits of a JSON value."""

    string: int  # characters
    entries: int  # of one dict or list
    depth: int  # dicts and lists inside each other


PARAMETERS = Limits(string=STRING_LIMIT, entries=20, depth=4)


def redact_value(value: Any, limits: Limits) -> Any:
    """A JSON value without secrets, and no larger than the limits."""
    return _plain(value, limits, depth=0, name="")


def _plain(value: Any, limits: Limits, *, depth: int, name: str) -> Any:
    """`name` is the key or option of the value."""
    match value:
        case dict() | list() | tuple() if depth == limits.depth:
            return LEFT_OUT
        case dict():
            return _plain_dict(value, limits, depth=depth + 1)
        case list() | tuple():
            return _plain_list(value, limits, depth=depth + 1)
        case None | bool():
            return value
        case int() if abs(value) >= 2**63:
            return LEFT_OUT  # Python refuses to print the longest ones
        case int() | float() if math.isfinite(value) and not _NAMED_PASSWORD.search(name):
            return value
    text = str(value)
    return MASK if _is_secret_under(name, text) else redact(text, limits.string)


def _plain_dict(values: dict[Any, Any], limits: Limits, *, depth: int) -> dict[str, Any]:
    note = values.get(LEFT_OUT)
    named = [(key, item) for key, item in values.items() if key != LEFT_OUT or len(values) <= limits.entries]
    kept = named[: limits.entries]
    entry = next((str(item) for key, item in kept if str(key).lower() in _NAMES), "")
    plain = {
        redact(str(key), STRING_LIMIT): _plain(
            item, limits, depth=depth, name=entry if str(key).lower() in _VALUES and entry else str(key)
        )
        for key, item in kept
    }
    left_out = len(named) - len(kept)
    if left_out or note is None or LEFT_OUT in plain:
        return {**plain, LEFT_OUT: f"{left_out} more"} if left_out else plain
    return {**plain, LEFT_OUT: redact(str(note), limits.string)}


def _plain_list(values: Sequence[Any], limits: Limits, *, depth: int) -> list[Any]:
    """In a command line that is a list, an option names the word after it, and the program says what options mean."""
    has_note = len(values) == limits.entries + 1 and str(values[-1]).startswith(f"{LEFT_OUT} ")
    kept = values[: limits.entries + has_note]
    line = (
        _plain_words([str(item) for item in kept], limits.string)
        if all(isinstance(item, str) for item in kept)
        else kept
    )
    options = ["", *(str(item) if str(item).startswith("-") else "" for item in kept)]
    plain = [_plain(item, limits, depth=depth, name=option) for item, option in zip(line, options, strict=False)]
    left_out = len(values) - len(kept)
    return [*plain, f"{LEFT_OUT} {left_out} more"] if left_out else plain


def _plain_words(words: list[str], size: int) -> list[str]:
    """The words of a command line without the secrets that only the whole line shows."""
    seen = [visible(word)[: size + MARGIN] for word in words]
    spans = found(" ".join(seen))
    plain, start = [], 0
    for word in seen:
        end = start + len(word)
        here = [(first, last) for first, last in spans if first < end and last > start]
        plain.append(masked(word, [(max(first, start) - start, min(last, end) - start) for first, last in here]))
        start = end + 1
    return plain


def _is_secret_under(name: str, text: str) -> bool:
    if _NAMED_PASSWORD.search(name):
        return is_given(text)
    if _NAMED_VARIABLE.search(name) and is_set(text):
        return True
    return _NAMED_SECRET.search(name) is not None and is_random(text)
