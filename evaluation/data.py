"""The layout of a data folder: its files, and the fields of each line that a prediction may use.

The answers are in the same lines, but the types here have no fields for them. All data is read through this module, so
predictions never see an answer.
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
KINDS = ("parse", "recall", "next", "redact", "learning", "languages")

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?")
_FIRST_DAY = "0001-01-01"


class DataError(BehaviorError):
    """The data is missing or invalid."""

    hint = ""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Timed(_Line):
    """A line with a time; lines are sorted by `ts` as a text."""

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
    """One call of past work; `act` is its label for comparisons."""

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
    """One earlier call in a case."""

    act: str
    arg: str | None = None
    ok: bool | None = None


class Case(Query):
    """A prompt with the calls made for it so far."""

    prefix: tuple[Done, ...] = ()


class Wording(_Line):
    """A prompt in one language, and another wording of it, with which the same job was done before."""

    language: str
    asked: str
    job: str | None = None
    learned: str | None = None


class Vector(_Line):
    """A text to redact."""

    id: str
    text_b64: str


Line = TypeVar("Line", bound=_Line)


@dataclass(frozen=True)
class Part:
    """One thing to predict: a kind, with a set if the kind has sets."""

    kind: str
    set: str = ""

    @property
    def title(self) -> str:
        return f"{self.kind}-{self.set}" if self.set else self.kind


class Data:
    """A data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.transcripts = folder / "transcripts"
        self.manifest = self.transcripts / MANIFEST
        self.vectors = folder / "redaction" / "vectors.jsonl"
        self.scorer = folder / "score.py"
        self.learning = folder / "learning"
        self.learning_scorer = self.learning / "score_learning.py"
        self.languages = folder / "languages"
        self.languages_scorer = self.languages / "score_languages.py"

    def parts(self) -> list[Part]:
        """The parts that the folder has data for, in the order of KINDS."""
        return [
            *([Part("parse")] if self.transcripts.is_dir() else []),
            *(Part("recall", name) for name in _sets(self.folder / "recall", ".queries.jsonl")),
            *(Part("next", name) for name in _sets(self.folder / "next", ".cases.jsonl")),
            *([Part("redact")] if self.vectors.is_file() else []),
            *([Part("learning")] if self.sessions() else []),
            *([Part("languages")] if (self.languages / "prompts.jsonl").is_file() else []),
        ]

    def logs(self) -> list[Path]:
        """All files that may be agents' logs."""
        return sorted(file for file in self.transcripts.rglob("*") if file.is_file() and file != self.manifest)

    def sessions(self) -> list[Path]:
        """The files that may be sessions of Claude Code, laid out as it lays them out; subagents' files are not."""
        files = sorted((self.transcripts / "projects").rglob("*.jsonl"))
        return [file for file in files if file.parent.name != "subagents"]

    def queries(self, name: str) -> list[Query]:
        return list(_lines(self.folder / "recall" / f"{name}.queries.jsonl", Query))

    def cases(self, name: str) -> list[Case]:
        return list(_lines(self.folder / "next" / f"{name}.cases.jsonl", Case))

    def texts(self) -> list[Vector]:
        return list(_lines(self.vectors, Vector))

    def wordings(self) -> list[Wording]:
        return list(_lines(self.languages / "prompts.jsonl", Wording))

    def memory(self, name: str) -> list[Entry]:
        """The past work of a set; a set `one_two` without a memory of its own uses the memory of `one`."""
        file = self.folder / "recall" / f"{name}.memory.jsonl"
        if not file.exists() and "_" in name:
            return self.memory(name.rpartition("_")[0])
        return list(_lines(file, Entry))


def _sets(folder: Path, ending: str) -> list[str]:
    return sorted(file.name.removesuffix(ending) for file in folder.glob(f"*{ending}"))


def _time(ts: str) -> datetime:
    """Parse a year, a day or a time; a mark after it only affects the sort order."""
    found = _DATE.match(ts)
    if not found:
        raise ValueError("It does not begin with a date.")
    at = datetime.fromisoformat(found[0] + _FIRST_DAY[len(found[0]) :])
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _lines(file: Path, kind: type[Line]) -> Iterator[Line]:
    """The lines of a file, reduced to the fields of their kind."""
    if not file.is_file():
        raise DataError(f"{file} does not exist.")
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.isspace():
                yield _parsed(line, kind, f"{file}, line {number}")


def _parsed(line: bytes, kind: type[Line], where: str) -> Line:
    try:
        return kind.model_validate_json(line)
    except ValidationError as error:
        reasons = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}".lstrip(": ") for each in error.errors()[:3]
        )
        raise DataError(f"{where}, is not a valid {kind.__name__.lower()}: {reasons}") from None
