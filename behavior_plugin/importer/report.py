"""Summarize an import: amounts, effects, the most frequent workflows, problems."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from behavior_plugin.agents.log_file import Problem
from behavior_plugin.importer.log import LogResult, Run
from behavior_plugin.importer.logs import Found
from behavior_plugin.model import Outcome, Saved

MAX_WORKFLOWS = 8
MAX_PROBLEMS = 20
MAX_PROJECTS = 5
# Work that only edits, or only reads, is not a workflow of its own.
PLAIN = frozenset({"edit"})


class Workflow(BaseModel, frozen=True):
    """Pieces of work with the same edits and commands, in any order.

    `labels` are in the order of the fastest run that ended well, `fastest`, if there is one.
    """

    labels: tuple[str, ...]
    times: int
    worked: int
    fastest: Run | None


class Report(BaseModel, frozen=True):
    """The numbers of one import. `sessions` is by agent, `outcomes` by the end of the work; `bytes` were read.

    `new`, `grown` and `known` are the patterns that were added, updated and unchanged. Work that the store `refused` is
    among the problems, of which only the first are described. `copies` are repeated by a fork, and counted nowhere
    else. `idle` are sessions without work, `earlier` is work begun before the requested time, `older` are logs last
    changed before it, and `others` are files that are no logs of sessions. `projects` have the most events, whether
    imported or not.
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
    copies: int
    idle: int
    earlier: int
    older: int
    others: int
    skipped: int
    problems: tuple[Problem, ...]
    workflows: tuple[Workflow, ...]
    projects: tuple[str, ...]
    bytes: int
    seconds: float


def summarize(found: Found, imported: Sequence[LogResult], *, seconds: float, is_dry_run: bool) -> Report:
    """One report for all logs."""
    found_runs = [run for each in imported for run in each.runs]
    runs = list({(run.at, run.trigger, run.first_call): run for run in found_runs}.values())
    copies = len(found_runs) - len(runs)
    kept = sum((each.kept for each in imported), Counter[str]())
    places = sum((each.places for each in imported), Counter[str]())
    problems = [*found.problems, *(problem for each in imported for problem in each.problems)]
    return Report(
        is_dry_run=is_dry_run,
        sessions=_sessions(imported),
        prompts=sum(each.prompts for each in imported),
        calls=sum(each.calls for each in imported),
        patterns=len(runs),
        outcomes=dict(Counter(run.outcome.value for run in runs)),
        new=kept[Saved.ADDED],
        grown=kept[Saved.UPDATED],
        known=max(0, kept[Saved.UNCHANGED] - copies),
        refused=kept["refused"],
        copies=copies,
        idle=sum(len(each.idle) for each in imported),
        earlier=sum(each.earlier for each in imported),
        older=found.older,
        others=found.others,
        skipped=len(found.problems) + sum(each.skipped for each in imported),
        problems=tuple(problems[:MAX_PROBLEMS]),
        workflows=tuple(_workflows(runs)),
        projects=tuple(project for project, _ in places.most_common(MAX_PROJECTS)),
        bytes=sum(each.size for each in imported),
        seconds=round(seconds, 3),
    )


def _sessions(imported: Iterable[LogResult]) -> dict[str, int]:
    count: Counter[str] = Counter()
    for each in imported:
        count[each.log.agent] += len(each.sessions)
    return {agent: sessions for agent, sessions in count.items() if sessions}


def _workflows(runs: Iterable[Run]) -> list[Workflow]:
    """The workflows that occur more than once, the most frequent first."""
    alike: dict[frozenset[str], list[Run]] = defaultdict(list)
    for run in runs:
        alike[frozenset(run.labels)].append(run)
    often = [same for labels, same in alike.items() if len(same) > 1 and labels - PLAIN]
    often.sort(key=lambda same: (-len(same), -_worked(same)))
    return [_workflow(same) for same in often[:MAX_WORKFLOWS]]


def _workflow(same: Sequence[Run]) -> Workflow:
    well = [run for run in same if run.outcome is Outcome.SUCCESS]
    fastest = min(well, key=lambda run: run.took_ms, default=None)
    return Workflow(labels=(fastest or same[0]).labels, times=len(same), worked=_worked(same), fastest=fastest)


def _worked(same: Iterable[Run]) -> int:
    return sum(run.outcome is Outcome.SUCCESS for run in same)
