"""Read shell lines: the commands in them, the job of each, and whether they look, check, deliver or run something.

`cd app && rtk npm test 2>&1 | tail -5` is one command that matters, "npm test", and a check. Wrappers and package
managers do not change the job: `uv run pytest` tests as `pytest` does.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

from behavior_plugin.model import Action
from behavior_plugin.patterns import programs, shell

# Characters of a shell line that are read; a longer line carries its input along.
MAX_COMMAND_CHARS = 2_000
# Shell calls inside shell calls: `bash -c "bash -c ..."`.
MAX_DEPTH = 3
# Each rule reads the lines of a piece of work anew, so those of one are kept.
MAX_KNOWN_LINES = 500
# Words behind the program that may name its job.
MAX_NAMES = 5
SHELL_TOOLS = frozenset({"Bash", "PowerShell", "shell", "bash", "exec_command", "local_shell", "run_shell_command"})
LOOKING_TOOLS = frozenset(
    """
    AskUserQuestion BashOutput EnterPlanMode ExitPlanMode Glob Grep LS NotebookRead Read ReportFindings TaskCreate
    TaskGet TaskList TaskOutput TaskStop TaskUpdate TodoRead TodoWrite ToolSearch WebFetch WebSearch
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
EDITING_TOOLS = frozenset({"Edit", "MultiEdit", "NotebookEdit", "Write"})
# They start a subagent; the second is its name in older clients.
STARTING_TOOLS = frozenset({"Agent", "Task"})

_ASSIGNMENT = re.compile(r"(?:[A-Za-z_]\w*|\$env:\w+|\$\w+)\+?=")
_NUMBER = re.compile(r"\d+(?:\.\d+)?[smhd]?")
_PYTHON = re.compile(r"python3\.\d+")
_PROGRAM = re.compile(r"[A-Za-z_][\w.+-]*")
_WORD = re.compile(r"[a-z][\w:.-]*")
_SCRIPT = re.compile(r"(?!-)[\w./~@+\\:-]*[\w]\.(?:sh|bash|zsh|py|[cm]?[jt]s|rb|pl|php|ps1|lua)|(?:\.{0,2}/)[\w./@+-]+")
_NAME_WORD = re.compile(r"[A-Z]?[a-z]+\d?|[A-Z]+(?![a-z])|[a-z]\d[a-z]|\d+")


class CommandKind(StrEnum):
    """The weight of a command in a piece of work."""

    LOOK = "look"
    CHECK = "check"
    DELIVER = "deliver"
    RUN = "run"


# A line counts as its weightiest part.
BY_WEIGHT = (CommandKind.DELIVER, CommandKind.CHECK, CommandKind.RUN)


@dataclass(frozen=True)
class Part:
    """One command of a shell line.

    `text` is as typed, without redirections; of a here-document the marker is left. `words` begin behind wrappers.
    `label` is the program and its sub-command. `job` names the purpose: "test", "lint", "commit", ..., or the label;
    it is empty for a command that only looks.
    """

    text: str
    words: tuple[str, ...]
    label: str
    kind: CommandKind
    job: str


def command_of(action: Action) -> str:
    """The shell line of a call, or an empty text for a call of another tool."""
    if action.tool not in SHELL_TOOLS:
        return ""
    return str(action.parameters.get("command") or action.parameters.get("cmd") or "")


def command_kind(command: str) -> CommandKind:
    """The kind of the weightiest command in a line."""
    kinds = {part.kind for part in split_command(command)}
    return next((kind for kind in BY_WEIGHT if kind in kinds), CommandKind.LOOK)


@lru_cache(maxsize=MAX_KNOWN_LINES)
def split_command(command: str) -> tuple[Part, ...]:
    """The commands of a shell line, in their order; those in `bash -c "..."` stand for it."""
    return tuple(_parts(command[:MAX_COMMAND_CHARS], MAX_DEPTH))


def _parts(command: str, depth: int) -> Iterator[Part]:
    for text, words in shell.commands(command):
        behind = behind_wrappers(words)
        inner = _inner_line(behind) if depth else ""
        if inner:
            yield from _parts(inner, depth - 1)
        else:
            yield _part(text, behind)


def behind_wrappers(words: Sequence[str]) -> tuple[str, ...]:
    """The words of the command that wrappers and assignments stand before: `env CI=1 bundle exec rake` is `rake`."""
    rest = tuple(words)
    while rest:
        behind = _behind(rest)
        if behind == rest:
            break
        rest = behind
    return rest


def _behind(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words without the first wrapper."""
    first, second = program_of(words[0]), words[1] if len(words) > 1 else ""
    if _ASSIGNMENT.match(words[0]) or first in programs.KEYWORDS or first.isdigit():
        return words[1:]
    behind = (second, *words[2:]) if second == "-m" else _without_options(words[1:])
    if behind and f"{first} {behind[0]}" in programs.WRAPPING_SUB_COMMANDS:
        return _without_options(behind[1:])
    if first in programs.WRAPPERS and second and [first, second.lower()] != ["command", "-v"]:
        return _without_options(words[1:])
    is_known = first in programs.WITH_WORD or first in programs.LOOKING or first in programs.PLAIN
    is_before_known = program_of(second) in programs.WITH_WORD | programs.READING and not second.startswith(("-", "."))
    return words[1:] if is_before_known and not is_known and first not in programs.PROGRAM_JOBS else words


def _without_options(words: tuple[str, ...]) -> tuple[str, ...]:
    """Drop the options of a wrapper: flags with their values, numbers, assignments."""
    while words and (words[0].startswith(("-", "+")) or _NUMBER.fullmatch(words[0]) or _ASSIGNMENT.match(words[0])):
        words = words[2:] if words[0] in programs.SETTINGS else words[1:]
    return words


@lru_cache(maxsize=MAX_KNOWN_LINES)
def program_of(word: str) -> str:
    """The name of a program without its folder, its version and the ending that Windows gives it."""
    name = re.sub(r"(?<=\w)(?:\.(?:exe|cmd|bat)|@[\w.^~-]+)$", "", posixpath.basename(word.replace("\\", "/")))
    return "python3" if _PYTHON.fullmatch(name) else name


def _inner_line(words: Sequence[str]) -> str:
    """The shell line in `bash -c "..."`."""
    is_inline = len(words) > 2 and program_of(words[0]) in programs.SHELLS and re.fullmatch(r"-[a-z]*c", words[1])
    return words[2] if is_inline else ""


def _part(text: str, words: tuple[str, ...]) -> Part:
    label = _label(words)
    if not label or _only_looks(label, words):
        return Part(text, words, label, CommandKind.LOOK, "")
    job = _job(label, words)
    return Part(text, words, label, _kind(label, job, words), job)


def _label(words: Sequence[str]) -> str:
    """The program and its sub-command; an interpreter's script; empty where no program is named."""
    program = program_of(words[0]) if words else ""
    if not _PROGRAM.fullmatch(program):
        return ""
    if script := script_of(words):
        return program_of(script)
    if program not in programs.WITH_WORD:
        return program
    return " ".join([program, *_sub_command(words)])


def _sub_command(words: Sequence[str]) -> list[str]:
    rest = _without_options(tuple(words[1:]))
    second = _without_options(rest[1:])[:1] if rest and rest[0] in programs.WITH_TWO else ()
    return [word for word in (*rest[:1], *second) if _WORD.fullmatch(word)]


def script_of(words: Sequence[str]) -> str:
    """The script that an interpreter runs, as `python tools/check.py` does; empty for other commands."""
    if not words or program_of(words[0]) not in programs.INTERPRETERS:
        return ""
    rest = [word for word in words[1:] if word != "run" and not word.startswith("-")]
    return rest[0] if rest and _SCRIPT.fullmatch(rest[0]) else ""


def _only_looks(label: str, words: Sequence[str]) -> bool:
    program, rest = label.split(" ")[0], words[1:]
    if script_of(words):
        return False
    if "--help" in rest or (rest and set(rest) <= {"--version", "-V", "-v", "version", "-h"}):
        return True
    if program == "sed":
        return not any(re.match(r"-[a-zA-Z]*i|--in-place", word) for word in rest)
    if program == "find":
        return not any(word in programs.CHANGING_TESTS for word in rest)
    if program in ("curl", "wget") or label.startswith("gh api"):
        return not any(word.split("=")[0] in programs.SENDING_FLAGS or word.startswith("-X") for word in rest)
    return program in programs.LOOKING or _is_looking_verb(program) or _looks_by_sub_command(label, rest)


def _is_looking_verb(program: str) -> bool:
    """Whether it is one of PowerShell's commands that read, such as Get-Content."""
    verb, dash, noun = program.lower().partition("-")
    is_command = bool(dash) and (program[:1].isupper() or noun in programs.LOOKING_NOUNS)
    return is_command and (verb in programs.LOOKING_VERBS or program.lower() in programs.LOOKING_VERBS)


def _looks_by_sub_command(label: str, rest: Sequence[str]) -> bool:
    if label in programs.LOOKING_SUB_COMMANDS or " ".join(label.split(" ")[:2]) in programs.LOOKING_SUB_COMMANDS:
        return True
    if label.split(" ")[0] in programs.CODE_HOSTS:
        return label.split(" ")[-1] in programs.LOOKING_LAST
    if label == "git stash":
        return any(word in programs.LOOKING_WORDS for word in rest)
    if label not in programs.LOOKING_ALONE:
        return False
    behind = rest[rest.index(label.split(" ")[1]) + 1 :]
    named = [word for word in behind if not word.startswith("-")]
    is_changing = any(word in ("-d", "-D", "-m", "-M", "-f", "-c", "--delete") for word in behind)
    return not is_changing and (not named or named[0] in programs.LOOKING_WORDS or _has_looking_flag(behind))


def _has_looking_flag(words: Sequence[str]) -> bool:
    return any(word.split("=")[0] in programs.LOOKING_FLAGS for word in words)


def _job(label: str, words: Sequence[str]) -> str:
    program, _, sub = label.partition(" ")
    if script := script_of(words):
        return _job_of_names([posixpath.splitext(program_of(script))[0]]) or label
    if program == "git":
        return programs.GIT_JOBS.get(sub, label)
    if program in programs.CODE_HOSTS and sub.split(" ")[0] in ("pr", "mr", "issue"):
        return programs.REVIEW_JOBS.get(sub.split(" ")[-1], label) if not sub.startswith("issue") else label
    if exact := _exact_job(program, sub):
        return exact
    if program in programs.PLAIN or (program in programs.INTERPRETERS and program not in programs.WITH_WORD):
        return label
    if program in programs.PROGRAM_JOBS:
        return programs.PROGRAM_JOBS[program]
    return _job_of_names(_names(words)) or _job_of_names([program]) or label


def _names(words: Sequence[str]) -> list[str]:
    """The words behind the program that may name its job; the name of its output does not."""
    pairs = pairwise(words[:MAX_NAMES])
    return [word for before, word in pairs if _WORD.fullmatch(word) and before not in programs.OUTPUT_FLAGS]


def _exact_job(program: str, sub: str) -> str:
    twin = programs.TWINS.get(program, program)
    names = [f"{name} {each}".strip() for name in (program, twin) for each in (sub, sub.split(" ")[0])]
    return next((programs.EXACT_JOBS[name] for name in names if name in programs.EXACT_JOBS), "")


def _job_of_names(names: Sequence[str]) -> str:
    """The job that a word in a name stands for: "test:unit", "check-types", "runTests"."""
    words = {word.lower() for name in names for word in _NAME_WORD.findall(name)}
    return next((job for job, known in programs.NAME_JOBS.items() if words & set(known.split())), "")


def _kind(label: str, job: str, words: Sequence[str]) -> CommandKind:
    if "--dry-run" in words or "--abort" in words:
        return CommandKind.RUN
    if job in programs.CHECKS:
        return CommandKind.CHECK
    is_review = label.split(" ")[0] in programs.CODE_HOSTS
    return CommandKind.DELIVER if job in programs.DELIVERIES or is_review else CommandKind.RUN
