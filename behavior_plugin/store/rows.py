"""Rows of the database as models, and models as the values of a query.

A row that this version cannot read, such as one of a newer version, is left out: it must not hide the others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from sys import intern
from typing import Any, TypeVar

import numpy
from numpy.typing import NDArray
from pgvector import Vector
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from behavior_plugin.errors import StoreError
from behavior_plugin.model import REDACTION_VERSION, Outcome
from behavior_plugin.store import Computed, Run
from behavior_plugin.workflow import (
    Digest,
    Episode,
    Judgement,
    Lesson,
    Occurrence,
    PastSuggestion,
    Remark,
    StoredPattern,
    Trigger,
)

log = logging.getLogger(__name__)

# The binary form of an array of one dimension.
_ARRAY_HEAD, _ARRAY_ELEMENT = 20, [("length", ">i4"), ("number", ">f4")]
# The fields of a remark that have no column of their own.
_DETAILS = ("steps", "into", "holdout")
# Stands for the digest of evidence from a version that had none.
NOT_COMPUTED = Digest(version=1)

Read = TypeVar("Read")


def vector_text(embedding: Sequence[float] | None) -> str | None:
    return None if embedding is None else Vector(list(embedding)).to_text()


def episode_values(episode: Episode, redaction_version: int) -> dict[str, Any]:
    return {
        "source_key": episode.source_key,
        "part_of": episode.part_of,
        "session_id": episode.session_id,
        "project": episode.context.project,
        "trigger": episode.trigger,
        "turns": Jsonb([turn.model_dump(mode="json") for turn in episode.turns]),
        "outcome": episode.judgement.outcome.value,
        "because": episode.judgement.because,
        "digest": Jsonb(episode.digest.model_dump(mode="json")),
        "turn_starts": [turn.started_at for turn in episode.turns],
        "schema_version": episode.digest.version,
        "redaction_version": redaction_version,
        "started_at": episode.started_at,
    }


def pattern_values(computed: Computed) -> dict[str, Any]:
    pattern = computed.pattern
    return {
        "source_key": pattern.source_key,
        "session_id": pattern.session_id,
        "project": pattern.context.project,
        "trigger": pattern.trigger,
        "embedding": vector_text(computed.embedding),
        "embedding_model": None if computed.embedding is None else computed.model,
        "context": Jsonb(pattern.context.model_dump(mode="json")),
        "actions": Jsonb([action.model_dump(mode="json") for action in pattern.actions]),
        "final_outcome": pattern.final_outcome.value,
        "confidence": pattern.confidence,
        "provenance": Jsonb(pattern.provenance.model_dump(mode="json")),
        "workflow": Jsonb(pattern.workflow.model_dump(mode="json")) if pattern.workflow else None,
        "use_count": computed.use_count,
        "last_used_at": computed.last_used_at,
        "started_at": pattern.started_at,
    }


def read_rows(read: Callable[[DictRow], Read], rows: Iterable[DictRow]) -> list[Read]:
    """The rows that this version can read: a row of a newer version must not hide the others."""
    readable = []
    for row in rows:
        try:
            readable.append(read(row))
        except StoreError as error:
            log.warning("left out: %s", error)
    return readable


def read_pattern(row: DictRow) -> StoredPattern:
    try:
        return StoredPattern.model_validate(row)
    except ValidationError:
        raise StoreError(
            f"Pattern {row['id']} has a shape that this version does not know.",
            hint="Update the plugin: a newer version may have stored it.",
        ) from None


def read_trigger(row: DictRow) -> Trigger:
    """A trigger whose vector is an array in PostgreSQL's binary form: its head, and each number behind its length.

    Texts that many triggers share are kept once.
    """
    try:
        return _trigger(row)
    except (TypeError, ValueError):
        raise StoreError(f"The work {row['source_key']} has a shape that this version does not know.") from None


def _trigger(row: DictRow) -> Trigger:
    steps = [step for step in row["steps"] or () if isinstance(step, dict)]
    vector = row["embedding"]
    return Trigger(
        source_key=row["source_key"],
        pattern_key=intern(row["pattern_key"]),
        session_id=intern(row["session_id"] or ""),
        project=intern(row["project"] or ""),
        text=row["trigger"],
        outcome=Outcome(row["outcome"]),
        started_at=row["started_at"],
        embedding=None if vector is None else _numbers_of(vector),
        model=intern(row["model"] or ""),
        names=tuple(intern(str(name)) for name in row["names"] or ()),
        files=tuple(intern(str(file)) for step in steps for file in step.get("files") or ()),
        commands=tuple(intern(str(step[name])) for step in steps for name in ("text", "until") if step.get(name)),
    )


def read_lessons(row: DictRow) -> list[Lesson]:
    try:
        return [Lesson.model_validate(each) for each in row["lessons"]]
    except (TypeError, ValidationError):
        raise StoreError("The lessons of a pattern have a shape that this version does not know.") from None


def _numbers_of(array: bytes) -> NDArray[numpy.float32]:
    return numpy.frombuffer(array, _ARRAY_ELEMENT, offset=_ARRAY_HEAD)["number"].astype(numpy.float32)


def remark_values(remark: Remark) -> dict[str, Any]:
    return {
        "pattern_key": remark.pattern_key,
        "kind": remark.kind.value,
        "session_id": remark.session_id,
        **remark_texts(remark),
        "redaction_version": REDACTION_VERSION,
        "made_at": remark.made_at,
    }


def remark_texts(remark: Remark) -> dict[str, Any]:
    details = {name: value for name in _DETAILS if (value := getattr(remark, name))}
    return {"note": remark.note, "details": Jsonb(details)}


def read_remark(row: DictRow) -> Remark:
    details = row.pop("details") or {}
    try:
        return Remark.model_validate({**row, **{name: details[name] for name in _DETAILS if name in details}})
    except ValidationError:
        raise StoreError(f"Remark {row['id']} has a shape that this version does not know.") from None


def read_suggestion(row: DictRow) -> PastSuggestion:
    steps, took_ms = row.pop("steps"), row.pop("took_ms")
    return PastSuggestion(read_remark(row), steps=steps, took_ms=None if took_ms is None else int(took_ms))


def read_episode(row: DictRow) -> Episode:
    try:
        return Episode(
            source_key=row["source_key"],
            part_of=row.get("part_of", ""),
            turns=row["turns"],
            judgement=Judgement(outcome=row["outcome"], because=row["because"]),
            digest=row["digest"] or NOT_COMPUTED,
        )
    except ValidationError:
        raise StoreError(
            f"Episode {row['source_key']} has a shape that this version does not know.",
            hint="Update the plugin: a newer version may have stored it.",
        ) from None


def episode_or_none(row: DictRow) -> Episode | None:
    try:
        return read_episode(row)
    except StoreError:
        return None


def is_newer(row: DictRow, episodes: Mapping[str, Episode]) -> bool:
    """Whether a newer version of the plugin wrote this row than the episode that would replace it."""
    episode = episodes.get(row["source_key"])
    return episode is not None and row["schema_version"] > episode.digest.version


def read_occurrence(row: DictRow) -> Occurrence:
    try:
        return Occurrence.model_validate({**row, "digest": row["digest"] or NOT_COMPUTED})
    except ValidationError:
        raise StoreError(f"Episode {row['source_key']} has a digest that this version does not know.") from None


def read_run(row: DictRow) -> Run:
    embedding = Vector.from_text(row["embedding"]).to_list() if row["embedding"] else None
    return Run(read_episode(row), embedding, row["model"])
