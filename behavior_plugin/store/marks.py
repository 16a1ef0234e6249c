"""Mark turns as forgotten, without their text: a log that is read again must not bring them back.

A mark is a salted hash. Each turn has two: one of its key, and one of its moment and prompt, since a fork repeats it
under a key of its own.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime


def marks_of(source_key: str, started_at: datetime | None, prompt: str, *, salt: str) -> list[str]:
    """The marks of a turn. Logs without times give every prompt the same one, so that only the key counts then."""
    is_timed = started_at is not None and started_at.timestamp() > 0
    moment = [_mark(salt, started_at.astimezone(UTC).isoformat(), prompt)] if started_at and is_timed else []
    return [_mark(salt, source_key), *moment]


def _mark(salt: str, *words: str) -> str:
    text = "\x1f".join(words).encode("utf-8", "replace")
    return hashlib.blake2b(text, digest_size=20, key=bytes.fromhex(salt)).hexdigest()
