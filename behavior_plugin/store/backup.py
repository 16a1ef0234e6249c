"""A backup file: gzip of a line that says what it is, a line for each row, and a line with their count.

It is written under another name and renamed when complete, so there is never half a file; and what was read counts
only once the end is reached, so that a truncated file is never mistaken for a smaller one.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Literal, TextIO
from uuid import UUID

from pydantic import BaseModel, ValidationError

from behavior_plugin import __version__
from behavior_plugin.config import Storage
from behavior_plugin.errors import BehaviorError
from behavior_plugin.store.rows import parsed

FORMAT: Final = "behavior-plugin backup"
VERSION = 1
# The longest row that the table takes has 5 MB, and JSON may need six characters for one.
LONGEST_LINE = 64_000_000
_HINT = "Nothing was changed. Restore from another backup file."


class Header(BaseModel):
    """What a backup is of. `user_id` is whose the rows are; None where they are everybody's."""

    format: Literal["behavior-plugin backup"] = FORMAT
    version: int = VERSION
    storage: Storage
    user_id: UUID | None
    made_at: datetime
    made_by: str


def write(file: Path, lines: Iterable[str], *, storage: Storage, user_id: UUID | None, overwrite: bool = False) -> int:
    """Write a backup of one user, or of all, that only its owner can read; returns how many rows are in it.

    Raises:
        BehaviorError: the file exists and must not be overwritten, or it cannot be written.
    """
    about = Header(storage=storage, user_id=user_id, made_at=datetime.now(UTC), made_by=__version__)
    try:
        _check_free(file, overwrite=overwrite)
        # Made 0600, whatever the umask.
        with tempfile.NamedTemporaryFile(prefix=f".{file.name}.", dir=file.parent, delete=False) as raw:
            try:
                count = _write_lines(raw, about, lines)
                raw.flush()
                os.fsync(raw.fileno())
                _check_free(file, overwrite=overwrite)
                Path(raw.name).rename(file)
            except BaseException:
                Path(raw.name).unlink(missing_ok=True)
                raise
    except OSError as error:
        raise BehaviorError(f"{file} cannot be written: {error.strerror}", hint="Choose another file.") from error
    return count


def read(raw: BinaryIO) -> tuple[Header, Iterator[str]]:
    """What a backup is of, and its rows.

    Raises:
        BehaviorError: it is not a backup, or a newer version's. So does the iterator, if the file is damaged or was
            changed; what it gave until then must not count.
    """
    text = gzip.open(raw, "rt", encoding="utf-8", newline="\n")  # noqa: SIM115 - the caller closes what it opened
    return _header(_next_line(text)), _rows(text)


def _header(line: str) -> Header:
    found = _parsed(line)
    if found.get("format") != FORMAT:
        raise _damaged()
    if found.get("version") != str(VERSION):
        raise BehaviorError(
            f"This backup has format {found.get('version')}, and this version of the plugin knows {VERSION}.",
            hint="Nothing was changed. Update the plugin.",
        )
    try:
        return Header.model_validate_json(line)
    except ValidationError:
        raise _damaged() from None


def _write_lines(raw: IO[bytes], about: Header, lines: Iterable[str]) -> int:
    count = 0
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=3) as packed:
        packed.write(about.model_dump_json().encode() + b"\n")
        for line in lines:
            packed.write(line.encode() + b"\n")
            count += 1
        packed.write(json.dumps({"rows": count}).encode() + b"\n")
    return count


def _rows(text: TextIO) -> Iterator[str]:
    """Every line but the last, which must count them."""
    count = 0
    while (found := _parsed(line := _next_line(text))).keys() != {"rows"}:
        if not {"id", "user_id"} <= found.keys():
            raise _damaged()
        yield line
        count += 1
    # The checksum comes behind the last line, and is compared when the end is read.
    if found["rows"] != str(count) or _read(text):
        raise _damaged()


def _parsed(line: str) -> dict[str, Any]:
    try:
        return parsed(line)
    except ValueError:
        raise _damaged() from None


def _next_line(text: TextIO) -> str:
    line = _read(text)
    if not line.endswith("\n"):
        raise _damaged()
    return line[:-1]


def _read(text: TextIO) -> str:
    try:
        return text.readline(LONGEST_LINE)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        raise _damaged() from None


def _damaged() -> BehaviorError:
    return BehaviorError("This file is not a backup, or is damaged.", hint=_HINT)


def _check_free(file: Path, *, overwrite: bool) -> None:
    if not overwrite and file.exists():
        raise BehaviorError(f"{file} exists already.", hint="Choose another file, or --force to overwrite it.")
