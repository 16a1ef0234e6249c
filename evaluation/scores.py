"""Run the scorers of a data folder. Only these separate processes read the answers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluation.data import Data, DataError, Part


def scores(
    data: Data, out: Path, parts: Sequence[Part], *, thresholds: Path | None, save_thresholds: Path | None
) -> Iterator[tuple[str, str]]:
    """A heading and a table for each kind of prediction."""
    if data.scorer.exists():
        yield from _scores(data, out, parts, thresholds, save_thresholds)
    if Part("learning") in parts and data.learning_scorer.exists():
        yield "learning", _run(data.learning_scorer, data.learning, out / "learning.jsonl")
    if Part("languages") in parts and data.languages_scorer.exists():
        yield "languages", _run(data.languages_scorer, out / "languages.jsonl")


def _scores(
    data: Data, out: Path, parts: Sequence[Part], thresholds: Path | None, save_thresholds: Path | None
) -> Iterator[tuple[str, str]]:
    if Part("parse") in parts and data.manifest.exists():
        yield "parse", _score(data, "parse", "--gold", data.manifest, "--pred", out / "parse.jsonl")
    if recalled := _sets(parts, "recall"):
        options = [*_option("--thresholds", thresholds), *_option("--save-thresholds", save_thresholds)]
        yield "recall", _score_sets(data, out, "recall", recalled, *options)
        yield "steps", _score_sets(data, out, "steps", recalled)
    if predicted := _sets(parts, "next"):
        yield "next", _score_sets(data, out, "next", predicted)
    if Part("redact") in parts:
        yield "redact", _score(data, "redact", "--vectors", data.vectors, "--pred", out / "redact.jsonl")


def _sets(parts: Sequence[Part], kind: str) -> list[str]:
    return [part.set for part in parts if part.kind == kind]


def _option(name: str, file: Path | None) -> list[str | Path]:
    return [name, file] if file else []


def _score_sets(data: Data, out: Path, kind: str, sets: Sequence[str], *options: str | Path) -> str:
    """Score all sets of a kind together, since one threshold must serve them all."""
    with tempfile.NamedTemporaryFile(suffix=".jsonl") as joined:
        for name in sets:
            joined.write((out / f"{kind}-{name}.jsonl").read_bytes())
        joined.flush()
        return _score(data, kind, "--dir", data.folder, "--set", ",".join(sets), "--pred", joined.name, *options)


def _score(data: Data, kind: str, *options: str | Path) -> str:
    return _run(data.scorer, kind, *options)


def _run(scorer: Path, *words: str | Path) -> str:
    command = [sys.executable, "-I", str(scorer), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last_line = done.stderr.strip().splitlines()[-1:]
        raise DataError(f"{scorer} {words[0]} exited with {done.returncode}: {' '.join(last_line)}")
    return done.stdout
