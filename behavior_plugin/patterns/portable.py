"""Write commands so that they can be used again: without the values of one occasion, or not at all.

`cd app && git add a.py b.py && git commit -m "Mend it" 2>&1 | tail -3` is `git add {files} && git commit -m {message}`.
Slots go by type (`slots`). A word is never a slot: in `npm run test` the word is the step.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from behavior_plugin.patterns import programs, shell
from behavior_plugin.patterns.commands import CommandKind, Part, program_of, script_of, split_command
from behavior_plugin.patterns.danger import dangers_in
from behavior_plugin.patterns.slots import ANY_URL, MESSAGE, slotted, without_version

# A longer command carries its input along.
MAX_CHARS = 200
# Longer commands were cut when they were recorded, in the middle of their last command.
MAX_RECORDED_CHARS = 500

_LOOP_STARTS = frozenset({"for", "while", "until", "case", "select"})
_LOOP_ENDS = frozenset({"done", "esac"})
_TEXTS = frozenset(
    "--body --body-file --comment --description --message --notes --notes-file --subject --title".split()  # noqa: SIM905
)
# Programs whose -m, -b, -t or -F has a text; of git only these commands have one.
_GIT_WITH_TEXT = frozenset({"git commit", "git merge", "git notes", "git stash", "git tag"})
_SHORT_TEXTS = {
    "git": ("-m", "-F"),
    "gh": ("-b", "-t", "-n"),
    "glab": ("-d", "-t", "-m"),
    "hg": ("-m",),
    "jj": ("-m",),
    "npm": ("-m",),
    "alembic": ("-m",),
}

_INLINE_FLAG = re.compile(r"-[a-zA-Z]*[ce]|--eval|-p|-r|-(?:Command|EncodedCommand)", re.IGNORECASE)
_EXPANSION = re.compile(r"\$[\w({@*?]|`|[<>]\(|<<")
_ABSOLUTE_START = r"(?:/|~[\w.-]*/|[A-Za-z]:[\\/])"
_ABSOLUTE = re.compile(rf"(?<![\w.}}*@:/-]){_ABSOLUTE_START}[^\s'\"]*")
_SCRATCH = re.compile(r"(?:\./)?(?:[\w.-]+/)*\.?_?(?:temp|tmp|scratch|scratchpad)\d*(?:[/._-].*)?", re.IGNORECASE)

# Where a line begins, and how much of its output is read, belongs to one occasion.
_LEADING_CD = re.compile(r"^cd [^\s;&|]+ ?(?:&&|;) ?")
_TRAILING = re.compile(r"(?:\s*[2*]>(?:&1|/dev/null|\$null\b)|\s*\|\s*(?:head|tail)(?: -(?:n ?)?\d+)?)+$")


@dataclass(frozen=True)
class PortablePart:
    """One command with its slots, and its kind of danger, empty if it has none."""

    text: str
    label: str
    kind: CommandKind
    job: str
    danger: str = ""


def portable_parts(command: str, *, root: str = "", fetched: frozenset[str] = frozenset()) -> tuple[PortablePart, ...]:
    """The commands of a line that can be used again; `root` is the folder that paths are inside of.

    `fetched` are the names of downloaded files, which are dangerous to run.
    """
    parts = list(_outside_loops(split_command(command)))
    texts = [_portable(part, root) if part.kind is not CommandKind.LOOK else "" for part in parts]
    if len(command) >= MAX_RECORDED_CHARS and texts and not texts[-1].endswith(MESSAGE):
        texts[-1] = ""
    dangers = dict(dangers_in(command, root, fetched))
    return tuple(
        PortablePart(text, part.label, part.kind, part.job, dangers.get(part.text, ""))
        for part, text in zip(parts, texts, strict=True)
        if text
    )


def portable_line(command: str, *, root: str = "") -> str:
    """A line that only looks, its pipes included; empty for a long one.

    Questions to a service get their slots. Elsewhere the words are the question, as in `find . -name '*.log'`.
    """
    line = _LEADING_CD.sub("", _TRAILING.sub("", command.strip()))
    for part in split_command(line):
        if part.label.split(" ")[0] in programs.SERVICES:
            line = line.replace(part.text, _portable(part, root) or part.text, 1)
    line = _inside(line, root)
    return line if len(line) <= MAX_CHARS and "\n" not in line else ""


def relative_path(path: str, root: str = "") -> str | None:
    """A path as seen from the project's folder; None for one that lies elsewhere."""
    inside = _inside(path, root).replace("\\", "/")
    return None if re.match(_ABSOLUTE_START, inside) and not path.startswith("\\") else inside.lstrip("/")


def is_inline_program(part: Part) -> bool:
    """Whether the program itself is in the line: `python -c`, `node -e`, `sed -i s/a/b/`."""
    program = program_of(part.words[0])
    if program == "sed":
        return True
    if program not in programs.INTERPRETERS or program in programs.WITH_WORD:
        return False
    return not script_of(part.words) or any(_INLINE_FLAG.fullmatch(word) for word in part.words[1:2])


def _outside_loops(parts: Sequence[Part]) -> Iterator[Part]:
    depth = 0
    for part in parts:
        first = part.text.split(None, 1)[0]
        depth += first in _LOOP_STARTS
        if not depth:
            yield part
        depth = max(0, depth - (first in _LOOP_ENDS))


def _portable(part: Part, root: str) -> str:
    """A command with its slots; empty where it belongs to one occasion."""
    text = _with_messages(_inside(part.text, root), part)
    if is_inline_program(part) or _makes_scratch_folders(part) or _EXPANSION.search(text) or "\n" in text:
        return ""
    typed = shell.words_of(text)
    if not typed:
        return ""
    count = max(1, min(len(part.words), len(typed)))
    wrappers = [word for word in typed[:-count] if word not in programs.KEYWORDS]
    program, rest = _program(typed[-count]), _without_folder(part, typed[len(typed) - count + 1 :])
    if any(map(_is_elsewhere, [*wrappers, program, *rest])):
        return ""
    words = [*wrappers, program, *slotted(part, rest)]
    result = " ".join(word for word, before in zip(words, ["", *words], strict=False) if not _repeats(word, before))
    # A space at its end is escaped: the word goes on in the part that was cut off.
    return result if len(result) <= MAX_CHARS and result == result.strip() else ""


def _program(word: str) -> str:
    """A program without its folder if that is outside the project, since it may lie anywhere."""
    is_elsewhere = re.match(_ABSOLUTE_START, shell.unquoted(word))
    return program_of(shell.unquoted(word)) if is_elsewhere else without_version(word)


def _repeats(word: str, before: str) -> bool:
    return word == before and "{" in word


def _is_elsewhere(word: str) -> bool:
    return bool(_ABSOLUTE.search(ANY_URL.sub("", word.replace("/dev/null", ""))))


def _inside(text: str, root: str) -> str:
    """The text with the project's own folder taken out of its paths, however the shell writes that folder."""
    for folder in _spellings(root):
        below = re.compile(rf"(?<![\w/]){re.escape(folder)}(?:([/\\]+)(?=[^'\"\s])|[/\\]*(?=['\"\s]|$))", re.IGNORECASE)
        text = below.sub(lambda found: "" if found[1] else ".", text)
    return text


def _spellings(root: str) -> Iterator[str]:
    bare = root.rstrip("/\\")
    if len(bare) < 3:
        return
    yield bare
    if re.match(r"[A-Za-z]:[\\/]", bare):
        forward = bare.replace("\\", "/")
        yield from (
            forward,
            f"/{forward[0]}{forward[2:]}",
            f"/mnt/{forward[0]}{forward[2:]}",
            bare.replace("\\", "\\\\"),
        )


def _makes_scratch_folders(part: Part) -> bool:
    folders = [word for word in part.words[1:] if not word.startswith("-")]
    return part.label == "mkdir" and bool(folders) and all(map(_SCRATCH.fullmatch, folders))


def _with_messages(text: str, part: Part) -> str:
    """The text with {message} for texts of one's own, here-documents included."""
    program = program_of(part.words[0])
    has_short = program != "git" or part.label in _GIT_WITH_TEXT
    flags = [*_TEXTS, *(_SHORT_TEXTS.get(program, ()) if has_short else ())]
    for flag in flags:
        text = re.sub(rf"(?<=\s){flag}[ =](?:-\s*<<-?\w+|{shell.PIECE}++)", f"{flag} {MESSAGE}", text)
    if "-m" in flags:
        text = re.sub(
            rf"(?<=\s)(-[a-z]*m) ?(?!{re.escape(MESSAGE)})(?=[\s'\"])\s*{shell.PIECE}++", rf"\1 {MESSAGE}", text
        )
    text = re.sub(rf"(?:(-\w*m|--\w+) {re.escape(MESSAGE)} ?)(?:\1 {re.escape(MESSAGE)} ?)+", rf"\1 {MESSAGE} ", text)
    return text.strip()


def _without_folder(part: Part, words: list[str]) -> list[str]:
    """Without git's -C, which stands for `cd`."""
    return words[2:] if program_of(part.words[0]) == "git" and words[:1] == ["-C"] else words
