"""Split shell lines into commands and words, as a shell does, without running or expanding anything."""

from __future__ import annotations

import re
from collections.abc import Iterator

# A here-document: its marker, the rest of the line, and the text up to the marker, or to the end where it was cut off.
_HEREDOC = re.compile(
    r"<<-?[ \t]*(['\"]?)([A-Za-z_]\w*)\1([^\n]*)\n(?:(?:.*?\n)??[ \t]*\2(?=[ \t]*(?:[\n)\"]|\Z))|.*)", re.DOTALL
)
# A line goes on behind a backslash, or behind PowerShell's backtick.
_CONTINUED = re.compile(r"\\\n|(?<=[ \t])`\n(?=[ \t])")
# Possessive, so that an open quote costs linear time.
_SUBSTITUTION = r"[$<>]\((?:[^()'\"]|'[^']*'|\"(?:\\.|[^\"\\])*+\"|\((?:[^()])*+\))*+\)"
_DOUBLE = rf'"(?:\\.|{_SUBSTITUTION}|[^"\\])*+"?'
PIECE = rf"(?:\\.|'[^']*+'?|{_DOUBLE}|{_SUBSTITUTION}|`[^`]*+`?|[^\s'\"\\`|;&()<>])"
_TOKEN = re.compile(
    rf"""
      (?P<comment>(?<![^\s;&|(])\#[^\n]*)
    | (?P<heredoc><<-?[A-Za-z_]\w*)
    | (?P<redirect>(?:\d+|\*)?[<>]&[\d-]+|(?:\d+|[&*])?(?:>>?[|&]?|<<<|<(?!\())[ \t]*{PIECE}++)
    | (?P<between>&&|\|\||\|&|;;|[|;&()\n])
    | (?P<word>{PIECE}++)
    | (?P<other>[^\S\n]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r"'([^']*)'?|\"((?:\\.|[^\"\\])*)\"?|\\(.)", re.DOTALL)
_WINDOWS_PATH = re.compile(r"[\"']?[A-Za-z]:\\")


def commands(command: str) -> Iterator[tuple[str, list[str]]]:
    """The text and the words of each command."""
    line = _CONTINUED.sub(" ", _HEREDOC.sub(r"<<\2\3", command.replace("\r\n", "\n")))
    text, words = "", list[str]()
    for token in [*_TOKEN.finditer(line), None]:
        if token is None or token["between"] or token["word"] in ("{", "}"):
            if words:
                yield text.strip(), words
            text, words = "", []
        elif token["word"]:
            text, words = text + token["word"], [*words, unquoted(token["word"])]
        elif token["heredoc"]:
            text += token["heredoc"]
        elif token["other"]:
            text += " " if token["other"].isspace() and not text.endswith(" ") else token["other"].strip()


def words_of(text: str) -> list[str]:
    """The words of one command as they were typed, quotes and all."""
    return [token["word"] for token in _TOKEN.finditer(text) if token["word"]]


def unquoted(word: str) -> str:
    """A word as the program receives it."""
    if _WINDOWS_PATH.match(word):  # as PowerShell has it
        return word.strip("\"'").replace("\\", "/")
    return _QUOTED.sub(lambda found: found[1] or re.sub(r"\\(.)", r"\1", found[2] or "") or found[3] or "", word)
