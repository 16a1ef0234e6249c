"""The command `python -m evaluation`, which `make eval` runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from behavior_plugin.errors import BehaviorError
from evaluation.data import KINDS, Data, DataError, Part
from evaluation.memory import cached_embedder
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
@click.option("--out", type=_FOLDER, required=True, metavar="DIR", help="Output folder for the predictions.")
@click.option(
    "--sets",
    default="",
    metavar="NAMES",
    help="Comma-separated parts to predict: a kind (parse, recall, next, redact, learning, languages), a set (real: "
    "its recall and next), or a kind of a set (next-real). Default: everything in the folder.",
)
@click.option(
    "--thresholds",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="Score recall with these saved thresholds instead of the best ones for this data.",
)
@click.option("--save-thresholds", type=_FILE, metavar="FILE", help="Save the best thresholds for this data.")
@click.option(
    "--embedder",
    type=click.Choice(["offline", "multilingual"]),
    help="Use one model alone: MiniLM, or the multilingual one. Default: as the product, which takes the multilingual "
    "one, if it is installed, for projects that MiniLM cannot read.",
)
def evaluate(
    folder: Path, out: Path, sets: str, thresholds: Path | None, save_thresholds: Path | None, embedder: str | None
) -> None:
    """Run the product over recorded data, and write its prediction for each case.

    \b
    DATA has                            OUT gets
    transcripts/**                      parse.jsonl         prompts and calls of each file
    recall/SET.queries.jsonl, .memory   recall-SET.jsonl    past work, best first, with scores
                                        steps-SET.jsonl     the steps of the best, and distilled ones
    next/SET.cases.jsonl                next-SET.jsonl      three guesses at the next action
    redaction/vectors.jsonl             redact.jsonl        each text without its secrets
    transcripts/projects/**             learning.jsonl      episodes, their outcomes, and lessons
    languages/prompts.jsonl             languages.jsonl     the job that is suggested, if any

    The answers are not read here. If DATA contains score.py, that program reads the answers and scores the
    predictions, and its tables are printed; learning and languages have scorers of their own. Nothing else is
    written: patterns go to a temporary database.

    Exit status: 0 done, 1 data missing or invalid, 2 usage error.
    """
    data = Data(folder)
    started_at = time.monotonic()
    parts = _chosen(data, [name.strip() for name in sets.split(",")] if sets else [])
    if (thresholds or save_thresholds) and not (data.scorer.exists() and any(part.kind == "recall" for part in parts)):
        raise click.UsageError("Thresholds need a recall set, and score.py in the data folder.")
    out.mkdir(parents=True, exist_ok=True)
    chosen = cached_embedder(embedder)
    for part in parts:
        predict(part, data, out, chosen)
    click.echo(f"{', '.join(part.title for part in parts)}: written to {out} in {time.monotonic() - started_at:.0f} s")
    _show_scores(data, out, parts, thresholds, save_thresholds)


def _chosen(data: Data, names: Sequence[str]) -> list[Part]:
    """The parts to predict: those with one of the names, by default all that the folder has data for."""
    available = data.parts()
    if not available:
        problem = "has no data to predict for" if data.folder.is_dir() else "does not exist"
        raise DataError(f"{data.folder} {problem}.", hint="docs/evaluation.md describes the layout of a data folder.")
    absent = [kind for kind in KINDS if all(part.kind != kind for part in available)]
    if not names:
        for kind in absent:
            click.echo(f"{kind}: skipped, {data.folder} has no data for it")
        return available
    known = dict.fromkeys([*KINDS, *(name for part in available for name in _names(part))])
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(known)}.", param_hint="--sets")
    if missing := [name for name in names if name in absent]:
        raise DataError(f"{data.folder} has no data for {', '.join(missing)}.")
    return [part for part in available if not set(names).isdisjoint(_names(part))]


def _names(part: Part) -> list[str]:
    """The names that `--sets` accepts for a part."""
    return [name for name in (part.kind, part.set, part.title) if name]


def _show_scores(
    data: Data, out: Path, parts: Sequence[Part], thresholds: Path | None, save_thresholds: Path | None
) -> None:
    own = {"learning": data.learning_scorer, "languages": data.languages_scorer}
    scored = {own.get(part.kind, data.scorer) for part in parts}
    for scorer in sorted(each for each in scored if not each.exists()):
        click.echo(f"No scores: {data.folder} contains no {scorer.relative_to(data.folder)}.")
    for heading, table in scores(data, out, parts, thresholds=thresholds, save_thresholds=save_thresholds):
        click.echo(f"\n## {heading}\n\n{table.rstrip()}")


if __name__ == "__main__":
    main()
