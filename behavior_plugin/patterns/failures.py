"""Read the text of a failed call: the line that names the error, and whether a wrong word, tool or right is named.

General words of shells, package managers, build tools and version control; no tool has an entry of its own.
"""

from __future__ import annotations

import re
from itertools import zip_longest

from behavior_plugin.model import Action

MAX_ERROR_CHARS = 200

_NAME = "(?:sub-?command|command|option|flag|argument|switch|task|target|script|recipe|goal|phase|parameter|choice)s?"
# A word of the command was wrong.
_WRONG_WORD = re.compile(
    rf"""
      \b(?:unknown|unrecogni[sz]ed|unexpected|invalid|illegal|unsupported|undefined|bad|no\ such|missing)
      \ (?!keyword)(?:\w+\ ){{0,2}}{_NAME}\b
    | \b(?!command){_NAME}\b.{{0,60}}?\b(?:not\ found|not\ be\ found|does\ not\ exist|not\ defined|not\ recogni[sz]ed)\b
    | \bprovided\ but\ not\ defined\b | \bis\ not\ an?\ \w+\ command\b | \bdoes\ not\ contain\ recipe\b
    | \bno\ rule\ to\ make\b | \bno\ configuration\ file\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
# A tool was not there, or a right was.
_MISSING = re.compile(
    r"""
      \bcommand\b.{0,60}?\bnot\ found\b | :\ not\ found\s*$ | \bis\ not\ recogni[sz]ed\b | \bno\ module\ named\b
    | \bexecutable(?:\ file)?\ not\ found\b | \bnot\ installed\b | \bunsupported\ engine\b | \bexternally.managed\b
    | \bis\ the\ .{1,30}\ running\b | \b(?:must|should)\ be\ (?:run|executed)\ (?:as|from|with|in)\b
    | \b(?:permission|access)\ denied\b | \bnot\ (?:permitted|allowed)\b | \bforbidden\b | \bunauthori[sz]ed\b
    | \b(?:EACCES|EPERM)\b | \bnot\ logged\ in\b | \bauthentication\ (?:failed|required)\b | \bblocked\b
    | \bprotected\ branch\b
    | \b(?-i:[A-Z][A-Z\d]*_[A-Z\d_]+)\b.{0,20}\b(?:(?:is|are)\ not\ set|must\ be\ set|is\ required)\b
    | \b(?:failed\ to|cannot|could\ not)\ sign\b | \bsigning\ failed\b | \bignored\ by\ one\ of\b
    | \b(?:hooks?|husky|lefthook|pre-commit|pre-push|commit-msg)\b.{0,40}\b(?:failed|failure|declined|rejected|exited)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PLAIN = re.compile(f"{_WRONG_WORD.pattern}|{_MISSING.pattern}", re.IGNORECASE | re.VERBOSE)
# The folder was wrong, others had pushed, a service was away, or the agent cancelled the call: nothing to learn.
_PASSING = re.compile(
    r"""
      \bcd:\  | \bmain\ module\b | \bgo\.mod\ file\ not\ found\b | \bnot\ a\ git\ repository\b | \boutside\ repository\b
    | \bno\ such\ file\ or\ directory\b | \bcannot\ find\ (?:the\ )?(?:path|file)\b | \bcould\ not\ open\ directory\b
    | \bENOENT\b | \bdid\ not\ match\ any\ file | \bunknown\ revision\ or\ path\b | \bno\ matches\ found\b
    | \bcould\ not\ (?:find|read)\ .*package\.json\b
    | \bCONFLICT\b | \bmerge\ conflict | \bcould\ not\ apply\b | \[rejected\] | \bfetch\ first\b | \bnon-fast-forward\b
    | \bindex\.lock\b | \btimed?\ ?out\b | \btemporarily\ unavailable\b | \brate\ limit | \bcould\ not\ resolve\ host\b
    | \bconnection\ reset\b | \bECONNRESET\b | \bSibling\ tool\ call\b | \bcancelled\b | \bnothing\ to\ commit\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
# The user, a limit or a signal ended it.
_STOPPED = re.compile(
    r"\AExit code (?:124|129|130|131|137|143)\b|\binterrupted by (?:the )?user\b|\buser doesn't want to\b",
    re.IGNORECASE,
)
# They differ from one occasion to the next: folders, ids, numbers.
_FOLDER = re.compile(r"(?<![\w.@+-])(?:[A-Za-z]:|~)?(?:[\w.@+-]*[/\\])+(?=[\w.@+-])")
_ID = re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{7,40}\b|\d+")
_NO_SUCH = re.compile(r"\b(?:unknown|no such|not found|does not exist|invalid)\b", re.IGNORECASE)
_NAMES_ERROR = re.compile(r"\b(?:error|errors|fatal|failed|failure|panic|exception|denied|cannot|can't)\b|[✗✖×]", re.I)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_NOISE = re.compile(r"Exit code \d+|[$>] .*|[\W_]*")
# A program only repeats that the one below it failed.
_EXIT = re.compile(r"\bexit(?:ed with)? (?:code|status)\b|\bELIFECYCLE\b", re.IGNORECASE)
_RULE = re.compile(r"\s*[━─═=*-]{3,}\s*")
_WORD = re.compile(r"[\w@./+][\w@./:+-]*[\w+]|\w")


def error_line(action: Action) -> str:
    """The line that names the error, with the next one if it ends in a colon; empty where no line does."""
    lines = _lines(action.error or "")
    printed = action.verdict.error if action.verdict and action.verdict.error else ""
    saying = [line for line in lines if not _EXIT.search(line)]
    line = _first(_PLAIN, lines) or ("" if _EXIT.search(printed) else printed) or _first(_NAMES_ERROR, saying)
    return (line or (lines[0] if len(lines) == 1 else ""))[:MAX_ERROR_CHARS].strip()


def is_plain_error(line: str) -> bool:
    """Whether an error names a wrong word, tool or right."""
    return bool(_PLAIN.search(line))


def names_wrong_word(line: str) -> bool:
    """Whether an error names a wrong word of the command, so that no other command can mend it."""
    return bool(_WRONG_WORD.search(line))


def is_passing(error: str) -> bool:
    """Whether an error comes from the folder, from others' work or from passing trouble, and not from the command."""
    return bool(_PASSING.search(error))


def was_stopped(error: str) -> bool:
    """Whether the user, a limit or a signal ended the call, so that it says nothing about the command."""
    return bool(_STOPPED.search(error))


def error_kind(line: str) -> str:
    """The error without the values of one occasion: two failures with the same one failed the same way."""
    return " ".join(_ID.sub("#", _FOLDER.sub("", line[:MAX_ERROR_CHARS])).casefold().split())


def names_no_such(name: str, error: str) -> bool:
    """Whether an error says that nothing has this name."""
    return name in error and bool(_NO_SUCH.search(error))


def words_of(text: str) -> frozenset[str]:
    """The words of an error or a command, without quotes and leading dashes, to find the one in the other."""
    return frozenset(word.strip("-.:") for word in _WORD.findall(text))


def _lines(text: str) -> list[str]:
    lines = [_RULE.sub(" ", " ".join(line.split())).strip() for line in _ANSI.sub("", text).splitlines()]
    return [line for line in lines if not _NOISE.fullmatch(line)]


def _first(pattern: re.Pattern[str], lines: list[str]) -> str:
    """The first line with the pattern."""
    for line, following in zip_longest(lines, lines[1:], fillvalue=""):
        if pattern.search(line):
            return f"{line} {following}" if line.endswith(":") else line
    return ""
