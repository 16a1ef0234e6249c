"""Split shell lines into commands and words, as a shell does, without running or expanding anything."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A here-document: its marker, the rest of the line, and the text up to the marker, or to the end where it was cut off.
_HEREDOC = re.compile(
    r"<<-?[ \t]*(['\"]?)([A-Za-z_]\w*)\1([^\n]*)\n(?:(.*?\n)??[ \t]*\2(?=[ \t]*(?:[\n)\"]|\Z))|(.*))", re.DOTALL
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
_REDIRECT = re.compile(r"\A(?:\d+|[&*])?(<<<|<|>>?[|&]?)[ \t]*(.*)\Z", re.DOTALL)
_INNER = re.compile(rf"({_SUBSTITUTION})|`([^`]*+)`?|'[^']*+'", re.DOTALL)
_QUOTED = re.compile(r"'([^']*)'?|\"((?:\\.|[^\"\\])*)\"?|\\(.)", re.DOTALL)
_WINDOWS_PATH = re.compile(r"[\"']?[A-Za-z]:\\")


@dataclass(frozen=True)
class Typed:
    """One command as typed: its text without redirections, and its words as the program receives them.

    `writes` are the files that its output goes to, `given` are texts that are its input: here-documents, here-strings.
    `is_piped`: its input is the output of the command before it. `inner` are the lines in `$(...)`, `<(...)` and
    backticks, which run before it.
    """

    text: str
    words: tuple[str, ...]
    writes: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    is_piped: bool = False
    inner: tuple[str, ...] = ()


def commands(command: str) -> Iterator[tuple[str, list[str]]]:
    """The text and the words of each command."""
    return ((each.text, list(each.words)) for each in typed_commands(command) if each.words)


def typed_commands(command: str) -> Iterator[Typed]:
    """The commands of a line in their order; one may consist of redirections alone."""
    line = command.replace("\r\n", "\n")
    documents = {found[2]: found[4] or found[5] or "" for found in _HEREDOC.finditer(line)}
    text, between = "", ""
    words, writes, given, inner = list[str](), list[str](), list[str](), list[str]()
    for token in [*_TOKEN.finditer(_CONTINUED.sub(" ", _HEREDOC.sub(r"<<\2\3", line))), None]:
        if token is None or token["between"] or token["word"] in ("{", "}"):
            if words or writes:
                is_piped = between in ("|", "|&")
                yield Typed(text.strip(), tuple(words), tuple(writes), tuple(given), is_piped, tuple(inner))
                between = ""
            between = (token["between"] or "" if token else "").strip() or between
            text, words, writes, given, inner = "", [], [], [], []
        elif token["word"]:
            text += token["word"]
            words.append(unquoted(token["word"]))
            inner += _inner_lines(token["word"])
        elif token["redirect"]:
            [(operator, target)] = _REDIRECT.findall(token["redirect"])
            if operator == "<<<":
                given.append(unquoted(target))
            elif ">" in operator and not (operator.endswith("&") and target.strip("-").isdigit()):
                writes.append(unquoted(target))
            inner += _inner_lines(target)
        elif token["heredoc"]:
            text += token["heredoc"]
            given.append(documents.get(token["heredoc"].lstrip("<-"), ""))
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


def _inner_lines(word: str) -> list[str]:
    """The lines that a shell runs to make a word; in single quotes there are none."""
    return [found[1][2:-1] if found[1] else found[2] for found in _INNER.finditer(word) if found[1] or found[2]]
