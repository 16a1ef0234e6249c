"""What an import says at its end: what there was, what became of it, what is done most often, what was skipped."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import BaseModel

from behavior_plugin.importer.logs import Found
from behavior_plugin.importer.session import Run, Taken
from behavior_plugin.model import Outcome

MOST_WORKFLOWS = 8
MOST_PROBLEMS = 20
# Work that only edits, or only looks around, is no workflow of its own.
PLAIN = frozenset({"edit"})


class Fastest(BaseModel, frozen=True):
    """The run that took the least time of those that ended well, from the prompt to the last call's end."""

    took_ms: int
    trigger: str
    at: datetime


class Workflow(BaseModel, frozen=True):
    """Pieces of work in which the same was changed and run, whatever the order. `labels` are in that of the fastest."""

    labels: tuple[str, ...]
    times: int
    worked: int
    fastest: Fastest | None


class Unread(BaseModel, frozen=True):
    """What could not be read, and why; line 0 is the whole file."""

    file: str
    line: int
    reason: str


class Report(BaseModel, frozen=True):
    """Numbers of one import. `sessions` is by agent, `outcomes` by how the work ended.

    `new`, `grown` and `known` say what became of the patterns: `grown` are those of which more is known now. Those
    the store `refused` are with the problems. `idle` sessions are those in which no work was done, `older` the files
    that were not changed since the time asked for, `others` the files that are no agent's log.
    """

    is_dry_run: bool
    sessions: dict[str, int]
    prompts: int
    calls: int
    patterns: int
    outcomes: dict[str, int]
    new: int
    grown: int
    known: int
    refused: int
    idle: int
    older: int
    others: int
    skipped: int
    problems: tuple[Unread, ...]
    workflows: tuple[Workflow, ...]
    bytes: int
    seconds: float


def summed_up(found: Found, taken: Sequence[Taken], *, seconds: float, is_dry_run: bool) -> Report:
    """One report of all logs."""
    runs = [run for each in taken for run in each.runs]
    kept = sum((each.kept for each in taken), Counter[str]())
    problems = [*found.problems, *(problem for each in taken for problem in each.problems)]
    return Report(
        is_dry_run=is_dry_run,
        sessions=_sessions(taken),
        prompts=sum(each.prompts for each in taken),
        calls=sum(each.calls for each in taken),
        patterns=len(runs),
        outcomes=dict(Counter(run.outcome.value for run in runs)),
        new=kept["new"],
        grown=kept["grown"],
        known=kept["known"],
        refused=kept["refused"],
        idle=sum(len(each.idle) for each in taken),
        older=found.older,
        others=found.others,
        skipped=len(found.problems) + sum(each.skipped for each in taken),
        problems=tuple(
            Unread(file=str(problem.file), line=problem.line, reason=problem.reason)
            for problem in problems[:MOST_PROBLEMS]
        ),
        workflows=tuple(_workflows(runs)),
        bytes=sum(each.log.size for each in taken),
        seconds=round(seconds, 3),
    )


def _sessions(taken: Iterable[Taken]) -> dict[str, int]:
    count: Counter[str] = Counter()
    for each in taken:
        count[each.log.agent] += len(each.sessions)
    return dict(count)


def _workflows(runs: Iterable[Run]) -> list[Workflow]:
    """What was done more than once, the most often done first."""
    alike: dict[frozenset[str], list[Run]] = defaultdict(list)
    for run in runs:
        alike[frozenset(run.labels)].append(run)
    often = [same for labels, same in alike.items() if len(same) > 1 and labels - PLAIN]
    often.sort(key=lambda same: (-len(same), -_worked(same)))
    return [_workflow(same) for same in often[:MOST_WORKFLOWS]]


def _workflow(same: Sequence[Run]) -> Workflow:
    well = [run for run in same if run.outcome is Outcome.SUCCESS]
    fastest = min(well, key=lambda run: run.took_ms, default=None)
    return Workflow(
        labels=(fastest or same[0]).labels,
        times=len(same),
        worked=_worked(same),
        fastest=fastest and Fastest(took_ms=fastest.took_ms, trigger=fastest.trigger, at=fastest.at),
    )


def _worked(same: Iterable[Run]) -> int:
    return sum(run.outcome is Outcome.SUCCESS for run in same)
