"""Name the danger of a step: deleting files or data, running downloads, changing settings or rights.

Such steps are recorded and shown to people, and never offered to an agent (`recall.offer`). Rules of form judge the
program, its options and its targets, wherever in a line it stands; `hazards` has the words. In doubt a step is
dangerous: leaving one out costs little.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from shlex import join

from behavior_plugin.model import Action
from behavior_plugin.patterns import hazards
from behavior_plugin.patterns.commands import MAX_COMMAND_CHARS, behind_wrappers, command_of, program_of
from behavior_plugin.patterns.danger_files import danger_of_writing, deletion, place_of
from behavior_plugin.patterns.danger_rules import (
    danger_of_command,
    is_inline,
    reads_program,
    saved_files,
)
from behavior_plugin.patterns.hazards import Danger
from behavior_plugin.patterns.shell import Typed, typed_commands
from behavior_plugin.workflow import Lesson, Remedy, Step, StepKind

# Lines inside lines: `bash -c "ssh host 'sh -c ...'"`.
MAX_DEPTH = 4
# The same steps are offered again and again.
MAX_KNOWN = 2_000
# Words of a text at each of which a command may begin.
MAX_PROSE_WORDS = 60

_PROSE_WORD = re.compile(r"[^\s,;:()\"'`!]+")
_QUOTED = re.compile(r"'([^']+ [^']*)'|\"([^\"]+ [^\"]*)\"")


def danger_of_step(step: Step) -> str:
    """The kind of danger of a step, as a clause; empty for an ordinary one."""
    if step.danger or step.kind is StepKind.EDIT:
        return step.danger or danger_of_files(step.files) or danger_of_line(step.until)
    if step.kind is StepKind.TOOL:
        return danger_of_tool(step.text)
    return danger_of_line(step.text) or danger_of_line(step.until)


def danger_of_lesson(lesson: Lesson) -> str:
    """The kind of danger of a lesson's advice; the failed command is a part of it if it comes second."""
    done = [lesson.worked, *([lesson.failed] if lesson.remedy is Remedy.FIRST else [])]
    return next((found for line in done if (found := danger_of_line(line))), "")


def danger_of_action(action: Action, root: str = "") -> str:
    """The kind of danger of a call; texts that a tool of a server is given count as well."""
    if command := command_of(action):
        return danger_of_line(command, root=root)
    if not action.tool.startswith("mcp__"):
        return ""
    texts = [value[:MAX_COMMAND_CHARS] for value in action.parameters.values() if isinstance(value, str)]
    is_query = any(hazards.SQL.search(text) for text in texts if re.match(r"\s*\w+\s", text))
    return danger_of_tool(action.tool) or (Danger.DATA if is_query else "")


def danger_of_tool(name: str) -> str:
    """The kind of danger of a tool by its name, as in `mcp__host__delete_repository`."""
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name.split("__")[-1])}
    return Danger.DATA if name.startswith("mcp__") and words & hazards.TOOL_WORDS else ""


def danger_of_files(files: Iterable[str]) -> str:
    """The kind of danger of editing these files."""
    return next((found for file in files if (found := danger_of_writing(place_of(file)))), "")


@lru_cache(maxsize=MAX_KNOWN)
def danger_in_text(text: str) -> str:
    """The kind of danger of a command anywhere in a sentence or an error, which may be one to copy."""
    if hazards.UNGUARDED.search(text):
        return Danger.GUARD
    words = [*_PROSE_WORD.finditer(text)][:MAX_PROSE_WORDS]
    starts = [found.start() for found in words if program_of(found[0].lower()) in hazards.PROGRAMS]
    return next((found for start in starts if (found := danger_of_line(_from(text, start)))), "")


def _from(text: str, start: int) -> str:
    """The text from a place on, up to the end of the quotation that begins there."""
    quote = text[start - 1 : start]
    return text[start:].partition(quote)[0] if quote in ("`", "'", '"') else text[start:]


def danger_of_line(line: str, *, root: str = "", fetched: frozenset[str] = frozenset()) -> str:
    """The kind of danger of a shell line; its first one."""
    return next((kind for _, kind in dangers_in(line, root, fetched)), "")


@lru_cache(maxsize=MAX_KNOWN)
def dangers_in(line: str, root: str = "", fetched: frozenset[str] = frozenset()) -> tuple[tuple[str, Danger], ...]:
    """The dangerous commands of a line, as `commands.Part.text` has them, each with its kind.

    `root` is the project's folder, and `fetched` are names of files that were downloaded.
    """
    cut = line[:MAX_COMMAND_CHARS]
    if hazards.FORK_BOMB.search(cut):
        return ((cut, Danger.STOP),)
    return tuple(_dangers(cut, root.rstrip("/\\"), fetched, MAX_DEPTH))


def fetched_files(lines: Iterable[str]) -> frozenset[str]:
    """The names of the files that these lines download."""
    return frozenset(
        name for line in lines for each in typed_commands(line[:MAX_COMMAND_CHARS]) for name in saved_files(each)
    )


def _dangers(line: str, root: str, fetched: frozenset[str], depth: int) -> Iterator[tuple[str, Danger]]:
    before: list[Typed] = []
    known: dict[str, str] = {}
    is_at_home = False
    for each in typed_commands(line):
        before = [*before, each] if each.is_piped else [each]
        fetched |= frozenset(saved_files(each))
        words = _with_values(behind_wrappers(each.words), known)
        known |= {name: value for name, _, value in (word.partition("=") for word in each.words) if name.isidentifier()}
        if words[:1] in (("cd",), ("pushd",)):
            is_at_home = place_of(words[1] if words[1:] else "~").rstrip("/") in ("", "~")
        elif is_at_home and deletion(program_of(words[0]) if words else "", [*words, "~"], root):
            yield each.text, Danger.DELETION
            continue
        inner = _inner_lines(words, before) if depth else []
        # A shell line inside stands for its commands, as in `commands.split_command`.
        found = [kind for text in inner for _, kind in _dangers(text, root, fetched, depth - 1)]
        kind = danger_of_command(each, words, before, root, fetched) or next(iter(found), None)
        if kind:
            yield each.text, kind
            # The parts of the line inside are named by their own texts.
            for text in inner:
                yield from _dangers(text, root, fetched, depth - 1)


def _with_values(words: tuple[str, ...], known: Mapping[str, str]) -> tuple[str, ...]:
    """The words of a command whose program is the value of a variable that the line has set before."""
    named = re.fullmatch(r"\$\{?(\w+)\}?", words[0]) if words else None
    return (*known[named[1]].split(), *words[1:]) if named and named[1] in known else words


def _inner_lines(words: Sequence[str], before: Sequence[Typed]) -> list[str]:
    """The shell lines inside a command: of `$(...)`, behind `-c`, of a here-document, or from `echo` through a pipe."""
    typed = before[-1]
    inner = [*typed.inner]
    program, rest = (program_of(words[0]).lower() if words else ""), list(words[1:])
    if program in hazards.SHELLS | {"su", "script", "cmd"}:
        flags = [
            place for place, word in enumerate(rest) if re.fullmatch(r"-[a-zA-Z]*c|-Command|/c", word, re.IGNORECASE)
        ]
        inner += [" ".join(rest[flags[0] + 1 :])] if flags and program in ("cmd", "powershell", "pwsh") else []
        inner += rest[flags[0] + 1 : flags[0] + 2] if flags else []
        inner += typed.given
        inner += _printed(before[:-1]) if reads_program(words) else []
    if program in hazards.RUNNING_TEXT:
        inner += [" ".join(rest)]
    if program in ("alias", "trap"):
        inner += [word.partition("=")[2] if program == "alias" else word for word in rest]
    if program in hazards.CARRYING:
        inner += [*typed.given, *_carried(rest)]
    if reads_program(words):
        inner += [found for text in typed.given for found in _quoted(text)]
    if program == "find":
        run = [list(words[words.index(test) + 1 :]) for test in ("-exec", "-execdir") if test in words]
        inner += [" ".join(each) for each in run if each and program_of(each[0]) not in hazards.DELETING]
    if is_inline(program, words):
        inner += [found for word in rest for found in _quoted(word)]
    return [line for line in inner if line.strip()]


def _quoted(text: str) -> list[str]:
    """The quoted texts of several words in a program."""
    return [found for pair in _QUOTED.findall(text) for found in pair]


def _carried(words: Sequence[str]) -> Iterator[str]:
    """The command that a program runs elsewhere or later: that among its words, and the first one in each text."""
    starts = (place for place, word in enumerate(words) if program_of(word).lower() in hazards.PROGRAMS)
    if (start := next(starts, None)) is not None:
        yield join(words[start:])
    for text in words:
        if " " in text:
            found = (each for each in _PROSE_WORD.finditer(text) if program_of(each[0].lower()) in hazards.PROGRAMS)
            yield text
            yield from (text[each.start() :] for each in islice(found, 1))


def _printed(before: Sequence[Typed]) -> list[str]:
    """The texts that the commands before a pipe print as they stand."""
    printed = [" ".join(each.words[1:]) for each in before if each.words and each.words[0] in ("echo", "printf")]
    return [*printed, *(text for each in before for text in each.given)]
