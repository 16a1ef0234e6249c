"""Find machine-made words that stand near words for credentials.

Most services have tokens without a shape of their own. But a token is as good as random, and text names it: in the
same line, in the key or the element around it, in a line nearby. Hashes and ids are as random, and named too, as such.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from behavior_plugin.redact.values import MAX_CHARS, changes, has_gibberish, is_broken, is_hex, is_real

Span = tuple[int, int]

# Characters around a word in which a word for credentials makes it one. Notes and configuration name things on lines
# of their own.
BEFORE, AFTER = 250, 90
# The same for hexadecimal words, which are mostly hashes: in the same line.
BEFORE_HEX = 60
# Characters of a word that is taken for a secret whatever its name is.
MIN_ASSIGNED = 24

_WORD = re.compile(r"[A-Za-z0-9+/_.~-]{16,}+={0,2}")
_SEGMENT = re.compile(r"[^/]{16,}+")
_CREDENTIALS = re.compile(
    r"secret|token(?!s\b|i[sz]|_?(?:count|limit|usage))|credential|api[_ -]?key|(?<![a-z]{3})key(?![a-z])|_key"
    r"|passw|passphrase"
    r"|\bpwd\b|\bauth(?!or)|bearer|webhook|\bprivate\b|client[_ -]?id|access[_ -]?id|signature|licen[cs]e"
    r"|\bpat\b|\bseed\b"
    r"|(?-i:[a-z]Key)(?![a-z])",
    re.IGNORECASE,
)
# What a hash or an id is called: in front of it, or as its beginning.
_HASH = re.compile(
    r"(?:commit|sha\d*|hash(?:es)?|digest|checksum|integrity|md5|etag|rev(?:ision)?s?|tree|parent|blob|object"
    r"|oid|uuid|guid"
    r"|cache|trace|span|session|request|message|run|build|job|node|container|image|index|resolved|fingerprint|public"
    r"|version|base64|etag:\s?w/|rsa|ed25519|h1|head|merge|branch|checkout|diff|show|file|path|host|url"
    r"|migration|snapshot|nonce"
    r"|tool_use|tooluseid|thread|primary|foreign|sort|test|step|task|agent|data|src|href)[\s_-]{0,2}(?:ids?"
    r"|keys?|name)?$",
    re.IGNORECASE,
)
# Those that go with words as random as tokens.
_DIGEST = re.compile(
    r"(?:sha\d*|hash(?:es)?|digest|checksum|integrity|md5|etag:?\s?w?/?|h1|base64|rsa|ed25519|resolved"
    r"|fingerprint|public"
    r"|src|href|nonce|commit|uuid|trace|span|request|message|thread|run|job|build|tool_use)[\s_-]{0,2}(?:ids?|keys?)?$",
    re.IGNORECASE,
)
# Another thing's id beside a secret: userId, account_id.
_ID = re.compile(r"(?:^|[\W_])id$|[a-z](?:Id|ID)$")
_HASH_BEGINNING = re.compile(
    r"(?:toolu|msg|req|call|chatcmpl|resp|run|evt|srvtoolu|agent|sha\d{0,3}|h1|nix|GHSA|CVE)[_-]|\d{4}-\d\d"
)
_PART = re.compile(r"[A-Za-z0-9]+")
_PLAIN_PART = re.compile(r"[a-z]{1,23}|[A-Z]{1,23}|[A-Z][a-z]{1,23}|\d+|(?=\w*\d)[0-9a-f]{6,}|v\d+")
_FILE = re.compile(r"\.[a-z][a-z0-9]{0,8}$|^[A-Za-z]+(?:[._-][A-Za-z]+)*\.[a-z]{2,4}\b")


def found(text: str) -> Iterator[Span]:
    """The spans of machine-made words near words for credentials."""
    credentials: list[int] | None = None
    for match in _WORD.finditer(text):
        for start, end in _parts(text, *match.span()):
            word = text[start : min(end, start + MAX_CHARS)]
            is_word_random = is_machine_made(word)
            if not is_word_random and not _is_hash(word):
                continue
            if credentials is None:
                credentials = [each.start() for each in _CREDENTIALS.finditer(text)]
            place = _Place(text, start, end, credentials)
            if place.has_token() if is_word_random else place.has_secret_hash():
                yield start, end


def is_machine_made(word: str) -> bool:
    """Whether a word is letters and digits at random, and not in hexadecimal digits alone."""
    if is_hex(word) or not is_real(word) or _HASH_BEGINNING.match(word) or ".." in word:
        return False
    # Words, numbers and hashes in a name are no sign of chance.
    mixed = "".join(part for part in _PART.findall(word) if not _PLAIN_PART.fullmatch(part))
    change, size = changes(mixed), len(mixed)
    if size >= 16 and re.search(r"[a-z]", mixed) and re.search(r"[A-Z]", mixed):
        has_digit = re.search(r"\d", mixed) is not None
        is_changing = change >= max(4, size // 4 if has_digit else size // 3) and is_broken(mixed, 3)
        return is_changing or (size >= 20 and is_broken(mixed, 2.7))
    return (len(word) >= 20 and size >= 12 and change >= max(4, size // 8)) or has_gibberish(word)


def _parts(text: str, start: int, end: int) -> Iterator[Span]:
    """The word, or the segments of a path that are long enough."""
    word = text[start:end]
    segments = [each for each in word.split("/") if each]
    words = [each for each in segments if changes(each) < 2]
    is_path = len(words) >= 2 or any(len(each) >= 4 and each.isalpha() for each in words)
    if "/" in word and (is_path or word.startswith(("/", "./", "../", "~/"))):
        yield from (
            (start + each.start(), start + each.end()) for each in _SEGMENT.finditer(word) if not _FILE.search(each[0])
        )
    elif name := _FILE.search(word):
        yield start, start + name.start()
    else:
        yield start, end


def _is_hash(word: str) -> bool:
    return is_hex(word) and len(word) >= 20 and not word.isdigit() and is_real(word)


@dataclass(frozen=True)
class _Place:
    """A word in its text, and where words for credentials begin."""

    text: str
    start: int
    end: int
    credentials: list[int]

    def has_token(self) -> bool:
        """Whether the word, which is no hash, is a token: a word for credentials is near, or it is a whole value."""
        is_near = self._before(BEFORE) is not None or self._is_followed()
        return (is_near and not _DIGEST.search(self._label())) or self._is_assigned()

    def has_secret_hash(self) -> bool:
        """Whether the word, which has the form of a hash, is a secret: it is named as one, or an account beside one."""
        return self._is_named() or self._is_account()

    def _is_assigned(self) -> bool:
        """Whether a long word is the whole value of a name that is not a hash's or an id's: name = "word"."""
        if self.end - self.start < MIN_ASSIGNED:
            return False
        quote = self.text[self.start - 1 : self.start]
        is_quoted = quote in ('"', "'") and self.text[self.end : self.end + 1] == quote
        left = self.text[max(0, self.start - 4) : self.start].rstrip(" \t\"'`{")
        is_value = is_quoted or (left.endswith(("=", ":")) and not self.text.startswith(("/", ".", "-"), self.start))
        label = self._label()
        return is_value and not _HASH.search(label) and not _ID.search(label)

    def _is_named(self) -> bool:
        """Whether a word for credentials stands before it in the same line, after an operator, and none for hashes."""
        first = self._before(BEFORE_HEX)
        if first is None:
            return False
        between = self.text[first : self.start]
        if "\n" in between or not re.search(r"[=:>'\"-]|\bis\b", between):
            return False
        label = self._label()
        return not any(_HASH.search(part) for part in (*re.split(r"[^\w-]+", between), label)) and not _ID.search(label)

    def _is_account(self) -> bool:
        """Whether the word is an id, and a word for credentials follows at once: an account is half of a login."""
        left = self.text[max(0, self.start - 30) : self.start]
        is_id = re.search(r"(?i)\b(?:app|client|account|user)?[_-]?id\b", left) is not None
        return is_id and "-" not in self.text[self.start : self.end] and self._is_followed()

    def _before(self, size: int) -> int | None:
        """Where the last word for credentials begins, if it is among the last `size` characters."""
        last = bisect_left(self.credentials, self.start) - 1
        return self.credentials[last] if last >= 0 and self.credentials[last] >= self.start - size else None

    def _is_followed(self) -> bool:
        following = bisect_left(self.credentials, self.end)
        return following < len(self.credentials) and self.credentials[following] <= self.end + AFTER

    def _label(self) -> str:
        """The name that stands directly before the word: `name = `, `"name": "`, `<name>`, `name `."""
        return self.text[max(0, self.start - 60) : self.start].rstrip(" \t\"'`{([<>=:,@+-|\\")[-30:]
