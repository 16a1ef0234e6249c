"""Find the calls that touch excluded files: by the files that they changed, and by every word of their parameters."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from behavior_plugin.capture import globs
from behavior_plugin.model import Event

# Beyond it a call counts as touching an excluded file: globs are compared with names so often in one session. It takes
# seconds, and more globs and words come together only on purpose.
MAX_COMPARED = 10_000_000
MAX_WORD_CHARS = 1_000
MAX_FOLDERS = 8
# What separates the words of a shell line, and the parts of a word such as --file=x or host:x.
_BETWEEN = re.compile(r"""[\s'"`;|&<>(){}=:,]+""")
# The home as shells write it.
_HOME = re.compile(r"\$HOME\b|\$\{HOME\}")
# A line that goes to another folder first.
_GOES_TO = re.compile(r"""(?:\bcd|\bpushd|\s-C)\s+(?:--\s+)?["']?([^\s"';|&<>()]+)""")


class Files:
    """The excluded files of one project: by the settings, and by its .behaviorignore."""

    def __init__(self, root: str, settings: Iterable[str], lines: Iterable[str]) -> None:
        self._root = root
        self._own = [glob for glob in map(globs.parse, lines) if glob]
        self._anywhere = [each for each in settings if each.strip()]
        self._cost = sum(map(len, self._own)) + 10 * len(self._anywhere)
        self._compared = 0
        self._known: dict[str, bool] = {}

    def are_touched_by(self, event: Event) -> bool:
        """Whether a call names one of them."""
        if not self._cost or event.action is None:
            return False
        texts = [_HOME.sub("~", text) for text in (*event.files, *texts_in(event.action.parameters))]
        words = dict.fromkeys(word for text in texts for word in _words(text))
        folders = list(self._folders(event.context.directory or "/", texts))
        return any(self._is_excluded(path) for word in words for path in self._paths(word, folders))

    def _folders(self, directory: str, texts: Iterable[str]) -> Iterator[str]:
        """The folders that a word may be seen from: the directory, the project's top, those that a line goes to."""
        yield from (directory, self._root or "/")
        here = directory
        for folder in [found[1] for text in texts for found in _GOES_TO.finditer(text)][:MAX_FOLDERS]:
            here = os.path.normpath(os.path.join(here, os.path.expanduser(folder)))  # noqa: PTH111, PTH118
            yield here

    def _paths(self, word: str, folders: Sequence[str]) -> Iterator[str]:
        """The absolute paths that a word may mean, seen from these folders.

        A plain word such as "build" is a path only if there is one: it may as well be the name of a task.
        """
        if not word or len(word) > MAX_WORD_CHARS:  # a whole command; its words are looked at
            return
        path = os.path.expanduser(word)  # noqa: PTH111 - a hostile word may be no path
        is_plain = "/" not in word and "." not in word
        for folder in dict.fromkeys(folders):
            named = os.path.normpath(os.path.join(folder, path))  # noqa: PTH118
            if not is_plain or os.path.lexists(named):
                yield named

    def _is_excluded(self, path: str) -> bool:
        if path not in self._known:
            self._compared += self._cost * (path.count("/") + 1)
            self._known[path] = self._compared > MAX_COMPARED or self._matches(path)
        return self._known[path]

    def _matches(self, path: str) -> bool:
        root = self._root.rstrip("/") + "/"
        inside = path[len(root) :] if path.startswith(root) else ""
        if inside and any(globs.matches(glob, inside) for glob in self._own):
            return True
        return any(_matches_setting(pattern, path, inside) for pattern in self._anywhere)


def _matches_setting(pattern: str, path: str, inside: str) -> bool:
    """A glob of the settings: an absolute path if it begins with `/` or `~`, else as in a .behaviorignore."""
    if pattern.startswith(("/", "~")):
        return bool(globs.matches_folder(pattern, path))
    return bool(globs.matches(globs.parse(pattern), inside or path))


def _words(text: str) -> Iterator[str]:
    if text.startswith(("/", "~")):  # a path may have spaces
        yield text
    for word in _BETWEEN.split(text):
        yield word
        if word.startswith("@"):  # curl's name for the content of a file
            yield word[1:]


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, without the names of its fields."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts_in(each)
