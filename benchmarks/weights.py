"""Fit the weights of recall to labelled prompts, and print how well they do.

`python -m benchmarks.weights DATA` reads the recall sets of a data folder (docs/evaluation.md) and fits the few weights
of `recall/weights.json`; each set counts the same. It prints them with the figures of each set, by weights that were
fitted to all sets, and by weights that were fitted to the other sets only. `--ablate` leaves out each signal in turn,
`--small` asks in projects of a few pieces of work, drawn at random, and `--write` saves the weights.

The signals are fitted first, so that the right candidates are likely; then the sum that stands for "no candidate is
right"; then the agreement; then the odds, to whether the first candidate is right, on prompts with and without an
answer. The weights are fitted with MiniLM. e5 has the same ones, since its own would be nearly the same (`--embedder
multilingual`).

Two weights are set by hand. `odds_by_letters`, because the sets are in English: a fifth of the question's groups of
letters in common is just enough. And `other_intent`, because only 14 prompts of the sets show it: they would give -1.2,
and near misses that were made up for it -2.7.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy
from numpy.typing import NDArray

from behavior_plugin.agents.core import core_of
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.embed import Embedder, Kind, open_embedder
from behavior_plugin.learn import session_turns
from behavior_plugin.model import TASKS, Outcome
from behavior_plugin.patterns.evidence import episodes_of, trigger_of
from behavior_plugin.patterns.fold import pattern_key
from behavior_plugin.recall import MAX_PROMPT_CHARS, embed_core
from behavior_plugin.recall.gate import MIN_ODDS
from behavior_plugin.recall.index import Candidates, Index, Question, Vector
from behavior_plugin.recall.rank import (
    WEIGHTS,
    WEIGHTS_FILE,
    Weights,
    likelihoods,
    merits_of,
    odds_of,
    odds_signals,
    signals_of,
    softmax,
)
from behavior_plugin.redact import redact
from behavior_plugin.workflow import Trigger
from benchmarks.scratch import shown
from evaluation.data import Data, Entry
from evaluation.memory import events_of

# The share of the prompts without an answer that may get a note. The limit of the odds follows from it.
MAX_FALSE = 0.05
# The pull of a weight towards zero. A tenth of it ranks one of the recorded sets better and another worse.
RIDGE = 0.02
# The number of steps of the gradient ascent, and their size.
ROUNDS, RATE = 600, 0.1
# The values that are tried for `agreement` and for `none`.
AGREEMENTS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
NONES = tuple(number / 20 for number in range(200))
# The numbers of pieces of work in small projects.
SMALL = (1, 3, 10, 30)
# The fields of `Candidates` that `--ablate` leaves out in turn.
SIGNALS = ("cosines", "words", "newer", "is_same_command", "likeness")
_NAMED = ("signals", "odds", "odds_by_letters")

Numbers = NDArray[numpy.float64]


@dataclass(frozen=True)
class Case:
    """A prompt with its candidates; `right` is 1 for each right one, and `is_answerable` says if there is one at all.

    A prompt may be answerable although no right piece of work is among the candidates.
    """

    candidates: Candidates
    right: Numbers
    is_answerable: bool


class Scored(NamedTuple):
    """The odds of the first candidate of a prompt, whether it is right, and whether the prompt has an answer."""

    odds: float
    is_right: bool
    is_answerable: bool


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--write", is_flag=True, help="Save the weights in the product.")
@click.option("--ablate", is_flag=True, help="Fit them also without each of the signals.")
@click.option("--small", is_flag=True, help="Print the figures of small projects too.")
@click.option("--embedder", "kind", type=click.Choice(["offline", "multilingual"]), default="offline")
def main(data: Path, write: bool, ablate: bool, small: bool, kind: Kind) -> None:
    """Fit the weights of recall to the sets of a data folder."""
    embedder = open_embedder(kind)
    assert embedder
    folder = Data(data)
    names = [part.set for part in folder.parts() if part.kind == "recall"]
    if not names:
        raise click.UsageError(f"{data} has no recall sets; docs/evaluation.md describes the layout.")
    sets = {name: list(read_cases(folder, name, embedder)) for name in names}
    fitted = fit(list(sets.values()))
    click.echo(json.dumps(as_values(fitted), indent=2))
    report("the weights of the product", sets, dict.fromkeys(sets, WEIGHTS))
    report("fitted to all sets", sets, dict.fromkeys(sets, fitted))
    if len(sets) > 1:
        by_others = {name: fit([sets[other] for other in sets if other != name]) for name in sets}
        report("fitted to the other sets", sets, by_others)
    for signal in SIGNALS if ablate else ():
        rest = {name: [_without(signal, case) for case in each] for name, each in sets.items()}
        report(f"fitted to all sets, without {signal}", rest, dict.fromkeys(rest, fit(list(rest.values()))))
    for name, size in itertools.product(names, SMALL) if small else ():
        report_small(f"{name}, {size} known", list(read_cases(folder, name, embedder, size=size)))
    if write:
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in as_values(fitted).items()]
        WEIGHTS_FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read_cases(data: Data, name: str, embedder: Embedder, *, size: int | None = None) -> Iterator[Case]:
    """The prompts of a set that recall would answer, each with the candidates of its time.

    With `size`, each is asked in a project with that number of pieces of the work, drawn at random.
    """
    with (data.folder / "recall" / f"{name}.queries.jsonl").open(encoding="utf-8") as lines:
        answers = {row["id"]: row for row in map(json.loads, lines)}
    pools: defaultdict[str, list[tuple[Entry, Trigger]]] = defaultdict(list)
    for entry in shown(sorted(data.memory(name), key=lambda each: each.ts), f"learn {name}"):
        for trigger in _triggers(entry, embedder):
            pools[entry.pool].append((entry, trigger))
    indexes = {pool: Index([trigger for _, trigger in each]) for pool, each in pools.items()}
    chance = numpy.random.default_rng(0)
    for query in shown(list(data.queries(name)), f"ask {name}"):
        known = pools[query.pool]
        hidden = [
            place for place, (entry, _) in enumerate(known) if entry.ts >= query.ts or entry.session == query.session
        ]
        if read_prompt(query.prompt)["prompt_kind"] not in TASKS or len(known) - len(hidden) < (size or 1):
            continue
        if size:
            every = range(len(known))
            drawn = chance.choice(sorted({*every} - {*hidden}), size, replace=False)
            hidden = sorted({*every} - {*drawn.tolist()})
        core = core_of(redact(query.prompt, MAX_PROMPT_CHARS))
        numbers = embed_core(core, embedder)
        vectors = [] if numbers is None else [Vector(embedder.model, numbers, embedder.unrelated)]
        found = indexes[query.pool].candidates(Question(core, vectors), leave_out=hidden)
        relevant, entries = answers[query.id]["relevant"], {each.source_key: entry.id for entry, each in known}
        right = numpy.array([relevant.get(entries[each.source_key], 0) > 0 for each in found.triggers], dtype=float)
        if len(right):
            yield Case(found, right, bool(right.any()) if size else answers[query.id]["answerable"])


def fit(sets: Sequence[Sequence[Case]]) -> Weights:
    """The weights that fit these sets best; each set counts the same."""
    answerable = [[case for case in each if case.right.any()] for each in sets]
    weights = replace(WEIGHTS, signals=_fit_signals(answerable))
    weights = replace(weights, none=max(NONES, key=lambda each: _likelihood(sets, replace(weights, none=each))))
    weights = max(
        (replace(weights, agreement=each) for each in AGREEMENTS), key=lambda each: _right_share(answerable, each)
    )
    return replace(weights, odds=_fit_odds(sets, weights))


def report(title: str, sets: dict[str, list[Case]], weights: dict[str, Weights]) -> None:
    """Print the share of answerable prompts whose first candidate is right, also at the odds with few false notes."""
    scored = {name: [_scored(case, weights[name]) for case in each] for name, each in sets.items()}
    every = [each for rows in scored.values() for each in rows]
    click.echo(f"\n{title}:")
    for name, rows in [*scored.items(), ("one limit for all", every)]:
        limit = _limit(rows)
        asked = [row for row in rows if row.is_answerable]
        first = sum(row.is_right for row in asked) / len(asked)
        shown_right = sum(row.is_right for row in asked if row.odds > limit) / len(asked)
        click.echo(f"  {name:20} right first {first:.3f}   right and shown {shown_right:.3f} at odds over {limit:.3f}")


def report_small(title: str, found: Sequence[Case]) -> None:
    """Print how many prompts "normal" answers: rightly, of those with an answer, and falsely, of the others."""
    least, scored = MIN_ODDS["normal"], [_scored(case, WEIGHTS) for case in found]
    right = [row.is_right and row.odds >= least for row in scored if row.is_answerable]
    false = [row.odds >= least for row in scored if not row.is_answerable]
    click.echo(f"  {title:20} right {sum(right)} of {len(right):3}   false {sum(false)} of {len(false)}")


def as_values(weights: Weights) -> dict[str, Any]:
    """The weights as the file has them."""
    known = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    named = {name: dict(zip(known[name], _rounded(getattr(weights, name)), strict=True)) for name in _NAMED}
    return {**named, "agreement": weights.agreement, "none": weights.none}


def _without(signal: str, case: Case) -> Case:
    """The case with zeros for a signal."""
    nothing = numpy.zeros_like(getattr(case.candidates, signal))
    return replace(case, candidates=replace(case.candidates, **{signal: nothing}))


def _triggers(entry: Entry, embedder: Embedder) -> Iterator[Trigger]:
    for episode in episodes_of(session_turns(events_of(entry))):
        if episode.digest.job and episode.judgement.outcome is not Outcome.FAILED and not episode.part_of:
            vector = embed_core(core_of(episode.trigger), embedder)
            key = pattern_key(entry.pool, episode.digest.job)
            yield trigger_of(episode, pattern_key=key, embedding=vector, model=embedder.model)


def _fit_signals(sets: Sequence[Sequence[Case]]) -> tuple[float, ...]:
    """Make the right candidates as likely as they can be, by gradient ascent with Adam (Kingma and Ba, 2015)."""
    rows = [(signals_of(case.candidates), case.right, 1 / len(cases)) for cases in sets for case in cases]
    weights = mean = square = numpy.zeros(rows[0][0].shape[1])
    for number in range(1, ROUNDS + 1):
        slope = -RIDGE * weights
        for signals, right, share in rows:
            likely = softmax(signals @ weights)
            wanted = likely * right / (likely * right).sum()
            slope = slope + share * (signals.T @ (wanted - likely)) / len(sets)
        mean, square = 0.9 * mean + 0.1 * slope, 0.999 * square + 0.001 * slope**2
        weights = weights + RATE * (mean / (1 - 0.9**number)) / (numpy.sqrt(square / (1 - 0.999**number)) + 1e-9)
    return tuple(float(each) for each in weights)


def _likelihood(sets: Sequence[Sequence[Case]], weights: Weights) -> float:
    """The mean logarithm of the likelihood of the right candidates, or of none of them where none is right."""
    found = []
    for cases in sets:
        likely = [likelihoods(case.candidates, weights) for case in cases]
        pairs = zip(cases, likely, strict=True)
        found.append(numpy.mean([numpy.log((each @ case.right) or 1 - each.sum()) for case, each in pairs]))
    return float(numpy.mean(found))


def _fit_odds(sets: Sequence[Sequence[Case]], weights: Weights) -> tuple[float, ...]:
    """A logistic regression on whether the first candidate is right, by Newton's method."""
    rows, labels, shares = [], [], []
    for cases in sets:
        for case in cases:
            merits = merits_of(case.candidates, weights)
            first = int(merits.argmax())
            rows.append(numpy.concatenate([[1.0], odds_signals(case.candidates, merits)]))
            labels.append(case.right[first])
            shares.append(1 / len(cases))
    every, wanted, share = numpy.array(rows), numpy.array(labels), numpy.array(shares) / sum(shares)
    # The weight of the last column is set by hand.
    other_intent = weights.odds[-1]
    table, given = every[:, :-1], every[:, -1] * other_intent
    factors = numpy.zeros(table.shape[1])
    for _ in range(50):
        odds = 1 / (1 + numpy.exp(-(table @ factors + given)))
        slope = table.T @ (share * (wanted - odds)) - RIDGE / 10 * factors
        curve = (table * (share * odds * (1 - odds))[:, None]).T @ table + RIDGE / 10 * numpy.eye(len(factors))
        factors = factors + numpy.linalg.solve(curve, slope)
    return (*map(float, factors), other_intent)


def _right_share(sets: Sequence[Sequence[Case]], weights: Weights) -> float:
    """The share of prompts whose first candidate is right, the mean of the sets."""
    shares = [
        sum(case.right[int(merits_of(case.candidates, weights).argmax())] for case in cases) / len(cases)
        for cases in sets
    ]
    return float(sum(shares) / len(shares))


def _scored(case: Case, weights: Weights) -> Scored:
    merits = merits_of(case.candidates, weights)
    first = int(merits.argmax())
    return Scored(odds_of(case.candidates, merits, weights.odds), bool(case.right[first]), case.is_answerable)


def _limit(rows: Sequence[Scored]) -> float:
    """The lowest limit that keeps the share of answered prompts, among those without an answer, at `MAX_FALSE`."""
    false = sorted((row.odds for row in rows if not row.is_answerable), reverse=True)
    allowed = int(MAX_FALSE * len(false))
    return false[allowed] if allowed < len(false) else 0.0


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(each, 2) for each in values]


if __name__ == "__main__":
    main()
