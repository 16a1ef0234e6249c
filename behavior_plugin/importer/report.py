"""Summarize an import: amounts, effects, the most frequent workflows, problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from behavior_plugin.agents.log_file import Problem
from behavior_plugin.importer.log import LogResult
from behavior_plugin.importer.logs import Found
from behavior_plugin.workflow import Saved, Workflow

MAX_WORKFLOWS = 8
MAX_PROBLEMS = 20
MAX_PROJECTS = 5


class ProjectWorkflow(Workflow):
    """The workflow of a job, with its project: each project has a job to commit."""

    project: str = ""


class Report(BaseModel, frozen=True):
    """The numbers of one import. `sessions` is by agent, `outcomes` by the end of the work; `bytes` were read.

    `patterns` counts the turns with work, under the name of earlier versions, and `workflows` are the jobs that were
    done more than once. `new`, `grown` and `known` are the turns that were added, updated and unchanged. Those that the
    store `refused` are among the problems, of which only the first are described. `copies` are repeated by a fork, and
    counted nowhere else.
    `idle` are sessions without work, `earlier` is work begun before the requested time, `older` are logs last changed
    before it, and `others` are files that are no logs of sessions. `left_out` are prompts of pauses and excluded
    projects, `excluded_calls` touch excluded files. `projects` have the most events, whether imported
    or not.
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
    left_out: int = 0
    excluded_calls: int = 0
    skipped: int
    problems: tuple[Problem, ...]
    workflows: tuple[ProjectWorkflow, ...]
    projects: tuple[str, ...]
    bytes: int
    seconds: float


def summarize(
    found: Found,
    imported: Sequence[LogResult],
    workflows: Sequence[ProjectWorkflow] = (),
    *,
    seconds: float,
    is_dry_run: bool,
) -> Report:
    """One report for all logs; `workflows` are those of all the work in them."""
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
        left_out=sum(each.left_out for each in imported),
        excluded_calls=sum(each.excluded_calls for each in imported),
        skipped=len(found.problems) + sum(each.skipped for each in imported),
        problems=tuple(problems[:MAX_PROBLEMS]),
        workflows=tuple(_most_frequent(workflows)),
        projects=tuple(project for project, _ in places.most_common(MAX_PROJECTS)),
        bytes=sum(each.size for each in imported),
        seconds=round(seconds, 3),
    )


def _sessions(imported: Iterable[LogResult]) -> dict[str, int]:
    count: Counter[str] = Counter()
    for each in imported:
        count[each.log.agent] += len(each.sessions)
    return {agent: sessions for agent, sessions in count.items() if sessions}


def _most_frequent(workflows: Iterable[ProjectWorkflow]) -> list[ProjectWorkflow]:
    """The jobs that were done more than once, the most frequent first."""
    often = [workflow for workflow in workflows if workflow.job and workflow.times > 1]
    return sorted(often, key=lambda workflow: (-workflow.times, -workflow.worked))[:MAX_WORKFLOWS]
