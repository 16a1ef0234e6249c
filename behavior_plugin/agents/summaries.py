"""Read the line with which a test runner or a linter sums up: how many tests or checks passed and failed.

Each tool has a form of its own: "3 failed, 5 passed in 0.12s", "Tests run: 5, Failures: 1", "# pass 2", "2 problems
(1 error, 1 warning)". They have in common that the line consists of numbers, times and words of a small vocabulary.
So a line with any other word is no summary, which keeps out prose, source code and names of tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

# A summary is short; the longest ones of the tools have 20 words.
MAX_LINE_CHARS = 300
MAX_TOKENS = 60
# A line that begins with this many counts is a summary, whatever follows them.
MIN_LEADING_COUNTS = 3

_PASSED, _FAILED, _WEAK, _TOTAL, _MENDED, _OTHER, _FILLER = range(7)
_ROLES = {
    word: role
    for role, words in {
        _PASSED: "pass passed passing passes succeeded successful success",
        _FAILED: "fail failed failing fails failure failures error errors errored offense offenses broken error(s)",
        # They may be warnings: where the line counts errors too, those count.
        _WEAK: "problem problems issue issues violation violations diagnostic diagnostics",
        _TOTAL: "test tests test(s) example examples run runs spec specs scenario scenarios doctest doctests total",
        _MENDED: "corrected autocorrected fixed",
        # Each of them makes the count before it one that says neither.
        _OTHER: "skipped skip skips pending pendings todo ignored deselected xfailed xpassed warning warnings"
        " warning(s) informations notes hints info infos measured filtered cancelled canceled disabled flaky assertions"
        " assertion expectations expect() calls omissions notifications rerun reruns retried inconclusive incomplete"
        " risky known expected unexpected remaining autocorrectable correctable fixable deprecations suppressed",
        _FILLER: "in of out and with for on a the are is was be has all only after finished completed complete done"
        " ran executed found checked result results summary took time times duration real ok across outside occurred"
        " detected inspected reported source file files module modules suite suites task tasks package packages"
        " previous did not were due to at least must s ms sec secs second seconds min mins minute minutes h hours"
        " snapshots snapshot written obsolete cases case subtests targets target checks check contains containing"
        " containers would reformatted left unchanged already formatted reformat x xx no",
    }.items()
    for word in words.split()
}
_TIME = r"\d+[.:,]\d+(?:[.:]\d+)?\s?(?:[mµu]?s\b)?|\d+\s?[mµu]?s\b"
_TOKEN = re.compile(
    rf"(?P<time>{_TIME}|\d+%)|(?P<number>\d+|no\b)|(?P<word>[a-z]+(?:\(s?\))?)|(?P<sign>[:=])|(?P<end>[,;|()/.])"
)
_CODE_ENDS = (",", ";", "{", "}")
_DIGIT = re.compile(r"\d")
# Before the summary: decoration, or the level of a log; no line of a diff, no text in quotes and no comment.
_START = re.compile(
    r"(?![+-]\s|\s{0,40}[\"'/])[^a-z0-9]{0,40}(?:\[(?:info|error|warning|warn)\]\s{0,9}[^a-z0-9]{0,20})?(?=([a-z]*))"
)
_COARSE = re.compile(r"(?:test\s)?(?:suites|files|snapshots|tasks)\b")
_ALONE = ("failures", "errors", "failed", "fail", "passed", "pass", "succeeded", "tests", "run", "total")

# A token's kind, and its number or word.
_Token: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class Summary:
    """The counts of one line; None where it has none.

    `is_coarse`: it counts files or suites, of which another line counts the tests. `is_part`: more text follows, so it
    may be the line of one file.
    """

    passed: int | None = None
    failed: int | None = None
    total: int | None = None
    is_coarse: bool = False
    is_part: bool = False


def read_summary(line: str) -> Summary | None:
    """The counts of a line in lower case; None if it is no summary."""
    if len(line) > MAX_LINE_CHARS or not _DIGIT.search(line) or line.endswith(_CODE_ENDS):
        return None
    start = _START.match(line)
    if start is None or (start[1] and start[1] not in _ROLES):
        return None
    text = line[start.end() :]
    tokens, is_part = _known_tokens(text)
    if is_part and not text.startswith("found ") and len(tokens) < 2 * MIN_LEADING_COUNTS:
        return None
    counts = list(_counts(tokens))
    if is_part and not text.startswith("found ") and len(counts) < MIN_LEADING_COUNTS:
        return None
    passed, failed, total = (_sum(counts, role) for role in (_PASSED, _FAILED, _TOTAL))
    if failed is None:
        failed = _sum(counts, _WEAK)
    if failed is not None:
        failed = max(0, failed - (_sum(counts, _MENDED) or 0))
    if passed is failed is total is None:
        return None
    return Summary(passed, failed, total, is_coarse=bool(_COARSE.match(text)), is_part=is_part)


def _known_tokens(text: str) -> tuple[list[_Token], bool]:
    """The tokens before the first unknown word, and whether there is one."""
    tokens: list[_Token] = []
    for match in islice(_TOKEN.finditer(text), MAX_TOKENS):
        kind = match.lastgroup or ""
        if kind == "word" and match[0] not in _ROLES:
            return tokens, True
        tokens.append((kind, match[0]))
    return tokens, False


def _counts(tokens: Sequence[_Token]) -> Iterator[tuple[int, int]]:
    """The role and the number of each count: "2 tests failed", or "failures: 2"."""
    words: list[str] = []
    index = 0
    while index < len(tokens):
        kind, text = tokens[index]
        index += 1
        if kind == "word":
            words.append(text)
        elif kind in ("end", "time"):
            words = []
        elif kind == "number":
            after = _words_at(tokens, index)
            index += len(after)
            role = _role(after or _key(words))
            words = []
            if role is not None:
                yield role, 0 if text == "no" else int(text[:9])


def _key(words: Sequence[str]) -> Sequence[str]:
    """The words before a count that name it: few can stand alone, since "error: 404" counts nothing."""
    return words[-2:] if _OTHER in map(_ROLES.get, words[-2:]) else [word for word in words[-1:] if word in _ALONE]


def _words_at(tokens: Sequence[_Token], index: int) -> list[str]:
    """The words from `index` to the next token of another kind; none if the last of them names the next count."""
    end = index
    while end < len(tokens) and tokens[end][0] == "word":
        end += 1
    is_named = [kind for kind, _ in tokens[end : end + 2]] == ["sign", "number"]
    return [] if is_named else [text for _, text in tokens[index:end]]


def _role(words: Sequence[str]) -> int | None:
    """The role of a count by its words: "2 expected failures" are no failures, and "2 tests failed" are."""
    roles = {_ROLES[word] for word in words} - {_FILLER}
    for role in (_OTHER, _MENDED, _FAILED, _WEAK, _PASSED, _TOTAL):
        if role in roles:
            return role
    return None


def _sum(counts: Sequence[tuple[int, int]], role: int) -> int | None:
    found = [number for each, number in counts if each == role]
    return sum(found) if found else None
