"""Read the fields of JSON objects that agents write: events of hooks and records of logs.

A field that is missing or of another type is absent, never an error: agents change. Every text is bounded.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

import orjson

# Called with each line that could not be read: its number, from 1, and why.
Skip: TypeAlias = Callable[[int, str], object]

# Redaction shortens every text further, so this limit cuts no secret in two.
MAX_TEXT_CHARS = 6_000
# The same for an error.
MAX_ERROR_CHARS = 2_000
MAX_NAME_CHARS = 200
# The longest line of a log that is read. The result of a tool may contain a file of some megabytes twice.
MAX_LINE_BYTES = 32_000_000
# No call lasts a year; longer durations overflow dates.
MAX_MS = 366 * 24 * 3_600_000
# The time of events before the first time in a log.
START = datetime.fromtimestamp(0, tz=UTC)
# Of visible ASCII characters, as secrets are; other scripts may have no spaces.
_LAST_WORD, _FIRST_WORD = re.compile(r"(?<![!-~])[!-~]*\Z"), re.compile(r"\A[!-~]*")
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}")


def cut_head(text: str, most: int) -> str:
    """The beginning of a text, without the word that the cut goes through: half a secret is recognised by no rule."""
    return text if len(text) <= most else _LAST_WORD.sub("", text[:most])


def cut_tail(text: str, most: int) -> str:
    """The end of a text, without the word that the cut goes through."""
    return text if len(text) <= most else _FIRST_WORD.sub("", text[-most:])


def parse_json(raw: bytes) -> Any:
    """The value of a JSON text in any encoding, with numbers that every database can store.

    Raises:
        ValueError, RecursionError: the text is not JSON, or nests too deep.
    """
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _read_leniently(raw)


def parse_object(raw: bytes | str) -> dict[str, Any]:
    """The JSON object in a text, or an empty one."""
    try:
        value = parse_json(raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _read_leniently(raw: bytes) -> Any:
    """Read JSON that strict parsers refuse: other encodings, half characters, huge numbers."""
    # Bytes that are not the encoding they look like still hold an event worth keeping.
    text = raw.decode(json.detect_encoding(raw), errors="replace")
    return json.loads(text, parse_int=_number, parse_float=_number, parse_constant=lambda _: None)


def get_str(fields: dict[str, Any], name: str, longest: int = MAX_TEXT_CHARS) -> str | None:
    """A text of at most `longest` characters; None for an empty or missing one."""
    value = fields.get(name)
    return value[:longest] if isinstance(value, str) and value else None


def get_id(fields: dict[str, Any], name: str) -> str | None:
    """An id; one that is too long becomes its beginning and a hash, so that different ids stay different."""
    value = fields.get(name)
    if not isinstance(value, str) or len(value) <= MAX_NAME_CHARS:
        return value if isinstance(value, str) and value else None
    return value[:100] + hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def is_plain(name: str) -> bool:
    """Whether an id is safe as part of a file name."""
    return _PLAIN.fullmatch(name) is not None


def get_dict(fields: dict[str, Any], name: str) -> dict[str, Any]:
    """An object, or an empty one."""
    value = fields.get(name)
    return value if isinstance(value, dict) else {}


def get_ms(fields: dict[str, Any], name: str) -> int | None:
    """A duration in milliseconds; None for any other value, or one longer than MAX_MS."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_MS:
        return None
    return int(value)


def parse_time(value: Any) -> datetime | None:
    """A time as agents write it, ISO 8601 or milliseconds since 1970; None for anything else."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value / 1000, tz=UTC)
        time = datetime.fromisoformat(value[:40]) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


def objects_in(content: Any) -> list[dict[str, Any]]:
    """The objects in a list; an empty list for any other value."""
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def message_text(content: Any, *, besides: tuple[str, ...] = ()) -> str:
    """The text of a message, without images and without parts that begin with one of `besides`."""
    if isinstance(content, str):
        return content
    texts = [block["text"] for block in objects_in(content) if isinstance(block.get("text"), str)]
    return "\n".join(text for text in texts if not text.startswith(besides))


def shortened(text: str, longest: int) -> str:
    """At most `longest` characters of a text, cut between words: half a secret is not recognised as one.

    It is empty where the first word alone is longer.
    """
    if len(text) <= longest:
        return text
    kept, _, _ = text[:longest].rpartition(" ")
    return f"{kept.rstrip()} …" if 0 < len(kept) < longest - 1 else kept


def _number(digits: str) -> int | float | None:
    """A number that Python, Postgres and strict JSON can hold; JSON itself has no limit."""
    number = float(digits)
    if not math.isfinite(number):
        return None
    return int(digits) if digits.lstrip("-").isdigit() and len(digits) < 20 else number
