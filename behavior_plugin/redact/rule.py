"""A rule: a place where a secret stands, as a regular expression, and what a secret looks like there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from behavior_plugin.redact.values import MAX_CHARS

Span = tuple[int, int]

# A token does not start inside a word, but may follow an escaped line end or %3D.
START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-F]{2}))"
QUOTE = r"\\{0,3}[\"'`]"
VALUE = r"[^\s\"'`,;&|<>(){}\\]"
# The end of a password that has an ampersand in it, which ends a parameter of an address.
REST = r"(?:&[^\s\"'`,;&|<>(){}\\=]{1,150}={0,2}(?=[\s\"',;&]|$)){0,4}"
# A command's words up to the one that matters.
WORDS = r"[^\n|;&]{0,200}?"
# A word of a command line, or of one that is a list: mysql -p, ["mysql", "-p"].
GAP = r"(?:[ \t]{1,3}|[\"'],?\s{0,2}[\"']?)"
QUOTED = r"(?:\"([^\"\n]{3,200})\"|'([^'\n]{3,200})'|([^\s\"'`;&|<>()]{3,}+))"
# At the beginning of an expression, which then has only small letters.
ANY_CASE = "(?i)"


@dataclass(frozen=True)
class Rule:
    """A kind of secret. Its groups are masked, or all that matches; with `each`, all matches of that inside it.

    Every expression reads a bounded stretch, or starts at most once in the stretch that it reads, so that time is
    linear in the length of the text.
    """

    name: str
    regex: str
    example: str  # which a test redacts
    words: tuple[str, ...] = ()  # in lower case: a text without any of them is not searched
    is_secret: Callable[[str], bool] = bool
    each: str = ""
    is_whole: bool = False  # the first group decides for all groups

    def found(self, text: str, lowered: str) -> Iterator[Span]:
        """The spans of the secrets in a text, which is also given in lower case, each character in its place."""
        if self.words and not any(word in lowered for word in self.words):
            return
        searched = lowered if self._is_lower else text
        for match in self._regex.finditer(searched):
            for part in self._each.finditer(searched, *match.span()) if self.each else (match,):
                groups = [group for group in range(1, part.re.groups + 1) if part[group]] or [0]
                for group in groups:
                    start, end = part.span(groups[0] if self.is_whole else group)
                    if self.is_secret(text[start : min(end, start + MAX_CHARS)]):
                        yield part.span(group)

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(self.regex.removeprefix(ANY_CASE))

    @property
    def _is_lower(self) -> bool:
        """Whether the text in lower case is searched, which is several times faster than to ignore the case."""
        return self.regex.startswith(ANY_CASE)

    @cached_property
    def _each(self) -> re.Pattern[str]:
        return re.compile(self.each)
