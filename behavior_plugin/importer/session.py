"""Take one log: read it part by part, make patterns of each, have the worker keep them, and count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from behavior_plugin import adapters
from behavior_plugin.adapters.reading import Problem, Reading
from behavior_plugin.capture import context as places
from behavior_plugin.errors import WorkerUnavailableError
from behavior_plugin.importer.logs import Log
from behavior_plugin.labels import telling
from behavior_plugin.learn import patterns_of
from behavior_plugin.model import Context, Event, EventKind, Outcome, Pattern
from behavior_plugin.prompts import PromptKind, kind_of
from behavior_plugin.reconcile import reconcile
from behavior_plugin.worker.client import ask_running_worker, ask_worker

# So many patterns are handed over at a time: a tenth of a second's work, so that prompts are answered meanwhile.
BATCH = 20
# How often they are handed over before the import gives up.
TRIES = 3
NO_PROMPT = (PromptKind.MACHINE, PromptKind.BUILT_IN)


@dataclass(frozen=True)
class Wanted:
    """What of the logs is wanted: one project's, begun since a time. In a dry run nothing is kept."""

    project: Path | None = None
    since: datetime | None = None
    is_dry_run: bool = False


@dataclass(frozen=True)
class Run:
    """One piece of work, for the report: what was done, and how long it took from the prompt to the last call's end."""

    labels: tuple[str, ...]
    trigger: str
    outcome: Outcome
    took_ms: int
    at: datetime


@dataclass
class Taken:
    """What one log held. `kept` counts what became of the patterns, as the worker says it.

    `sessions` are those that it tells of, of which the `idle` have no pattern; most logs are of one.
    """

    log: Log
    sessions: set[str] = field(default_factory=set)
    idle: set[str] = field(default_factory=set)
    prompts: int = 0
    calls: int = 0
    runs: list[Run] = field(default_factory=list)
    kept: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)

    def note_sessions(self, events: Sequence[Event], patterns: Sequence[Pattern]) -> None:
        at_work = {pattern.session_id for pattern in patterns}
        found = {event.session_id for event in events}
        self.idle = (self.idle | (found - self.sessions)) - at_work
        self.sessions |= found


def take(log: Log, wanted: Wanted, tell_bytes: Callable[[int], object]) -> Taken:
    """Raises BehaviorError where the worker or the store gives up; a log that cannot be read is a problem told."""
    reading = Reading(tell_bytes)
    taken = Taken(log)
    try:
        for part in adapters.named(log.agent).read(log.file, reading):
            _take_part(part, wanted, taken)
    except OSError as error:
        reading.skip(log.file, 0, error.strerror or "cannot be read")
    taken.skipped = reading.skipped
    taken.problems += reading.problems
    return taken


def _take_part(part: Sequence[Event], wanted: Wanted, taken: Taken) -> None:
    events = [event for event in _placed(reconcile([], part)) if _is_of(event.context, wanted.project)]
    patterns = [each for each in patterns_of(events) if not wanted.since or each.started_at >= wanted.since]
    taken.note_sessions(events, patterns)
    taken.prompts += sum(event.prompt is not None and kind_of(event.prompt) not in NO_PROMPT for event in events)
    taken.calls += sum(event.kind is EventKind.ACTION for event in events)
    taken.runs += [_run(pattern) for pattern in patterns]
    for start in range(0, 0 if wanted.is_dry_run else len(patterns), BATCH):
        _have_kept(patterns[start : start + BATCH], taken)


def _have_kept(patterns: Sequence[Pattern], taken: Taken) -> None:
    answer = _handed_over([each.model_dump(mode="json") for each in patterns])
    taken.kept += Counter(answer["kept"])
    taken.kept["refused"] += len(answer["refused"])
    taken.problems += [Problem(taken.log.file, 0, f"one piece of work: {reason}") for reason in answer["refused"]]


def _handed_over(patterns: Sequence[dict[str, Any]]) -> Any:
    """A worker that ends meanwhile, as one does whose code has changed, is followed by another."""
    for ask in (ask_running_worker, *[ask_worker] * (TRIES - 2)):
        with suppress(WorkerUnavailableError):
            return ask("keep", patterns=patterns)
    return ask_worker("keep", patterns=patterns)


def _placed(events: Sequence[Event]) -> Iterator[Event]:
    """The places as hooks would note them; logs know no more than directory and branch."""
    for event in events:
        yield event.model_copy(update={"context": _place(event.context.directory, event.context.branch)})


@lru_cache(maxsize=1000)
def _place(directory: str, branch: str | None) -> Context:
    """The project is what it is today, where its folder is still there; the branch is what it was."""
    today = places.describe(directory)
    return Context(
        directory=directory,
        root=today.get("root", directory),
        project=today.get("project", directory),
        project_type=today.get("project_type"),
        branch=branch,
    )


def _is_of(context: Context, project: Path | None) -> bool:
    """Whether it is one project's work, or was done below its folder."""
    if project is None:
        return True
    folder = str(project)
    is_below = (context.directory + "/").startswith(folder.rstrip("/") + "/")
    return is_below or context.project == _place(folder, None).project


def _run(pattern: Pattern) -> Run:
    ends = [action.timestamp.timestamp() * 1000 + (action.duration_ms or 0) for action in pattern.actions]
    return Run(
        labels=telling(pattern.actions),
        trigger=pattern.trigger[:200],
        outcome=pattern.final_outcome,
        took_ms=max(0, int(max(ends) - pattern.started_at.timestamp() * 1000)),
        at=pattern.started_at,
    )
