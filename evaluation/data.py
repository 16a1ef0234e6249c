"""The layout of a data folder: which file has what, and which fields of a line a prediction may rest on.

The answers stand on the same lines. The types here have no place for them, so nothing that reads through here, and
nothing else reads the data, ever holds one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from behavior_plugin.errors import BehaviorError

MANIFEST = "manifest.jsonl"
KINDS = ("parse", "recall", "next", "redact")

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_FIRST_DAY = "0001-01-01"


class DataError(BehaviorError):
    """The data cannot be read."""

    hint = ""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Timed(_Line):
    """What came earlier or later than others, by `ts` as a text."""

    id: str
    pool: str
    session: str
    ts: str
    prompt: str
    cwd: str | None = None
    branch: str | None = None

    @field_validator("ts")
    @classmethod
    def _is_time(cls, ts: str) -> str:
        _time(ts)
        return ts

    @property
    def at(self) -> datetime:
        return _time(self.ts)


class Step(_Line):
    """One call of past work; `act` is the label that it is compared by."""

    tool: str
    act: str
    arg: str | None = None
    ok: bool | None = None
    ms: float | None = None


class Entry(_Timed):
    """One piece of past work."""

    steps: tuple[Step, ...] = ()
    edited: tuple[str, ...] = ()
    read: tuple[str, ...] = ()


class Query(_Timed):
    """A prompt to recall by."""


class Done(_Line):
    """What was done so far, in a case."""

    act: str


class Case(Query):
    """A prompt, and the calls that were made for it so far."""

    prefix: tuple[Done, ...] = ()


class Vector(_Line):
    """A text to redact."""

    id: str
    text_b64: str


Line = TypeVar("Line", bound=_Line)


@dataclass(frozen=True)
class Part:
    """One thing that can be predicted, with the set that it is predicted for where its kind has sets."""

    kind: str
    of: str = ""

    @property
    def title(self) -> str:
        return f"{self.kind}-{self.of}" if self.of else self.kind


class Data:
    """A data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.transcripts = folder / "transcripts"
        self.manifest = self.transcripts / MANIFEST
        self.vectors = folder / "redaction" / "vectors.jsonl"
        self.scorer = folder / "score.py"

    def parts(self) -> list[Part]:
        """What the folder has data for, in the order of KINDS."""
        return [
            *([Part("parse")] if self.transcripts.is_dir() else []),
            *(Part("recall", name) for name in _sets(self.folder / "recall", ".queries.jsonl")),
            *(Part("next", name) for name in _sets(self.folder / "next", ".cases.jsonl")),
            *([Part("redact")] if self.vectors.is_file() else []),
        ]

    def logs(self) -> list[Path]:
        """Every file that may be an agent's log."""
        return sorted(file for file in self.transcripts.rglob("*") if file.is_file() and file != self.manifest)

    def queries(self, of: str) -> list[Query]:
        return list(_lines(self.folder / "recall" / f"{of}.queries.jsonl", Query))

    def cases(self, of: str) -> list[Case]:
        return list(_lines(self.folder / "next" / f"{of}.cases.jsonl", Case))

    def texts(self) -> list[Vector]:
        return list(_lines(self.vectors, Vector))

    def memory(self, of: str) -> list[Entry]:
        """The past work of a set; where `one_two` has none of its own, that of `one`."""
        file = self.folder / "recall" / f"{of}.memory.jsonl"
        if not file.exists() and "_" in of:
            return self.memory(of.rpartition("_")[0])
        return list(_lines(file, Entry))


def _sets(folder: Path, ending: str) -> list[str]:
    return sorted(file.name.removesuffix(ending) for file in folder.glob(f"*{ending}"))


def _time(ts: str) -> datetime:
    """The moment that a text stands for: a year, a day or a time, and perhaps a mark that only sorts it behind."""
    found = _DATE.match(ts)
    if not found:
        raise ValueError("It begins with no date.")
    at = datetime.fromisoformat(found[0] + _FIRST_DAY[len(found[0]) :])
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _lines(file: Path, kind: type[Line]) -> Iterator[Line]:
    """The lines of a file, reduced to what a kind of line has."""
    if not file.is_file():
        raise DataError(f"There is no {file}.")
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.isspace():
                yield _reduced(line, kind, f"{file}, line {number}")


def _reduced(line: bytes, kind: type[Line], where: str) -> Line:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        what = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}".lstrip(": ") for each in error.errors()[:3]
        )
        raise DataError(f"{where}, is no {kind.__name__.lower()}: {what}") from None
