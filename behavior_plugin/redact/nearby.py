"""Find machine-made words that stand near words for credentials.

Most services have tokens without a shape of their own. But a token is as good as random, and text names it: in the
same line, in the key or the element around it, in a line nearby. Hashes and ids are as random, and named too, as such.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from behavior_plugin.redact.values import MAX_CHARS, changes, has_gibberish, is_broken, is_hex, is_own

Span = tuple[int, int]

# Characters around a word in which a word for credentials makes it one. Notes and configuration name things on lines
# of their own.
BEFORE, AFTER = 250, 90
# The same for hexadecimal words, which are mostly hashes: in the same line.
BEFORE_HEX = 60
# Characters of a word that is taken for a secret whatever its name is.
MIN_ASSIGNED = 30

_WORD = re.compile(r"[A-Za-z0-9+/_.~-]{16,}+={0,2}")
_SEGMENT = re.compile(r"[^/]{16,}+")
_CREDENTIALS = re.compile(
    r"secret|token(?!s\b|i[sz]|_?(?:count|limit|usage))|credential|api[_ -]?key|(?<![a-z]{3})key(?![a-z])|_key|passw|passphrase"
    r"|\bpwd\b|\bauth(?!or)|bearer|webhook|\bprivate\b|client[_ -]?id|access[_ -]?id|signature|licen[cs]e|\bpat\b|\bseed\b"
    r"|(?-i:[a-z]Key)(?![a-z])",
    re.IGNORECASE,
)
# What a hash or an id is called: in front of it, or as its beginning.
_HASH = re.compile(
    r"(?:commit|sha\d*|hash(?:es)?|digest|checksum|integrity|md5|etag|rev(?:ision)?s?|tree|parent|blob|object|oid|uuid|guid"
    r"|cache|trace|span|session|request|message|run|build|job|node|container|image|index|resolved|fingerprint|public"
    r"|version|base64|etag:\s?w/|rsa|ed25519|h1|head|merge|branch|checkout|diff|show|file|path|host|url|migration|snapshot|nonce"
    r"|tool_use|tooluseid|thread|primary|foreign|sort|test|step|task|agent|data|src|href)[\s_-]{0,2}(?:ids?|keys?|name)?$",
    re.IGNORECASE,
)
# Another thing's id beside a secret: userId, account_id.
_ID = re.compile(r"(?:^|[\W_])id$|[a-z](?:Id|ID)$")
_HASH_BEGINNING = re.compile(r"(?:toolu|msg|req|call|chatcmpl|resp|run|evt|srvtoolu|agent|sha\d{0,3}|h1|nix|GHSA|CVE)[_-]|\d{4}-\d\d")
_PART = re.compile(r"[A-Za-z0-9]+")
_PLAIN_PART = re.compile(r"[a-z]{1,23}|[A-Z]{1,23}|[A-Z][a-z]{1,23}|\d+|(?=\w*\d)[0-9a-f]{6,}|v\d+")
_FILE = re.compile(r"\.[a-z][a-z0-9]{0,8}$|^[A-Za-z]+(?:[._-][A-Za-z]+)*\.[a-z]{2,4}\b")


def found(text: str) -> Iterator[Span]:
    """The spans of machine-made words near words for credentials."""
    credentials: list[int] | None = None
    for match in _WORD.finditer(text):
        for start, end in _parts(text, *match.span()):
            word = text[start : min(end, start + MAX_CHARS)]
            is_random = is_machine_made(word)
            if not is_random and not (is_hex(word) and len(word) >= 20 and not word.isdigit() and is_own(word)):
                continue
            if credentials is None:
                credentials = [each.start() for each in _CREDENTIALS.finditer(text)]
            if is_random and (_is_credential(text, start, end, credentials) or _is_assigned(text, start, end)):
                yield start, end
            elif not is_random and _is_named(text, start, credentials):
                yield start, end


def is_machine_made(word: str) -> bool:
    """Whether a word is letters and digits at random, and not in hexadecimal digits alone."""
    if is_hex(word) or not is_own(word) or _HASH_BEGINNING.match(word) or ".." in word:
        return False
    # Words, numbers and hashes in a name are no sign of chance.
    mixed = "".join(part for part in _PART.findall(word) if not _PLAIN_PART.fullmatch(part))
    change, size = changes(mixed), len(mixed)
    if size >= 16 and re.search(r"[a-z]", mixed) and re.search(r"[A-Z]", mixed):
        has_digit = re.search(r"\d", mixed) is not None
        return change >= max(4, size // 4 if has_digit else size // 3) or (size >= 20 and is_broken(mixed, 2.7))
    return (len(word) >= 20 and size >= 12 and change >= max(4, size // 8)) or has_gibberish(word)


def _parts(text: str, start: int, end: int) -> Iterator[Span]:
    """The word, or the segments of a path that are long enough."""
    word = text[start:end]
    segments = [each for each in word.split("/") if each]
    is_path = word.startswith(("/", "./", "../", "~/")) or sum(changes(each) < 2 for each in segments) >= 2
    if "/" in word and is_path:
        yield from (
            (start + each.start(), start + each.end()) for each in _SEGMENT.finditer(word) if not _FILE.search(each[0])
        )
    elif not _FILE.search(word):
        yield start, end


def _is_credential(text: str, start: int, end: int, credentials: list[int]) -> bool:
    """Whether a word for credentials is near, and the word is not named as a hash."""
    next_one = bisect_left(credentials, start)
    is_near = (next_one > 0 and credentials[next_one - 1] >= start - BEFORE) or (
        next_one < len(credentials) and credentials[next_one] <= end + AFTER
    )
    return is_near and not _HASH.search(_label(text, start))


def _is_assigned(text: str, start: int, end: int) -> bool:
    """Whether a long word is the whole value of a name that is not a hash's or an id's: name = "word"."""
    left = text[max(0, start - 4) : start].rstrip(" \t\"'`{")
    label = _label(text, start)
    is_value = left.endswith(("=", ": ", ":")) and not text.startswith(("/", ".", "-"), start)
    return end - start >= MIN_ASSIGNED and is_value and not _HASH.search(label) and not _ID.search(label)


def _is_named(text: str, start: int, credentials: list[int]) -> bool:
    """Whether a word for credentials stands before it in the same line, after an operator, and none for hashes."""
    last = bisect_left(credentials, start) - 1
    if last < 0 or credentials[last] < start - BEFORE_HEX:
        return False
    between = text[credentials[last] : start]
    if "\n" in between or not re.search(r"[=:>'\"-]|\bis\b", between):
        return False
    label = _label(text, start)
    return not any(_HASH.search(part) for part in (*re.split(r"[^\w-]+", between), label)) and not _ID.search(label)


def _label(text: str, start: int) -> str:
    """The name that stands directly before a word: `name = `, `"name": "`, `<name>`, `name `."""
    return text[max(0, start - 60) : start].rstrip(" \t\"'`{([<>=:,@+-|\\")[-30:]
