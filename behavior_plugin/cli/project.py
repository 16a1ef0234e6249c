"""Read the facts of a project by which stale patterns are found: its files, its scripts, its targets.

A project may be hostile: only regular files are read, up to a limit, no link is followed, and no program is run.
Commands run in subfolders as well, so a name counts wherever it is found. Names that cannot be known are None.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import PurePosixPath

from behavior_plugin.patterns.staleness import GENERATED, Names

MAX_FILE_BYTES = 1_000_000
# Folders that are looked into, and how far down; entries of one folder.
MAX_FOLDERS, MAX_DEPTH, MAX_ENTRIES = 2_000, 3, 5_000
# Makefiles that one includes, one inside the other.
MAX_INCLUDES = 5
# Of a Makefile's variable, and how deep variables are in the names of variables.
MAX_VALUE_CHARS, MAX_NESTED = 200, 5

_MAKEFILES = ("GNUmakefile", "Makefile", "makefile")
_JUSTFILES = (".justfile", "JUSTFILE", "Justfile", "justfile")
# Where one of these is, a Makefile may be made that is not there now.
_MAKERS = ("CMakeLists.txt", "Makefile.PL", "Makefile.am", "Makefile.in", "configure", "configure.ac")

_EXPANSION = re.compile(r"\$(?:\((?P<round>[^()]*)\)|\{(?P<curly>[^{}]*)\}|[^({])")
_MAKE_VARIABLE = re.compile(r"(?:(?:export|override) +)?(?P<name>[\w.-]+)[ \t]*(?P<sign>[:+?!]{0,3}=)(?P<value>.*)")
_MAKE_RULE = re.compile(r"(?P<names>[^\s:=][^:=]*)::?(?![:=])(?P<needs>.*)")
_MAKE_INCLUDE = re.compile(r"\s*(?P<optional>[-s]?)include\s+(?P<files>.+)")
_RECIPE = re.compile(r"^@?(?P<name>[A-Za-z_][\w-]*)(?=[ \t:])(?![ \t]*:=).*:", re.MULTILINE)
_JUST_NAME = re.compile(r"^(?:alias|mod\??)[ \t]+(?P<name>[A-Za-z_][\w-]*)", re.MULTILINE)
_JUST_IMPORT = re.compile(r"^import\b", re.MULTILINE)


class _UnknownError(Exception):
    """There are names, but they cannot be known without running something, or following a link."""


class Project:
    """A project's folder on this machine. Everything is read once, when it is needed.

    Nothing is known without a folder, or of an empty one: its disk may be missing.
    """

    def __init__(self, root: str) -> None:
        self._root = root

    def has_file(self, path: str) -> bool:
        """Whether a path is there, from the top folder or from another one; true where that cannot be known."""
        if not self._root or _is_there(self._root, path):
            return True
        folders, are_all = self._folders
        return not are_all or any(_is_there(folder, path) for folder in folders)

    def scripts(self) -> Names:
        return self._scripts

    def targets(self, program: str) -> Names:
        return self._make_targets if program == "make" else self._recipes

    @cached_property
    def _folders(self) -> tuple[list[str], bool]:
        """The folders that commands may run in, and whether these are all."""
        found = list(islice(_walk(self._root), MAX_FOLDERS + 1)) if self._root and _has_entries(self._root) else []
        return found[:MAX_FOLDERS], 0 < len(found) <= MAX_FOLDERS

    @cached_property
    def _scripts(self) -> Names:
        folders, are_all = self._folders
        try:
            names = [name for _, text in _texts(folders, ("package.json",)) for name in _script_names(text)]
        except _UnknownError:
            return None
        return frozenset(names) if are_all else None

    @cached_property
    def _make_targets(self) -> Names:
        folders, are_all = self._folders
        if not are_all or any(_is_there(folder, maker) for folder in folders for maker in _MAKERS):
            return None
        try:
            return frozenset(name for folder, text in _texts(folders, _MAKEFILES) for name in _targets(text, folder))
        except _UnknownError:
            return None

    @cached_property
    def _recipes(self) -> Names:
        """None without a justfile: "just" is also the first word of a sentence."""
        folders, are_all = self._folders
        try:
            names = frozenset(name for _, text in _texts(folders, _JUSTFILES) for name in _recipe_names(text))
        except _UnknownError:
            return None
        return names if names and are_all else None


def _walk(root: str) -> Iterator[str]:
    """A folder and those below it, the nearest first."""
    waiting = deque([(root, 0)])
    while waiting:
        folder, depth = waiting.popleft()
        yield folder
        if depth < MAX_DEPTH:
            waiting.extend((below, depth + 1) for below in _subfolders(folder))


def _has_entries(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def _subfolders(folder: str) -> list[str]:
    """The folders with sources in a folder; links are none."""
    try:
        with os.scandir(folder) as entries:
            some = list(islice(entries, MAX_ENTRIES))
            names = sorted(entry.name for entry in some if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
    return [f"{folder}/{name}" for name in names if not name.startswith(".") and name not in GENERATED]


def _is_there(folder: str, path: str) -> bool:
    """Whether a path exists below a folder; so does one behind a link, or outside, as far as we may look."""
    parts = PurePosixPath(path).parts
    if ".." in parts or path.startswith("/"):
        return True
    for part in parts:
        folder = f"{folder}/{part}"
        try:
            found = os.lstat(folder)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (OSError, ValueError):
            return True
        if stat.S_ISLNK(found.st_mode):
            return True
    return True


def _texts(folders: list[str], names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The texts of the files with these names, each with its folder."""
    for folder in folders:
        for name in names:
            if (text := _read(f"{folder}/{name}")) is not None:
                yield folder, text


def _read(path: str) -> str | None:
    """The text of a regular file; None if it is not there.

    Raises:
        _UnknownError: it is a link, a pipe, too big, or not ours to read.
    """
    try:
        source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _UnknownError from error
    try:
        content = os.read(source, MAX_FILE_BYTES + 1) if stat.S_ISREG(os.fstat(source).st_mode) else None
    finally:
        os.close(source)
    if content is None or len(content) > MAX_FILE_BYTES:
        raise _UnknownError
    return content.decode("utf-8-sig", "replace")


def _script_names(text: str) -> list[str]:
    try:
        package = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _UnknownError from error
    scripts = package.get("scripts", {}) if isinstance(package, dict) else None
    if not isinstance(scripts, dict):
        raise _UnknownError
    return list(scripts)


def _targets(text: str, folder: str, depth: int = 0) -> Iterator[str]:
    """The targets of a Makefile and of those that it includes, with % for parts that only make knows."""
    if depth > MAX_INCLUDES or re.search(r"\$[({](?:eval|guile)\b", text):
        raise _UnknownError
    lines = [line.partition("#")[0] for line in re.sub(r"\\\r?\n", " ", text).splitlines() if not line.startswith("\t")]
    variables = _variables(lines)
    for line in lines:
        expanded = _expanded(line, variables)
        if found := _MAKE_INCLUDE.fullmatch(expanded):
            yield from _included(found["files"].split(), folder, depth, is_optional=bool(found["optional"]))
        elif found := _MAKE_RULE.match(expanded):
            yield from found["names"].rstrip("& ").split()
            yield from found["needs"].split() if found["names"].strip() == ".PHONY" else ()


def _variables(lines: list[str]) -> dict[str, str]:
    """The variables that have one plain value; % for others."""
    variables: dict[str, str] = {}
    for found in filter(None, map(_MAKE_VARIABLE.fullmatch, lines)):
        name, value = found["name"], found["value"].strip()
        is_plain = "$" not in value and len(value) <= MAX_VALUE_CHARS and found["sign"] not in ("+=", "!=")
        variables[name] = value if is_plain and variables.get(name, value) == value else "%"
    return variables


def _expanded(line: str, variables: dict[str, str]) -> str:
    """A line with the values of its variables, the innermost first."""
    for _ in range(MAX_NESTED):
        line, count = _EXPANSION.subn(lambda found: variables.get(found["round"] or found["curly"] or "", "%"), line)
        if not count:
            break
    return line


def _included(names: list[str], folder: str, depth: int, *, is_optional: bool) -> Iterator[str]:
    for name in names:
        if not re.fullmatch(r"[\w.+-]+", name):  # a folder in it may be a link
            raise _UnknownError
        text = _read(f"{folder}/{name}")
        if text is None and not is_optional:
            raise _UnknownError
        yield from _targets(text or "", folder, depth + 1)


def _recipe_names(text: str) -> Iterator[str]:
    if _JUST_IMPORT.search(text):
        raise _UnknownError
    for pattern in (_RECIPE, _JUST_NAME):
        yield from (found["name"] for found in pattern.finditer(text))
