"""Read the words with which an agent ends its turn: they say what was done where no commit does."""

from __future__ import annotations

import re
from collections.abc import Iterator

from behavior_plugin.agents.fields import cut_head, shortened

MAX_CLOSING_CHARS = 300
# The first sentence is near the beginning.
MAX_MESSAGE_CHARS = 2_000
# "Done." and "All set!" say nothing if more follows.
MIN_WORDS = 3

_CODE = re.compile(r"[ \t]{0,3}(?:```|~~~)")
# A heading, rule or row of a table; a list's or quotation's mark; a link or picture; marks around words.
_NO_PROSE = re.compile(r"\s{0,3}(?:#{1,6}\s|\||[-*_=]{3,}\s{0,9}$|<!--|</?\w{1,40}>\s{0,9}$)")
_MARK = re.compile(r"^\s{0,40}(?:(?:>|[-*+•]|\d{1,3}[.)]|\[[ xX]\])\s{1,9}){1,5}")
_LINK = re.compile(r"!?\[([^\]\n]{0,300})\]\([^)\s]{0,1000}\)")
# The marks around words, in the order in which they are taken off; the words are the first group.
_AROUND = {
    "**": re.compile(r"\*\*(?=\S)(.{1,1000}?)(?<=\S)\*\*"),
    "`": re.compile(r"`{1,3}([^`]{1,1000})`{1,3}"),
    "~~": re.compile(r"~~(?=\S)(.{1,1000}?)(?<=\S)~~"),
    "__": re.compile(r"(?<!\w)__(?=\S)(.{1,1000}?)(?<=\S)__(?!\w)"),
    "*": re.compile(r"(?<![\w*])\*(?=\S)([^*\n]{1,500})(?<=\S)\*(?![\w*])"),
    "_": re.compile(r"(?<!\w)_(?=\S)([^_\n]{1,500})(?<=\S)_(?!\w)"),
}
# A stop, and then a new sentence; so not in "e.g. this", "v1.2" or "app.py".
_END = re.compile(r"[.!?…][\"')\]*_]{0,3}(?=\s{1,9}[^\sa-z])|[。！？]")


def read_closing(message: str) -> str | None:
    """The first sentence of a message, on one line without marks of Markdown, or None.

    Headings, code and words that lead to a list are passed over if other text follows.
    """
    first = ""
    for sentence in _sentences(cut_head(message, MAX_MESSAGE_CHARS)):
        first = first or sentence
        if not sentence.endswith(":") and not _is_short(sentence):
            return shortened(sentence, MAX_CLOSING_CHARS) or None
    return shortened(first, MAX_CLOSING_CHARS) or None


def _is_short(sentence: str) -> bool:
    return sentence.isascii() and len(sentence.split()) < MIN_WORDS


def _sentences(message: str) -> Iterator[str]:
    """The sentences of a message; its headings come last."""
    headings: list[str] = []
    for paragraph in _paragraphs(message):
        text = _without_marks(paragraph)
        if paragraph.startswith("#"):
            headings.append(text.strip("# "))
        elif not _NO_PROSE.match(paragraph):
            yield from _parts(text)
    yield from headings


def _parts(text: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(text):
        yield text[start : end.end()].strip()
        start = end.end()
    if rest := text[start:].strip():
        yield rest


def _paragraphs(message: str) -> Iterator[str]:
    """The paragraphs, list items and headings of a message, each on one line, without blocks of code."""
    lines: list[str] = []
    is_code = False
    for line in (*message.splitlines(), ""):
        is_fence = bool(_CODE.match(line))
        is_code = is_code != is_fence
        is_prose = line[:1].isalpha()
        begins = not is_prose and (is_fence or not line.strip() or bool(_MARK.match(line) or _NO_PROSE.match(line)))
        if begins and lines:
            yield " ".join(lines)
            lines = []
        if not is_code and not is_fence and line.strip():
            lines.append(line.strip())
            if not is_prose and _NO_PROSE.match(line):
                yield lines.pop()


def _without_marks(text: str) -> str:
    plain = text if text[:1].isalpha() else _MARK.sub("", text, count=1)
    plain = _LINK.sub(r"\1", plain) if "](" in plain else plain
    for mark, around in _AROUND.items():
        plain = around.sub(r"\1", plain) if mark in plain else plain
    return " ".join(plain.split())
