"""Fold episodes into patterns: one for each job in each project.

A fold over a set: the order in which episodes arrive, and how often, makes no difference, so patterns can always be
computed anew from the evidence. Different ways of doing a job stay apart as variants.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from behavior_plugin.model import Action, Context, Outcome
from behavior_plugin.patterns.confidence import confidence
from behavior_plugin.patterns.lessons import merge_lessons
from behavior_plugin.patterns.remarks import Record, merges, record_of
from behavior_plugin.patterns.ways import MAX_COMPARED, Commands, usual_steps, variants, ways_of
from behavior_plugin.workflow import Episode, Lesson, Occurrence, Pattern, Remark, RemarkKind, Remedy, Workflow

# Of the run that stands for the others; a pattern with more would be too large to be stored.
MAX_ACTIONS = 200
MAX_FILES = 200
MAX_LESSONS = 5
MAX_TRIGGERS = 8

_COUNTED = frozenset({RemarkKind.SHOWN, RemarkKind.GOOD, RemarkKind.BAD})


@dataclass(frozen=True)
class FoldedPattern:
    """A job of a project: its workflow, and the keys of its episodes, the newest first.

    `representative` is the key of the episode whose run stands for the others, and `final_outcome` is how that ended.
    """

    source_key: str
    workflow: Workflow
    representative: str
    final_outcome: Outcome
    confidence: float
    members: tuple[str, ...]


@dataclass(frozen=True)
class _Project:
    """The evidence that the jobs of a project share."""

    commands: Commands
    lessons: tuple[Lesson, ...]


def pattern_of(folded: FoldedPattern, representative: Episode) -> Pattern:
    """A computed pattern, with the run that stands for it."""
    return Pattern(
        source_key=folded.source_key,
        trigger=representative.trigger,
        context=_bounded(representative.context),
        actions=_first_and_last(representative.actions),
        final_outcome=folded.final_outcome,
        confidence=folded.confidence,
        started_at=representative.started_at,
        session_id=representative.session_id,
        provenance=representative.turns[0].provenance,
        workflow=folded.workflow,
    )


def _first_and_last(actions: Sequence[Action]) -> tuple[Action, ...]:
    """The first and last actions of a very long run; its episode has the others too."""
    half = MAX_ACTIONS // 2
    return tuple(actions if len(actions) <= MAX_ACTIONS else [*actions[:half], *actions[-half:]])


def _bounded(context: Context) -> Context:
    return context.model_copy(update={"files_touched": context.files_touched[:MAX_FILES]})


def pattern_key(project: str, job: str) -> str:
    """The key of a job's pattern: the same work updates the same row."""
    return hashlib.sha256("\x1f".join([project, job]).encode("utf-8", "replace")).hexdigest()[:40]


def fold(episodes: Iterable[Occurrence], remarks: Sequence[Remark] = ()) -> list[FoldedPattern]:
    """The patterns of these episodes, by key; an episode without a job is in none.

    `remarks` are those on the patterns: they join some, change their odds and steps, and hide some.
    """
    by_project: defaultdict[str, list[Occurrence]] = defaultdict(list)
    for episode in _distinct(episodes):
        by_project[episode.project].append(episode)
    merged = merges(remarks)
    patterns = [
        _pattern(key, members, project, _remarks_on(key, remarks, merged))
        for all_of_project in by_project.values()
        for project in [_project(all_of_project)]
        for key, members in _jobs(all_of_project, merged)
    ]
    return sorted(patterns, key=lambda pattern: pattern.source_key)


def _distinct(episodes: Iterable[Occurrence]) -> list[Occurrence]:
    """Each episode once, the newest first; of two computations of one, the later."""
    versions: defaultdict[str, list[Occurrence]] = defaultdict(list)
    for episode in episodes:
        versions[episode.source_key].append(episode)
    latest = [
        each[0] if len(each) == 1 else max(each, key=lambda episode: (episode.digest.version, repr(episode)))
        for each in versions.values()
    ]
    by_key = sorted(latest, key=lambda episode: episode.source_key)
    return sorted(by_key, key=lambda episode: episode.started_at, reverse=True)


def final_key(occurrence: Occurrence, merged: Mapping[str, str]) -> str:
    """The key of the pattern that an episode belongs to. `merged` leads from merged patterns to those they are in."""
    key = pattern_key(occurrence.project, occurrence.digest.job)
    return merged.get(key, key) if occurrence.digest.job else ""


def _jobs(episodes: Sequence[Occurrence], merged: Mapping[str, str]) -> Iterator[tuple[str, list[Occurrence]]]:
    """The episodes of each pattern. A part is left out if its whole is in the same pattern."""
    by_key: defaultdict[str, list[Occurrence]] = defaultdict(list)
    for episode in episodes:
        by_key[final_key(episode, merged)].append(episode)
    for key, members in by_key.items():
        if key:
            yield key, _wholes(members)


def _remarks_on(key: str, remarks: Sequence[Remark], merged: Mapping[str, str]) -> Record:
    """The remarks on a pattern; of those that were merged into it, only the counted ones."""
    return record_of(
        remark
        for remark in remarks
        if remark.pattern_key == key or (merged.get(remark.pattern_key) == key and remark.kind in _COUNTED)
    )


def _project(episodes: Sequence[Occurrence]) -> _Project:
    commands: defaultdict[str, set[str]] = defaultdict(set)
    for episode in episodes:
        for command in episode.digest.commands:
            commands[command].add(episode.part_of or episode.source_key)
    lessons = merge_lessons(
        (episode.session_id, lesson) for episode in _wholes(episodes) for lesson in episode.digest.lessons
    )
    return _Project({command: frozenset(seen) for command, seen in commands.items()}, lessons)


def _wholes(episodes: Sequence[Occurrence]) -> list[Occurrence]:
    """The episodes without the parts of others among them."""
    keys = {episode.source_key for episode in episodes if not episode.part_of}
    return [episode for episode in episodes if episode.part_of not in keys]


def _pattern(key: str, members: Sequence[Occurrence], project: _Project, record: Record) -> FoldedPattern:
    """The pattern of a job's episodes, which are sorted, the newest first."""
    strongest, *others = ways_of(members)
    representative = strongest.representative
    outcomes = [episode.outcome for episode in members]
    steps = record.steps or usual_steps(strongest, project.commands)
    return FoldedPattern(
        source_key=key,
        workflow=_workflow(key, members, project).model_copy(
            update={
                "steps": steps,
                "variants": variants(others, project.commands, min(len(members), MAX_COMPARED)),
                "is_edited": bool(record.steps),
                "way_times": 0 if record.steps else len(strongest.episodes),
                "way_worked": 0 if record.steps else strongest.worked,
                "is_hidden": record.is_hidden,
                "shown": record.shown,
                "followed": record.followed,
                "good": record.good,
                "bad": record.bad,
            }
        ),
        representative=representative.source_key,
        final_outcome=representative.outcome,
        confidence=confidence(
            outcomes, [episode.started_at for episode in members], support=record.support, doubt=record.doubt
        ),
        members=tuple(episode.source_key for episode in members),
    )


def _workflow(key: str, members: Sequence[Occurrence], project: _Project) -> Workflow:
    worked = [episode for episode in members if episode.outcome is Outcome.SUCCESS]
    return Workflow(
        job=_job(key, members),
        lessons=_lessons(members, project),
        triggers=_triggers(members),
        times=len(members),
        worked=len(worked),
        sessions=len({episode.session_id for episode in members}),
        typical_ms=round(median(episode.digest.took_ms for episode in worked)) if worked else None,
        change=next((episode.digest.change for episode in worked if episode.digest.change), ""),
        last_at=members[0].started_at,
    )


def _job(key: str, members: Sequence[Occurrence]) -> str:
    """The name of a job: of those that were merged, that of the pattern they are in."""
    own = (each.digest.job for each in members if pattern_key(each.project, each.digest.job) == key)
    return next(own, members[0].digest.job)


def _lessons(members: Sequence[Occurrence], project: _Project) -> tuple[Lesson, ...]:
    """The project's lessons that these episodes have taught, the most frequent failures first."""
    own = {_of(lesson) for episode in members for lesson in episode.digest.lessons}
    return tuple(lesson for lesson in project.lessons if _of(lesson) in own)[:MAX_LESSONS]


def _of(lesson: Lesson) -> tuple[str, str, Remedy]:
    return lesson.failed, lesson.worked, lesson.remedy


def _triggers(members: Sequence[Occurrence]) -> tuple[str, ...]:
    """The distinct prompts, the newest first."""
    distinct: dict[str, str] = {}
    for episode in members:
        distinct.setdefault(" ".join(episode.trigger.casefold().split()), episode.trigger)
    return tuple(distinct.values())[:MAX_TRIGGERS]
