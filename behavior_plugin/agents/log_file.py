"""Read an agent's log with care: once, in bounded memory whatever it holds; what cannot be read is noted."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from behavior_plugin.agents import fields
from behavior_plugin.agents.fields import LONGEST_LINE

# How much of a file is looked at to tell whose log it is.
HEAD_BYTES = 64 * 1024
# A log that is one JSON value is held whole while it is read.
LONGEST_DOCUMENT = 128 * 1024 * 1024
# So many problems of a session are named; all are counted.
MOST_PROBLEMS = 20

# Opens a file of that path, with flags; its descriptor.
Opener: TypeAlias = Callable[[str, int], int]


@dataclass(frozen=True)
class Problem:
    """What could not be read, and why. Lines are counted from 1; 0 is the whole file."""

    file: Path
    line: int
    reason: str


def regular_file(path: str, flags: int) -> int:
    """Opened without waiting for a pipe. Raises OSError where it is no file."""
    file = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    raise OSError(0, "not a file")


class Reading:
    """The reading of one session's log. `skipped` counts what could not be read, and `problems` has the first of it.

    `tell_bytes` is told how much has been read, as it is. `opener` opens every file, as `open` would have it do.
    """

    def __init__(self, tell_bytes: Callable[[int], object] = int, *, opener: Opener = regular_file) -> None:
        self.skipped = 0
        self.problems: list[Problem] = []
        self._tell_bytes = tell_bytes
        self._opener = opener

    def head(self, file: Path, size: int) -> bytes:
        """How a file begins, to the end of a line: a picture in its first record may be longer than `size`.

        Raises OSError where it cannot be read.
        """
        with self._opened(file) as log:
            return log.read(size) + log.readline(LONGEST_LINE)

    def lines(self, file: Path) -> Iterator[bytes]:
        """Line by line, as far as the file went when it was opened: somebody may write faster than we read.

        A line that is too long comes in pieces, of which none is a record. Raises OSError.
        """
        with self._opened(file) as log:
            left = os.fstat(log.fileno()).st_size
            while line := log.readline(min(LONGEST_LINE + 1, left)):
                left -= len(line)
                self._tell_bytes(len(line))
                yield line

    def records(self, file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        """The JSON objects of a file that has one on each line, with their lines' numbers. Raises OSError."""
        for number, line in enumerate(self.lines(file), start=1):
            if line.isspace():
                continue
            value = self._value(line, file, number)
            if isinstance(value, dict):
                yield number, value

    def document(self, file: Path) -> dict[str, Any]:
        """The JSON object that a file is; an empty one where it is none. Raises OSError."""
        with self._opened(file) as log:
            raw = log.read(min(os.fstat(log.fileno()).st_size, LONGEST_DOCUMENT) + 1)
        self._tell_bytes(len(raw))
        value = self._value(raw, file, 0)
        return value if isinstance(value, dict) else {}

    def count(self, size: int) -> None:
        """Note that so many bytes were read in another way."""
        self._tell_bytes(size)

    def skip(self, file: Path, line: int, reason: str) -> None:
        """Note that something could not be read."""
        self.skipped += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(file, line, reason))

    def _opened(self, file: Path) -> BinaryIO:
        return open(file, "rb", opener=self._opener)

    def _value(self, raw: bytes, file: Path, line: int) -> Any:
        """What a text holds; None where that is no object, which is noted."""
        what = "line" if line else "file"
        if len(raw) > (LONGEST_LINE if line else LONGEST_DOCUMENT):
            return self.skip(file, line, f"the {what} is too long")
        try:
            value = fields.read_json(raw)
        except (ValueError, RecursionError) as error:
            return self.skip(file, line, f"the {what} is not JSON ({type(error).__name__})")
        return value if isinstance(value, dict) else self.skip(file, line, f"the {what} is JSON, but no object")


def first_record(head: bytes) -> dict[str, Any]:
    """The JSON object on the first line of a file that begins so; an empty one where there is none."""
    return fields.read_object(head.partition(b"\n")[0])
