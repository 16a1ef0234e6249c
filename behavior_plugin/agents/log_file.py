"""Read an agent's log with care: once, and in bounded memory, whatever the file holds. Problems are collected."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from behavior_plugin.agents.fields import MAX_LINE_BYTES, parse_json, parse_object

# The head of a file, by which its agent is recognised.
HEAD_BYTES = 64 * 1024
# A log that is one JSON value is held whole while it is read.
MAX_DOCUMENT_BYTES = 128 * 1024 * 1024
# A file with so much in a row that is no record is no log: somebody may name any file.
MAX_JUNK_BYTES = 2 * MAX_LINE_BYTES
# Problems of one log that are described; all are counted.
MAX_PROBLEMS = 20

# The longest log of a running session.
MAX_LIVE_LOG_BYTES = 512 * 1024 * 1024

# Opens a path with flags and returns the descriptor.
Opener: TypeAlias = Callable[[str, int], int]


@dataclass(frozen=True)
class Problem:
    """A part of a log that could not be read, and why. Lines are counted from 1; 0 is the whole file."""

    file: Path
    line: int
    reason: str


def open_regular(path: str, flags: int) -> int:
    """Open a file without waiting for a pipe. Raises OSError where it is not a regular file."""
    file = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise OSError(0, "not a file")


def open_own(path: str, flags: int) -> int:
    """Open a file without following a link. Raises OSError where it is another user's, or too long."""
    file = open_regular(path, flags | os.O_NOFOLLOW)
    found = os.fstat(file)
    if found.st_uid == os.geteuid() and found.st_size <= MAX_LIVE_LOG_BYTES:
        return file
    os.close(file)
    raise OSError(0, "not a file of this user's, or longer than 512 MB")


class LogReader:
    """Reads the files of one log. `skipped` counts the parts that could not be read; `problems` has the first of them.

    `on_progress` is called with the number of bytes of each read. `opener` opens every file, as for `open`.
    """

    def __init__(self, on_progress: Callable[[int], object] = int, *, opener: Opener = open_regular) -> None:
        self.skipped = 0
        self.problems: list[Problem] = []
        self._on_progress = on_progress
        self._opener = opener

    def head(self, file: Path, size: int) -> bytes:
        """The beginning of a file, to the end of a line: a picture in its first record may be longer than `size`.

        Raises OSError where the file cannot be read.
        """
        with self._opened(file) as log:
            return log.read(size) + log.readline(MAX_LINE_BYTES)

    def lines(self, file: Path) -> Iterator[bytes]:
        """The lines of a file, up to its size when it was opened: an agent may write faster than we read.

        A line that is too long comes in pieces, none of which is a record. Raises OSError, also where there is nothing
        but other text for MAX_JUNK_BYTES.
        """
        with self._opened(file) as log:
            left, junk = os.fstat(log.fileno()).st_size, 0
            while line := log.readline(min(MAX_LINE_BYTES + 1, left)):
                left -= len(line)
                junk = 0 if line.startswith(b"{") else junk + len(line)
                if junk > MAX_JUNK_BYTES:
                    raise OSError(0, "it has no records")
                self._on_progress(len(line))
                yield line

    def records(self, file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        """The JSON objects of a file with one on each line, with their line numbers. Raises OSError."""
        for number, line in enumerate(self.lines(file), start=1):
            if line.isspace():
                continue
            value = self._value(line, file, number)
            if isinstance(value, dict):
                yield number, value

    def document(self, file: Path) -> dict[str, Any]:
        """The JSON object in a file, or an empty one. Raises OSError."""
        with self._opened(file) as log:
            raw = log.read(min(os.fstat(log.fileno()).st_size, MAX_DOCUMENT_BYTES) + 1)
        self._on_progress(len(raw))
        value = self._value(raw, file, 0)
        return value if isinstance(value, dict) else {}

    def count(self, size: int) -> None:
        """Count bytes that were read in another way."""
        self._on_progress(size)

    def skip(self, file: Path, line: int, reason: str) -> None:
        """Count a part that could not be read, and describe it if it is one of the first."""
        self.skipped += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(file, line, reason))

    def _opened(self, file: Path) -> BinaryIO:
        return open(file, "rb", opener=self._opener)

    def _value(self, raw: bytes, file: Path, line: int) -> Any:
        """The JSON object in a text; None, with a problem noted, for anything else."""
        what = "line" if line else "file"
        if len(raw) > (MAX_LINE_BYTES if line else MAX_DOCUMENT_BYTES):
            return self.skip(file, line, f"the {what} is too long")
        try:
            value = parse_json(raw)
        except (ValueError, RecursionError) as error:
            return self.skip(file, line, f"the {what} is not JSON ({type(error).__name__})")
        return value if isinstance(value, dict) else self.skip(file, line, f"the {what} is JSON, but no object")


def first_record(head: bytes) -> dict[str, Any]:
    """The JSON object on the first line of a file's head, or an empty one."""
    return parse_object(head.partition(b"\n")[0])
