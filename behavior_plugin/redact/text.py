"""Mask the secrets in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache

from behavior_plugin.redact import nearby
from behavior_plugin.redact.commands import COMMANDS
from behavior_plugin.redact.encoded import found_in_base64, unescaped
from behavior_plugin.redact.logins import LOGINS
from behavior_plugin.redact.names import NAMES
from behavior_plugin.redact.rule import Rule, Span
from behavior_plugin.redact.tokens import TOKENS
from behavior_plugin.redact.values import is_odd, is_random

MASK = "[REDACTED]"
# Characters read beyond a limit, so that a secret that lies across it is recognised.
MARGIN = 1_000

RULES: tuple[Rule, ...] = (*TOKENS, *NAMES, *LOGINS, *COMMANDS)

_TERMINAL_CODES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?)")
# Control characters but tab and line ends, soft hyphens, zero-width, bidirectional and tag characters.
_INVISIBLE = re.compile(
    r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    r"\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
# The values that are looked for in the rest of the text.
MIN_REPEATED, MAX_REPEATED = 8, 50


def redact(text: str, limit: int | None = None) -> str:
    """Mask the secrets in a text, then cut it to `limit` characters.

    A secret that lies across the limit is masked whole. Terminal codes, control and invisible characters are
    dropped, since they hide secrets. Lone surrogates, which Postgres refuses too, become U+FFFD.
    """
    seen = visible(text)
    if limit is None:
        return masked(seen, found(seen))
    return masked(seen[:limit], found(seen[: limit + MARGIN]))[:limit]


def visible(text: str) -> str:
    """The text without characters that are not seen."""
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", _INVISIBLE.sub("", _TERMINAL_CODES.sub("", text)))


def found(text: str) -> list[Span]:
    """The spans of the secrets, (start, end), in no order."""
    folded = _folded(text)
    spans = [*_found_in(folded)]
    if plain := unescaped(folded):
        unfolded, places = plain
        spans += [(places[start], places[end]) for start, end in _found_in(unfolded)]
    spans += found_in_base64(folded, lambda decoded: any(_found_in(decoded)))
    return [*spans, *_repeated(folded, spans)]


def masked(text: str, spans: Iterable[Span]) -> str:
    """The text with a mask in the place of each span."""
    parts, done = [], 0
    for start, end in sorted(span for span in spans if span[0] < len(text)):
        if start >= done:
            parts += [text[done:start], MASK]
        done = max(done, end)
    return "".join([*parts, text[done:]])


def _folded(text: str) -> str:
    """The text for the rules: each character in its plain form, in the same place, so that spans stay valid."""
    return text if text.isascii() else "".join(map(_plain_character, text))


@lru_cache(maxsize=10_000)
def _plain_character(character: str) -> str:
    plain = unicodedata.normalize("NFKC", character)
    return plain if len(plain) == 1 else character


def _found_in(text: str) -> Iterator[Span]:
    lowered = _lowered(text)
    for rule in RULES:
        yield from rule.found(text, lowered)
    yield from nearby.found(text)


def _lowered(text: str) -> str:
    """The text in lower case, each character in its place."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(each.lower()[:1] for each in text)


def _repeated(text: str, spans: list[Span]) -> Iterator[Span]:
    """Where a secret that was recognised by its surroundings stands again, without them."""
    values = {text[start:end] for start, end in spans if end - start >= MIN_REPEATED}
    for value in sorted(value for value in values if is_random(value) or is_odd(value))[:MAX_REPEATED]:
        yield from (match.span() for match in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text))
