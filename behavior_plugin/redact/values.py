"""What a value looks like: a reference to a secret, an ordinary word, a password that a person chose, or a machine's.

The rules find places where a secret may stand; these functions decide whether one does.
"""

from __future__ import annotations

import re

MAX_CHARS = 500  # of a value that are looked at

# Placeholders in the place of a secret: $NAME, ${NAME}, {{ name }}, <name>, %(name)s, %s, ***, xxxx, ....
_REFERENCE = re.compile(
    r"\$[\w({]|[<{*]|\.\.\.|%[({sdv]|%\w{1,40}%|@[\w.]{1,40}@$|#\{"
    r"|\[REDACTED|(?i:x{4}|your|process\.env|os\.environ|env\.)"
)
# aaaaaa, EXAMPLEEXAMPLEEXAMPLEEXAMPLE
_FILLER = re.compile(r"(\w)\1{5}|(\w{2,8}?)\2{3}")
# config.token, ./token.json, /run/secrets/token, https://..., 2026-01-31
_ORDINARY = re.compile(
    r"[A-Za-z_]\w{0,19}(?:\.[A-Za-z_]\w{0,19})*|(?:[~.]{0,2}/)?(?:[\w.@-]+/)+[\w.@*-]*|[\w./-]+\.[a-z]{2,5}"
    r"|\w{1,20}://.*|\d{4}-\d\d-\d\d.*|(?:[A-Za-z]{2,15}[-_]){1,9}v?\d{0,3}[-_]?"
)
_PLAIN_WORD = re.compile(
    r"true|false|none|null|nil|undefined|string|str|text|\w*(?:password|passwd|secret|token)\w*"
    r"|(?:self|this|args|config|settings|process|os)\..*|[~.]{0,2}/.*|\w{1,20}://.*|\d{1,5}",
    re.IGNORECASE,
)
# Changes between kinds of characters, which are rare in names that people choose: aB, A1, 1a.
_CHANGE = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])")
_KINDS = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"\d"), re.compile(r"[^\w\s.,:/-]"))
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_HEX = re.compile(r"(?:[0-9a-f]{4,}|[0-9A-F]{4,})(?:-(?:[0-9a-f]{4,}|[0-9A-F]{4,}))*")
# Characters that end a word in code, and that tokens do not have.
_CODE = frozenset("\"'`,;&|<>(){}\\")
_PHRASE = re.compile(r"[a-z]{3,12}(?:[ -][a-z]{3,12}){3,9}")
_COMMON = re.compile(r"\b(?:a|an|and|are|as|be|can|enter|for|from|has|in|is|it|must|no|not|of|or|the|this|to|your?)\b")


def is_given(value: str) -> bool:
    """Whether a value can be a password that a person chose: not a reference to one, a type or a path."""
    return not _REFERENCE.match(value) and not _PLAIN_WORD.fullmatch(value)


def is_given_and_real(value: str) -> bool:
    """The same, and no filler."""
    return is_given(value) and is_real(value)


def is_odd(value: str) -> bool:
    """The same in a place where prose may stand: the value has a digit or a special character as well."""
    return is_given(value) and re.search(r"[\d!@#%^*?$&]", value) is not None and not _ORDINARY.fullmatch(value)


def is_odd_or_numbered(value: str) -> bool:
    """The same after the whole word for a password, where even a word with a number is hardly a name."""
    return is_odd(value) or (is_given(value) and re.fullmatch(r"[A-Za-z]{4,20}\d{1,6}", value) is not None)


def is_strong(value: str) -> bool:
    """The same directly after a word of prose: three kinds of characters, as a password's rules ask for."""
    return (
        len(value) >= 8 and is_odd(value) and sum(kind.search(value) is not None for kind in _KINDS) >= 3
    ) or re.fullmatch(r"[A-Z][a-z]{4,20}\d{2,6}", value) is not None


def is_phrase(value: str) -> bool:
    """Whether a value is a passphrase of plain words, and no sentence."""
    return _PHRASE.fullmatch(value) is not None and not _COMMON.search(value)


def is_real(value: str) -> bool:
    """Whether a value is no filler, such as an example's: less than half of it is repetition."""
    return 2 * sum(len(match[0]) for match in _FILLER.finditer(value)) < len(value) and not value.endswith("EXAMPLE")


def is_token(value: str) -> bool:
    """Whether a value that begins like a token can be one: it is more than words."""
    if not is_real(value):
        return False
    return re.search(r"\d", value) is not None or changes(value) >= 3 or has_gibberish(value)


def is_random(value: str) -> bool:
    """Whether a value is machine-made: letters and digits in a disorder that names, paths and dates do not have."""
    if len(value) < 8 or _REFERENCE.match(value) or not is_token(value):
        return False
    if (changes(value) >= max(3, len(value) // 5) and is_broken(value, 3.8)) or has_gibberish(value):
        return True
    has_digit = re.search(r"\d", value) is not None and not value.isdigit()
    return has_digit and not _ORDINARY.fullmatch(value) and not re.search(r"[\[\]:]", value)


def is_machine_made(value: str) -> bool:
    """Whether a value is as good as random: a token, two with a space between, or special characters."""
    return is_noise(value) if _CODE.intersection(value) else all(map(is_random, value.split(" ", 1)))


def is_noise(value: str) -> bool:
    """Whether a value has so many special characters that it is no text, and no code, in which brackets match."""
    special = {each for each in value if not each.isalnum()}
    return len(special) >= 7 and not special & {" ", "\n"} and is_given(value) and not _is_balanced(value)


def is_account(value: str) -> bool:
    """Whether a value can be the random half of a login: a number among letters, and no hash."""
    return is_given(value) and re.search(r"\d", value) is not None and changes(value) >= 2 and not is_hex(value)


def is_set(value: str) -> bool:
    """Whether a value can be what a variable for a secret is set to, and no word."""
    return is_given(value) and not value.isalpha() and (is_odd(value) or is_random(value))


def is_password_or_phrase(value: str) -> bool:
    """Whether a quoted value can be a password or a passphrase, and no sentence."""
    if not any(map(str.isalnum, value)):
        return False
    return is_given(value) and (" " not in value or is_phrase(value) or (is_odd(value) and value.count(" ") <= 1))


def is_hex(value: str) -> bool:
    """Whether a value is written in hexadecimal digits, as hashes and ids are."""
    return _HEX.fullmatch(value) is not None


def changes(value: str) -> int:
    """How often the kind of character changes as it hardly does in a name."""
    return len(_CHANGE.findall(value))


def is_broken(value: str, size: float) -> bool:
    """Whether the runs of one kind of letters or of digits are shorter than `size`: the words of a name are longer."""
    runs = _RUN.findall(value)
    return sum(map(len, runs)) < size * len(runs)


def has_gibberish(value: str) -> bool:
    """Whether there is a run of letters that is longer than any word."""
    return re.search(r"[a-z]{24}|[A-Z]{24}", value) is not None


def _is_balanced(value: str) -> bool:
    """Whether each bracket that is closed was opened as the last one."""
    opened: list[str] = []
    for each in value:
        if each in "([{":
            opened.append(each)
        elif each in ")]}" and (not opened or opened.pop() + each not in ("()", "[]", "{}")):
            return False
    return True
