"""The rules of form by which one command is dangerous: its program, its options, its targets, and what it is fed.

`danger` takes lines apart, and asks here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from behavior_plugin.patterns import hazards, programs
from behavior_plugin.patterns.commands import behind_wrappers, program_of
from behavior_plugin.patterns.danger_files import (
    danger_of_writing,
    deletion,
    deletion_of_found,
    place_of,
    reading,
    written,
)
from behavior_plugin.patterns.hazards import Danger
from behavior_plugin.patterns.shell import Typed, words_of

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_FETCHES = re.compile(rf"(?<![\w.-])(?:{'|'.join(sorted(hazards.FETCHING))})(?![\w-])", re.IGNORECASE)
_SAVED = re.compile(r"-o|--output|--output-document|-OutFile", re.IGNORECASE)
# Options with a value, besides those that wrappers have too.
_SETTINGS = programs.SETTINGS | {
    "--namespace",
    "--profile",
    "--region",
    "--context",
    "--cluster",
    "--subscription",
    "--app",
    "-a",
}


def danger_of_command(
    typed: Typed, words: Sequence[str], before: Sequence[Typed], root: str, fetched: frozenset[str]
) -> Danger | None:
    """The kind of danger of one command; `before` has the commands of its pipeline, itself the last."""
    program = program_of(words[0]).lower() if words else ""
    places = [place_of(word, root) for word in (*typed.writes, *written(program, words))]
    return next(
        (
            kind
            for kind in (
                _running(program, words, before, fetched),
                _named_danger(program, words),
                _unguarded(typed, program, words),
                deletion(program, words, root) or deletion_of_found(program, words, before, root),
                _database(program, before),
                _rights(program, words),
                next(filter(None, map(danger_of_writing, places)), None),
                reading(program, words, before, root),
                Danger.REMOTE if hazards.REMOTE_SHELL.search(" ".join([typed.text, *typed.writes])) else None,
            )
            if kind
        ),
        None,
    )


def is_inline(program: str, words: Sequence[str]) -> bool:
    is_interpreter = program in programs.INTERPRETERS | hazards.SHELLS
    return is_interpreter and any(re.fullmatch(r"-[a-zA-Z]*[ce]|--eval|-p|-r|-Command", word) for word in words[1:3])


def reads_program(words: Sequence[str]) -> bool:
    """Whether an interpreter takes its program from its input."""
    program = program_of(words[0]).lower() if words else ""
    if program not in (programs.INTERPRETERS - {"deno", "bun"}) | hazards.SHELLS | {"iex", "invoke-expression"}:
        return False
    rest = list(words[1:])
    if program in hazards.SHELLS and any(re.fullmatch(r"-[a-z]*s", word) for word in rest[:2]):
        return True
    return all(word == "-" or re.fullmatch(r"-[a-zA-Z]", word) for word in rest) and not is_inline(program, words)


def _running(program: str, words: Sequence[str], before: Sequence[Typed], fetched: frozenset[str]) -> Danger | None:
    """Running a download, an encoded text, or a program inside the line that does so."""
    typed, earlier = before[-1], before[:-1]
    source = " | ".join(each.text for each in earlier)
    inside = " ; ".join(typed.inner)
    is_runner = program in programs.INTERPRETERS | hazards.SHELLS | hazards.RUNNING_TEXT
    typed_words = words_of(typed.text)
    if any(map(hazards.HIDING.search, typed_words)) or any(map(hazards.HIDING_PROGRAM.match, typed_words[:1])):
        return Danger.ENCODED
    # Words behind `| sh` may be those of a sentence.
    has_line = is_inline(program, words) and not re.fullmatch(r"-[a-z]*c", words[-1])
    is_fed = reads_program(words) or (program in hazards.SHELLS and not has_line)
    if is_fed and earlier:
        if _FETCHES.search(source):
            return Danger.DOWNLOAD
        if hazards.DECODING.search(source):
            return Danger.ENCODED
    if is_runner and inside and (_FETCHES.search(inside) or hazards.DECODING.search(inside)):
        return Danger.DOWNLOAD if _FETCHES.search(inside) else Danger.ENCODED
    if program in ("iex", "invoke-expression") and (not words[1:] or _FETCHES.search(" ".join(words))):
        return Danger.DOWNLOAD
    if program in ("powershell", "pwsh") and any(
        re.fullmatch(r"-e(?:nc?|ncodedcommand)?", w, re.IGNORECASE) for w in words
    ):
        return Danger.ENCODED
    if is_inline(program, words) or (reads_program(words) and typed.given):
        inline = " ".join([*words[1:], *typed.given])
        return next((kind for kind, pattern in hazards.INLINE.items() if pattern.search(inline)), None)
    named = [word for word in words if not word.startswith("-")][:3] if is_runner else list(words[:1])
    is_fetched = any(posixpath.basename(word) in fetched for word in named)
    is_address = is_runner and any(re.match(r"https?://", word) for word in named[1:])
    return Danger.DOWNLOAD if is_fetched or is_address else None


def saved_files(typed: Typed) -> Iterator[str]:
    """The names of the files that a command downloads into."""
    words = behind_wrappers(typed.words)
    if not words or program_of(words[0]).lower() not in hazards.FETCHING:
        return
    for before, word in pairwise(words):
        # The -O of curl has no value.
        if _SAVED.fullmatch(before) and not (before == "-O" and "curl" in words[0]):
            yield posixpath.basename(word)
        if re.match(r"https?://", word):
            yield posixpath.basename(word.split("?")[0])
    yield from map(posixpath.basename, typed.writes)


def _named_danger(program: str, words: Sequence[str]) -> Danger | None:
    """A sub-command that is dangerous, always or with an option."""
    if not program or any(word.startswith("--dry-run") or word == "--help" for word in words):
        return None
    named = _named(program, words)
    rules = [rule for length in (3, 2, 1) for rule in _RULES.get(" ".join(named[:length]), ())]
    if kind := next((rule.kind for rule in rules if rule.fits(words[1:])), None):
        return kind
    if program == "git" and (kind := _git_danger(words, named)):
        return kind
    if program.startswith("mkfs"):
        return Danger.DISK
    if program == "dd" and any(word.startswith("of=") and hazards.DISK.match(word[3:]) for word in words):
        return Danger.DISK
    if program == "crontab" and not {"-l"} & set(words):
        return Danger.STARTUP
    if program in ("kill", "killall") and "-1" in words[2:]:
        return Danger.STOP
    if program == "unset" and any(word.startswith("HIST") for word in words):
        return Danger.TRACES
    if program in hazards.CLOUDS and hazards.DESTROYING & {
        part for word in named[1:6] for part in re.split(r"[:_-]", word)
    }:
        return Danger.DATA
    is_delete = any(pair in (("-X", "DELETE"), ("--method", "DELETE")) for pair in pairwise(words))
    return Danger.DATA if program in programs.CODE_HOSTS and (is_delete or "-XDELETE" in words) else None


def _named(program: str, words: Sequence[str]) -> list[str]:
    """The program and the words behind it that are no options or their values."""
    named, rest = [program], list(words[1:])
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            if rest and word in _SETTINGS:
                rest.pop(0)
        else:
            named.append(word.lower() if len(named) < 3 else word)
    return named


def _git_danger(words: Sequence[str], named: Sequence[str]) -> Danger | None:
    """Settings of git that name a program, and what `+` and `:` before a branch do."""
    sub = named[1] if len(named) > 1 else ""
    if sub == "push" and any(re.match(r"\+\w|:\w", word) for word in named[2:]):
        return Danger.HISTORY
    if sub in ("checkout", "restore") and named[2:] and named[-1] in (".", ":/", "*") and "--staged" not in words:
        return Danger.LOSS
    given = [word.partition("=")[0] for before, word in pairwise(words) if before == "-c"]
    if sub == "config" and not {"--get", "--list", "-l", "--unset", "--unset-all", "--get-all"} & set(words):
        given += [name for name, *value in [named[2:]] if value] if named[2:] else []
    if any(hazards.GIT_PROGRAMS.fullmatch(name) for name in given):
        return Danger.STARTUP
    return Danger.GUARD if any(hazards.GIT_GUARDS.fullmatch(name) for name in given) else None


def _unguarded(typed: Typed, program: str, words: Sequence[str]) -> Danger | None:
    pairs = set(pairwise(words))
    settings = [word for word in (*typed.words, *(words if program == "export" else ())) if _ASSIGNMENT.match(word)]
    is_off = (
        any(hazards.UNGUARDED.fullmatch(word) for word in words)
        or not pairs.isdisjoint(hazards.UNGUARDED_PAIRS)
        or any(hazards.UNGUARDED_SETTINGS.match(word) for word in settings)
    )
    return Danger.GUARD if is_off else None


def _database(program: str, before: Sequence[Typed]) -> Danger | None:
    """A statement or task that deletes tables, or all rows of one."""
    words = [word for each in before for word in each.words]
    if program in hazards.DATABASES:
        texts = [*words, *(text for each in before for text in each.given)]
        return Danger.DATA if any(hazards.SQL.search(text) for text in texts) else None
    own = behind_wrappers(before[-1].words)
    is_task = any(program_of(word) in hazards.TASK_RUNNERS for word in own[:2])
    return Danger.DATA if is_task and any(hazards.DATABASE_TASKS.fullmatch(word) for word in own) else None


def _rights(program: str, words: Sequence[str]) -> Danger | None:
    modes = [word for word in words[1:] if not word.startswith("--")][:2]
    return Danger.RIGHTS if program == "chmod" and any(map(hazards.OPEN_MODES.fullmatch, modes)) else None


@dataclass(frozen=True)
class _Rule:
    """A kind of danger, and the options of a sub-command that have it; `always` where none is needed."""

    kind: Danger
    flags: frozenset[str]
    always: bool
    clusters: re.Pattern[str] | None

    def fits(self, words: Sequence[str]) -> bool:
        return self.always or any(
            word.partition("=")[0] in self.flags
            or word.lower() in self.flags
            or (self.clusters is not None and self.clusters.fullmatch(word))
            for word in words
        )


def _rule(kind: Danger, flags: str) -> _Rule:
    known = frozenset(flags.split())
    letters = "".join(sorted(flag[1] for flag in known if re.fullmatch(r"-[A-Za-z]", flag)))
    clusters = re.compile(rf"-[A-Za-z]*[{letters}][A-Za-z]*") if letters else None
    return _Rule(kind, known, "*" in known, clusters)


# By sub-command.
_RULES: dict[str, tuple[_Rule, ...]] = {
    name: tuple(_rule(kind, table[name]) for kind, table in hazards.FLAGS.items() if name in table)
    for table in hazards.FLAGS.values()
    for name in table
}
