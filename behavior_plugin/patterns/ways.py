"""Separate the ways of doing a job: episodes whose steps are alike, and the one of them that stands for the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

from behavior_plugin.model import Outcome
from behavior_plugin.patterns.alignment import identities, medoid, similarity
from behavior_plugin.patterns.steps import known_commands, top_steps
from behavior_plugin.workflow import Occurrence, Step, StepKind, Variant

# The commands of a project, each with the keys of the episodes that have it; a part counts as its whole.
Commands: TypeAlias = Mapping[str, frozenset[str]]

# Two pieces of work are done the same way if this share of their steps is alike. Of the episodes of one project, half
# have an earlier one that is; of different projects, a tenth.
MIN_SIMILARITY = 0.6
# The newest episodes of a job that are compared, since each is compared with each.
MAX_COMPARED = 100
MAX_VARIANTS = 3
# A way that is rarer than this share of the compared episodes is an exception, and no other way of doing the job.
MIN_VARIANT_SHARE = 0.05

_BEST_FIRST = (Outcome.SUCCESS, Outcome.PARTIAL, Outcome.FAILED)


@dataclass(frozen=True)
class Way:
    """Episodes that did a job the same way, the newest first."""

    episodes: tuple[Occurrence, ...]

    @property
    def worked(self) -> int:
        return self.count(Outcome.SUCCESS)

    def count(self, outcome: Outcome) -> int:
        return sum(episode.outcome is outcome for episode in self.episodes)

    @property
    def representative(self) -> Occurrence:
        """The one most like the others, of those that ended best; the newest of equals."""
        outcome = min((episode.outcome for episode in self.episodes), key=_BEST_FIRST.index)
        best = [episode for episode in self.episodes if episode.outcome is outcome]
        return best[medoid([episode.digest.steps for episode in best])]


def ways_of(members: Sequence[Occurrence]) -> list[Way]:
    """The ways of doing a job: first the one that worked most often, then the others, the most frequent first.

    The way with most episodes around one centre is taken out first, then the next.
    """
    names = {episode.source_key: identities(episode.digest.steps) for episode in members[:MAX_COMPARED]}
    alike = _alike(set(names.values()))
    left = list(members[:MAX_COMPARED])
    ways = []
    while left:
        counts = Counter(names[episode.source_key] for episode in left)
        sizes = {name: sum(counts[other] for other in alike[name]) for name in counts}
        centre = max(left, key=lambda episode: sizes[names[episode.source_key]])
        around = alike[names[centre.source_key]]
        ways.append(Way(tuple(episode for episode in left if names[episode.source_key] in around)))
        left = [episode for episode in left if names[episode.source_key] not in around]
    ways.sort(key=lambda way: (len(way.episodes), way.worked), reverse=True)
    strongest = max(ways, key=lambda way: (way.worked, way.count(Outcome.PARTIAL)))
    return [strongest, *(way for way in ways if way is not strongest)]


def usual_steps(way: Way, commands: Commands) -> tuple[Step, ...]:
    """The steps of the representative that matter, as they usually are.

    A command that the project has seen only this once is no habit.
    """
    episode = way.representative
    whole = {episode.part_of or episode.source_key}
    steps = [
        _usual(step, way)
        for step in episode.digest.steps
        if step.kind is not StepKind.RUN
        or any(commands.get(command, whole) - whole for command in known_commands([step]))
    ]
    return top_steps(steps or [_usual(step, way) for step in episode.digest.steps])


def variants(ways: Sequence[Way], commands: Commands, times: int) -> tuple[Variant, ...]:
    """The other ways, the most frequent first; `times` is the number of episodes that were compared."""
    found = [
        Variant(steps=usual_steps(way, commands), times=len(way.episodes), worked=way.worked)
        for way in ways
        if len(way.episodes) >= MIN_VARIANT_SHARE * times
    ]
    return tuple(variant for variant in found if variant.steps)[:MAX_VARIANTS]


def _alike(names: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], frozenset[tuple[str, ...]]]:
    """For each sequence of names those that are alike, itself included."""
    ordered = sorted(names)
    return {one: frozenset(other for other in ordered if similarity(one, other) >= MIN_SIMILARITY) for one in ordered}


def _usual(step: Step, way: Way) -> Step:
    """A step with its median duration, and the files that most episodes edit; others belong to one occasion."""
    steps = [each for episode in way.episodes for each in episode.digest.steps]
    same = [each for each in steps if (each.kind, each.text, each.until) == (step.kind, step.text, step.until)]
    took = [each.took_ms for each in same if each.took_ms is not None]
    edited = Counter(
        file for episode in way.episodes for file in {file for each in episode.digest.steps for file in each.files}
    )
    files = tuple(file for file in step.files if edited[file] > len(way.episodes) / 2)
    return step.model_copy(update={"files": files, "took_ms": round(median(took)) if took else None})
