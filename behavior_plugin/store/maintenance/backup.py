"""Write and read backup files: gzip of a header line, one line for each row, and a line with their count.

A file is written under another name and renamed when it is complete, so there is never half a file. Rows count only
after the end was read, so that a truncated file is never mistaken for a smaller one.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ValidationError

from behavior_plugin import __version__
from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.maintenance.complete_file import complete_file
from behavior_plugin.store.maintenance.rows import has_key, is_id, parsed

FORMAT: Final = "behavior-plugin backup"
# Version 1 has patterns alone, and each prompt was a pattern. These rows are restored as they are; the worker makes
# episodes of them when it starts.
VERSION = 2
READABLE = ("1", "2")
# The table of episodes allows rows of 38 MB, and JSON may need six characters for one.
MAX_LINE_BYTES = 240_000_000
_HINT = "Nothing was changed. Restore from another backup file."
_ANOTHER = "Choose another file."


class Header(BaseModel):
    """The first line of a backup. `user_id` is the owner of its rows; None if they belong to all users."""

    format: Literal["behavior-plugin backup"] = FORMAT
    version: int = VERSION
    storage: Storage
    user_id: UUID | None
    made_at: datetime
    made_by: str


def check_target(file: Path) -> None:
    """Check that a new backup can be written there, before the work is done.

    Raises:
        BehaviorError: it cannot.
    """
    try:
        _check_free(file, hint=_ANOTHER)
        with tempfile.NamedTemporaryFile(prefix=f".{file.name}.", dir=file.parent):
            pass
    except OSError as error:
        raise _unwritable(file, error) from error


def write(file: Path, lines: Iterable[str], *, storage: Storage, user_id: UUID | None, overwrite: bool = False) -> int:
    """Write a backup of one user, or of all, that only its owner can read; returns how many rows are in it.

    Raises:
        BehaviorError: the file exists and must not be overwritten, or it cannot be written.
    """
    about = Header(storage=storage, user_id=user_id, made_at=datetime.now(UTC), made_by=__version__)
    try:
        if not overwrite:
            _check_free(file)
        with complete_file(file) as raw:
            count = _write_lines(raw, about, lines)
            if not overwrite:
                _check_free(file)
    except OSError as error:
        raise _unwritable(file, error) from error
    return count


def read(raw: BinaryIO, name: str = "This file") -> tuple[Header, Iterator[str]]:
    """Read a backup: its header and its rows. Messages call it `name`.

    Raises:
        BehaviorError: it is not a backup, or a newer version's. The iterator raises it if the file is damaged or
            changed; rows yielded before the error must be discarded.
    """
    lines = _Lines(raw, name)
    return _header(lines), _rows(lines)


class _Lines:
    """The lines of a backup, counted so that an error can name the line."""

    def __init__(self, raw: BinaryIO, name: str) -> None:
        self._text = gzip.open(raw, "rt", encoding="utf-8", newline="\n")  # noqa: SIM115 - the caller closes `raw`
        self._name = name
        self.number = 0

    def next(self) -> str:
        """The next line; an error if there is none."""
        line = self.read()
        if not line and self.number == 1:
            raise self.foreign()
        if not line.endswith("\n"):
            raise self.torn()
        return line[:-1]

    def read(self) -> str:
        """The next line, or "" at the end."""
        self.number += 1
        try:
            return self._text.readline(MAX_LINE_BYTES)
        except EOFError:
            raise self.torn() from None
        except gzip.BadGzipFile as error:
            raise self.foreign() if "Not a gzipped file" in str(error) else self.damaged() from None
        except (zlib.error, UnicodeDecodeError):
            raise self.damaged() from None
        except OSError as error:
            raise BehaviorError(f"{self._name} cannot be read: {error.strerror}", hint=_HINT) from None

    def parsed(self, line: str) -> dict[str, Any]:
        try:
            return parsed(line)
        except ValueError:
            raise self.damaged() if self.number > 1 else self.foreign() from None

    def foreign(self) -> BehaviorError:
        return BehaviorError(f"{self._name} is not a backup of this plugin.", hint=_HINT)

    def damaged(self) -> BehaviorError:
        return BehaviorError(f"{self._name} is damaged at line {self.number}.", hint=_HINT)

    def torn(self) -> BehaviorError:
        # gzip unpacks several lines at once, so the number is not exact.
        return BehaviorError(f"{self._name} is damaged: it ends too early, near line {self.number}.", hint=_HINT)


def _header(lines: _Lines) -> Header:
    line = lines.next()
    found = lines.parsed(line)
    if found.get("format") != FORMAT:
        raise lines.foreign()
    if found.get("version") not in READABLE:
        raise BehaviorError(
            f"This backup has format {found.get('version')}, and this version of the plugin knows up to {VERSION}.",
            hint="Nothing was changed. Update the plugin.",
        )
    try:
        return Header.model_validate_json(line)
    except ValidationError:
        raise lines.damaged() from None


def _write_lines(raw: IO[bytes], about: Header, lines: Iterable[str]) -> int:
    count = 0
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=3) as packed:
        packed.write(about.model_dump_json().encode() + b"\n")
        for line in lines:
            packed.write(line.encode() + b"\n")
            count += 1
        packed.write(json.dumps({"rows": count}).encode() + b"\n")
    return count


def _rows(lines: _Lines) -> Iterator[str]:
    """All lines but the last, which has to contain their number."""
    count = 0
    while (found := lines.parsed(line := lines.next())).keys() != {"rows"}:
        if not (is_id(found.get("user_id")) and has_key(found)):
            raise lines.damaged()
        yield line
        count += 1
    # The checksum follows the last line; gzip compares it when the end is read.
    if found["rows"] != str(count) or lines.read():
        raise lines.damaged()


def _check_free(file: Path, *, hint: str = "Choose another file, or --force to overwrite it.") -> None:
    if file.exists():
        raise BehaviorError(f"{file} exists already.", hint=hint)


def _unwritable(file: Path, error: OSError) -> BehaviorError:
    return BehaviorError(f"{file} cannot be written: {error.strerror}", hint=_ANOTHER)
