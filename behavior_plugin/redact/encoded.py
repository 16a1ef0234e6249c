"""Read text as it was before it was escaped or encoded, once, and find the place of each character in it.

A secret in a URL, in JSON inside a command or in base64 has other surroundings, or another form, than the rules expect.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error
from collections.abc import Callable, Iterator

Span = tuple[int, int]

_ESCAPE = re.compile(r"%([2-7][0-9A-Fa-f])|\\u00([2-7][0-9A-Fa-f])|\\{1,3}([nrt\"'/])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])(?:[A-Za-z0-9+/_-]{4}){3,}+[A-Za-z0-9+/_-]{0,3}={0,2}")
MAX_BASE64 = 8_000  # characters of a word that are decoded


def unescaped(text: str) -> tuple[str, list[int]] | None:
    """The text without percent and JSON escapes, and the place of each character and of the end; None without any."""
    parts: list[str] = []
    places: list[int] = []
    done = 0
    for match in _ESCAPE.finditer(text):
        code = match[1] or match[2]
        plain = chr(int(code, 16)) if code else _ESCAPED.get(match[3], match[3])
        parts += [text[done : match.start()], plain]
        places += [*range(done, match.start()), match.start()]
        done = match.end()
    if not parts:
        return None
    return "".join([*parts, text[done:]]), [*places, *range(done, len(text) + 1)]


def found_in_base64(text: str, has_secret: Callable[[str], bool]) -> Iterator[Span]:
    """The spans of words that are text with a secret in base64."""
    for match in _BASE64.finditer(text):
        decoded = _decoded(match[0][:MAX_BASE64])
        if decoded and has_secret(decoded):
            yield match.span()


def _decoded(word: str) -> str | None:
    """The text that a word is the base64 of; None if it is not of text."""
    word = word.rstrip("=").replace("-", "+").replace("_", "/")
    whole = word[: len(word) - (len(word) % 4 == 1)]
    try:
        text = b64decode(whole + "=" * (-len(whole) % 4)).decode()
    except (Error, UnicodeDecodeError):
        return None
    return text if all(each.isprintable() or each in "\t\r\n" for each in text) else None
