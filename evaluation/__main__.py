"""The command `python -m evaluation`, which `make eval` runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from behavior_plugin.embed.offline import OfflineEmbedder
from behavior_plugin.errors import BehaviorError
from evaluation.data import KINDS, Data, DataError, Part
from evaluation.memory import OnceEach
from evaluation.predict import predict
from evaluation.scores import scores

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


def main() -> None:
    try:
        evaluate()
    except BehaviorError as error:
        click.echo("\n".join(filter(None, [f"evaluation: {error}", error.hint])), err=True)
        sys.exit(1)
    except OSError as error:
        click.echo(f"evaluation: {error.filename}: {error.strerror}", err=True)
        sys.exit(1)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--data", "folder", type=_FOLDER, required=True, metavar="DIR", help="The data folder.")
@click.option("--out", type=_FOLDER, required=True, metavar="DIR", help="Where predictions are written.")
@click.option(
    "--sets",
    default="",
    metavar="NAMES",
    help="Only these, with commas between: a kind (parse, recall, next, redact), a set (real: its recall and next), "
    "or one of both (next-real). Without it everything that the folder has.",
)
@click.option(
    "--thresholds",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Score recall with the thresholds that were saved before, instead of those that fit this data best.",
)
@click.option("--save-thresholds", type=_FILE, metavar="FILE", help="Keep the thresholds that fit this data best.")
def evaluate(folder: Path, out: Path, sets: str, thresholds: Path | None, save_thresholds: Path | None) -> None:
    """Run this product over recorded data, and write what it says to each case.

    \b
    DATA has                            OUT gets
    transcripts/**                      parse.jsonl         prompts and calls of each file
    recall/SET.queries.jsonl, .memory   recall-SET.jsonl    past work, best first, with scores
                                        steps-SET.jsonl     the steps of the best
    next/SET.cases.jsonl                next-SET.jsonl      three guesses at the next action
    redaction/vectors.jsonl             redact.jsonl        each text without its secrets

    The answers are not read. Where score.py lies in DATA it is run on what was written, and its tables are printed;
    only it reads the answers. Nothing else is written: patterns go to a database that is removed again.

    Exit status: 0 done, 1 the data lacks something or cannot be read, 2 wrong usage.
    """
    data = Data(folder)
    began = time.monotonic()
    parts = _chosen(data, [name.strip() for name in sets.split(",")] if sets else [])
    if (thresholds or save_thresholds) and not (data.scorer.exists() and any(part.kind == "recall" for part in parts)):
        raise click.UsageError("Thresholds need a recall set, and score.py in the data folder.")
    out.mkdir(parents=True, exist_ok=True)
    embedder = OnceEach(OfflineEmbedder())
    for part in parts:
        predict(part, data, out, embedder)
    click.echo(f"{', '.join(part.title for part in parts)}: written to {out} in {time.monotonic() - began:.0f} s")
    _show_scores(data, out, parts, thresholds, save_thresholds)


def _chosen(data: Data, names: Sequence[str]) -> list[Part]:
    """What is to be predicted, of what the folder has data for."""
    there = data.parts()
    if not there:
        why = "has nothing to predict for" if data.folder.is_dir() else "is not there"
        raise DataError(f"{data.folder} {why}.", hint="docs/evaluation.md shows what belongs into such a folder.")
    lacking = [kind for kind in KINDS if all(part.kind != kind for part in there)]
    if not names:
        for kind in lacking:
            click.echo(f"{kind}: skipped, {data.folder} has nothing for it")
        return there
    known = dict.fromkeys([*KINDS, *(name for part in there for name in _names(part))])
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(known)}.", param_hint="--sets")
    if wanting := [name for name in names if name in lacking]:
        raise DataError(f"{data.folder} has nothing for {', '.join(wanting)}.")
    return [part for part in there if not set(names).isdisjoint(_names(part))]


def _names(part: Part) -> list[str]:
    return [name for name in (part.kind, part.of, part.title) if name]


def _show_scores(
    data: Data, out: Path, parts: Sequence[Part], thresholds: Path | None, save_thresholds: Path | None
) -> None:
    if not data.scorer.exists():
        click.echo(f"No scores: {data.folder} has no {data.scorer.name}.")
        return
    for heading, table in scores(data, out, parts, thresholds=thresholds, save_thresholds=save_thresholds):
        click.echo(f"\n## {heading}\n\n{table.rstrip()}")


if __name__ == "__main__":
    main()
