"""Import one log: read it in parts, make turns of it, send them to the worker, and count."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from behavior_plugin import exclude
from behavior_plugin.agents import AGENTS
from behavior_plugin.agents.log_file import LogReader, Problem
from behavior_plugin.api import SaveReport, SaveTurns
from behavior_plugin.capture import context as places
from behavior_plugin.errors import StoreUnavailableError, WorkerUnavailableError
from behavior_plugin.importer.logs import Log
from behavior_plugin.learn import session_turns
from behavior_plugin.model import Context, Event, Outcome, PromptKind, Turn
from behavior_plugin.patterns.evidence import episodes_of, merge_turns, occurrence_of, turn_judgements
from behavior_plugin.patterns.reconcile import reconcile
from behavior_plugin.worker.client import Client
from behavior_plugin.workflow import Episode, Occurrence

# Turns sent in one request. Each request has the whole session cut into episodes again, so there should be few of one
# session; a large one would keep prompts waiting.
BATCH, BATCH_BYTES = 200, 2_000_000
# The delays between attempts while a worker leaves. Starting a worker has a deadline of its own.
PAUSES_S = (0.2, 1.0, 3.0, 10.0)
NO_PROMPT = (None, PromptKind.MACHINE, PromptKind.BUILT_IN)
# The folder of the worktrees that Claude Code creates, and deletes when their work is done.
WORKTREES = "/.claude/worktrees/"


@dataclass(frozen=True)
class ImportFilter:
    """The work to import: of one project, by any of its names; begun since a time. A dry run learns nothing."""

    project: frozenset[str] = frozenset()
    since: datetime | None = None
    is_dry_run: bool = False

    @classmethod
    def of(cls, project: str | None, since: datetime | None, *, is_dry_run: bool) -> ImportFilter:
        """`project` is one of its folders, on this machine or as a log names it."""
        if not project:
            return cls(since=since, is_dry_run=is_dry_run)
        folders = {project.rstrip("/"), os.path.normpath(Path.cwd() / project), os.path.realpath(project)}
        return cls(frozenset(folders | {_place(folder, None).project for folder in folders}), since, is_dry_run)

    def takes(self, event: Event) -> bool:
        if not self.project:
            return True
        context = event.context
        is_below = any(f"{context.directory}/".startswith(f"{folder}/") for folder in self.project)
        return is_below or context.project in self.project


@dataclass(frozen=True)
class Run:
    """One turn with work, for the report. `first_call` is the id of a call, which shows that two logs have the same."""

    trigger: str
    outcome: Outcome
    at: datetime
    first_call: str | None


@dataclass
class LogResult:
    """The content of one log. `kept` counts the effects of saving its turns, as the worker reports them.

    `sessions` are the sessions in it, usually one, of which `idle` have no work. `places` counts the events of each
    project, whether imported or not. Work begun before the requested time is counted as `earlier`, and nowhere else.
    `left_out` are the prompts of pauses and excluded projects, `excluded_calls` those that touch excluded files.
    """

    log: Log
    sessions: set[str] = field(default_factory=set)
    idle: set[str] = field(default_factory=set)
    places: Counter[str] = field(default_factory=Counter)
    size: int = 0
    prompts: int = 0
    calls: int = 0
    earlier: int = 0
    runs: list[Run] = field(default_factory=list)
    occurrences: list[Occurrence] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    left_out: int = 0
    excluded_calls: int = 0
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)


def import_log(log: Log, wanted: ImportFilter, on_progress: Callable[[int], object]) -> LogResult:
    """Import one log; if it cannot be read, that is reported as a problem.

    Raises:
        BehaviorError: the worker or the store gives up. Everything sent so far stays.
    """
    imported = LogResult(log)

    def count(size: int) -> None:
        imported.size += size
        on_progress(size)

    reader = LogReader(count)
    try:
        for part in AGENTS[log.agent].logs.read(log.file, reader):
            _import_part(part, wanted, imported)
    except OSError as error:
        reader.skip(log.file, 0, error.strerror or "cannot be read")
    imported.skipped = reader.skipped
    imported.problems += reader.problems
    return imported


def _import_part(part: Sequence[Event], wanted: ImportFilter, imported: LogResult) -> None:
    placed = list(_placed(reconcile([], part)))
    imported.places.update(event.context.project for event in placed)
    kept = exclude.current().keep([event for event in placed if wanted.takes(event)])
    imported.left_out += kept.prompts
    imported.excluded_calls += kept.calls
    turns = session_turns(kept.events)
    events = [event for event in kept.events if event.prompt_kind is not PromptKind.PRIVATE]
    if wanted.since:
        events = [event for event in events if event.at >= wanted.since]
        imported.earlier += sum(turn.started_at < wanted.since and bool(turn.actions) for turn in turns)
        turns = [turn for turn in turns if turn.started_at >= wanted.since]
    _count(events, turns, imported)
    for batch in () if wanted.is_dry_run else _batches(turns):
        _save(batch, imported)


def _count(events: Sequence[Event], turns: Sequence[Turn], imported: LogResult) -> None:
    found = {event.session_id for event in events}
    episodes = episodes_of(merge_turns(turns, []))
    at_work = {episode.session_id for episode in episodes}
    imported.idle = (imported.idle | (found - imported.sessions)) - at_work
    imported.sessions |= found
    imported.prompts += sum(event.prompt_kind not in NO_PROMPT for event in events)
    imported.calls += sum(event.action is not None and event.action.actor != "user" for event in events)
    imported.runs += [run for episode in episodes if not episode.part_of for run in _runs(episode)]
    imported.occurrences += [occurrence_of(episode) for episode in episodes]


def _batches(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """As many turns at a time as one request to the worker should hold."""
    batch: list[Turn] = []
    size = 0
    for turn in turns:
        batch.append(turn)
        size += len(turn.model_dump_json())
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _save(turns: Sequence[Turn], imported: LogResult) -> None:
    report = _send_with_retry(SaveTurns(turns=tuple(turns)))
    imported.kept += Counter(report.kept)
    imported.kept["refused"] += len(report.refused)
    imported.problems += [Problem(imported.log.file, 0, f"one turn was refused: {why}") for why in report.refused]


def _send_with_retry(request: SaveTurns) -> SaveReport:
    """A worker that ends meanwhile, as after an update of its code, is followed by another."""
    client = Client()
    for pause in PAUSES_S:
        with suppress(WorkerUnavailableError, StoreUnavailableError):
            return client.save_turns(request)
        time.sleep(pause)
    return client.save_turns(request)


def _placed(events: Sequence[Event]) -> Iterator[Event]:
    """Give events the context that hooks would record; logs have only directory and branch."""
    for event in events:
        yield event.model_copy(update={"context": _place(event.context.directory, event.context.branch)})


@lru_cache(maxsize=1000)
def _place(directory: str, branch: str | None) -> Context:
    """The project as it is today, if its folder still exists, and the branch as it was."""
    today = places.describe(directory)
    if WORKTREES in directory and today.get("root", directory) == directory:  # deleted, together with its repository
        return _place(directory.partition(WORKTREES)[0], branch).model_copy(update={"directory": directory})
    return Context(
        directory=directory,
        root=today.get("root", directory),
        project=today.get("project", directory),
        project_type=today.get("project_type"),
        branch=branch,
    )


def _runs(episode: Episode) -> list[Run]:
    judgements = turn_judgements(episode.turns)
    return [
        Run(turn.prompt[:200], judgement.outcome, turn.started_at, turn.actions[0].id)
        for turn, judgement in zip(episode.turns, judgements, strict=True)
        if turn.actions
    ]
