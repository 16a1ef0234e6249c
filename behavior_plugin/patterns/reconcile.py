"""Make one list of what the hooks reported and what the transcript says, in which each happening is there once.

A hook knows the host's duration and what the place looked like; the transcript knows the order, and the calls that no
hook hears of. But a transcript also holds what was learned from before, and a fork what another session did, so only
the turns that the hooks had a part in are taken from it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from behavior_plugin.agents.prompts import HUMAN, TASKS, PromptKind, essence, kind_of
from behavior_plugin.model import MAIN, USER, Action, Context, Event, EventKind, EventSource, reports_of

_Marked: TypeAlias = tuple[datetime, Event]
_Identity: TypeAlias = tuple[Any, ...]

_WORK = (EventKind.PROMPT, EventKind.ACTION, EventKind.TURN_END)


def reconcile(reported: Sequence[Event], recorded: Sequence[Event]) -> list[Event]:
    """The events of one session in the order in which they began, whatever order they come in and however often.

    With nothing reported, all that is recorded is taken.
    """
    by_hooks = _once(reported)
    by_client = _once(recorded)
    if by_hooks:
        by_client = _as_here(_belonging(by_client, by_hooks), by_hooks)
    recorded_at = list(_marked(by_client))
    marks = {_identity(event): mark for mark, event in recorded_at}
    told = {_identity(event): event for event in by_hooks}
    known = [(mark, _merged(told.get(_identity(event)), event)) for mark, event in recorded_at]
    alone = [(mark, event) for mark, event in _marked(by_hooks, marks) if _identity(event) not in marks]
    return list(_without_repeated_ends(_woven([known, alone])))


def _once(events: Iterable[Event]) -> list[Event]:
    """In order, each once: a hook that is registered twice reports everything twice."""
    once: dict[_Identity, Event] = {}
    for event in _in_order(events):
        once.setdefault(_identity(event), event)
    return list(once.values())


def _identity(event: Event) -> _Identity:
    """The same for one happening, whoever tells of it."""
    if event.action and event.action.id:
        return (event.kind, event.action.id)
    if event.prompt and kind_of(event.prompt) is PromptKind.MACHINE:
        return (event.kind, essence(event.prompt))
    if event.prompt and event.prompt_id:
        return (event.kind, event.prompt_id, essence(event.prompt))
    return (event.kind, event.source, event.name, event.at, event.order)


def _in_order(events: Iterable[Event]) -> list[Event]:
    """As they began: by the clock that is never set within one process or file, by the wall clock between them."""
    streams: dict[object, list[Event]] = {}
    for event in events:
        streams.setdefault(_stream(event), []).append(event)
    return list(_woven([_marked(_sorted(stream)) for _, stream in sorted(streams.items())]))


def _stream(event: Event) -> tuple[str, int, str]:
    if event.source is EventSource.HOOK:
        return (event.source, event.host_pid or 0, "")
    return (event.source, 0, _subagent(event))


def _subagent(event: Event) -> str:
    return event.action.agent if event.action and event.action.agent not in (MAIN, USER) else ""


def _sorted(stream: Iterable[Event]) -> list[Event]:
    """In order of their places; but no call began before its own prompt, whatever it is said to have taken."""
    placed = sorted(((_place(event), event) for event in stream), key=lambda pair: pair[0])
    prompts: dict[str | None, _Identity] = {}
    for place, event in placed:
        if event.prompt and event.prompt_id:
            prompts.setdefault(event.prompt_id, place)
    placed.sort(key=lambda pair: (max(pair[0], prompts.get(pair[1].prompt_id, ())), pair[1].prompt is None))
    return [event for _, event in placed]


def _place(event: Event) -> tuple[Any, ...]:
    """Where an event stands in its stream; hooks hear of a call when it has ended."""
    named = str(_identity(event)[1:])
    if event.source is EventSource.TRANSCRIPT:
        return (event.order, event.at, event.name, named)
    order = event.order - int((event.at - _began(event)) / timedelta(microseconds=1)) * 1000
    return (order if event.host_pid else 0, _began(event), event.at, order, event.name, named)


def _began(event: Event) -> datetime:
    return event.action.timestamp if event.action else event.at


def _marked(events: Iterable[Event], marks: Mapping[_Identity, datetime] | None = None) -> Iterator[_Marked]:
    """Each event with the time it is sorted by: when it began, or what came before it, so that no order is undone.

    `marks` are those of the transcript, for what it knows as well.
    """
    latest: datetime | None = None
    for event in events:
        times = [latest, _began(event), marks.get(_identity(event)) if marks else None]
        latest = max(time for time in times if time)
        yield latest, event


def _woven(streams: Iterable[Iterable[_Marked]]) -> Iterator[Event]:
    return (event for _, event in heapq.merge(*streams, key=lambda marked: marked[0]))


def _without_repeated_ends(events: Iterable[Event]) -> Iterator[Event]:
    """A hook and the client's own record both tell of a turn's end; between two ends there is work."""
    last: EventKind | None = None
    for event in events:
        if event.kind is EventKind.TURN_END and last is EventKind.TURN_END:
            continue
        last = event.kind if event.kind in _WORK else last
        yield event


def _belonging(recorded: Sequence[Event], reported: Sequence[Event]) -> list[Event]:
    """The turns that hooks reported a part of, or that began since; and what the first of them only follows up."""
    turns = _turns(recorded)
    names: set[object] = {_identity(event) for event in reported}
    names |= {event.prompt_id for event in reported if event.prompt_id}
    since = min(event.at for event in reported)
    ours = [turn[0].at >= since or any(_is_named(event, names) for event in turn) for turn in turns]
    first = ours.index(True) if True in ours else len(turns)
    if _follows_up([*reported, *(event for turn in turns[first:] for event in turn)]):
        start = _task_before(turns, first)
        ours[start:first] = [True] * (first - start)
    kept = {id(event) for turn, is_ours in zip(turns, ours, strict=True) if is_ours for event in turn}
    return [event for event in recorded if id(event) in kept]


def _turns(recorded: Sequence[Event]) -> list[list[Event]]:
    """A prompt and what follows up to the next. A subagent may work on when its turn is over."""
    turns: list[list[Event]] = []
    homes: dict[str, list[Event]] = {}
    for event in recorded:
        prompt_id = event.prompt_id or ""
        if not turns or (_kind(event) not in (None, PromptKind.MACHINE) and prompt_id not in homes):
            turns.append([])
        turn = homes.get(prompt_id, turns[-1]) if _subagent(event) else turns[-1]
        turn.append(event)
        if prompt_id:
            homes.setdefault(prompt_id, turn)
    return turns


def _is_named(event: Event, names: set[object]) -> bool:
    return event.prompt_id in names or _identity(event) in names


def _follows_up(events: Iterable[Event]) -> bool:
    """Whether the first thing a person said says nothing of its own."""
    prompts = [event for event in events if _kind(event) in HUMAN]
    return bool(prompts) and _kind(min(prompts, key=lambda event: event.at)) is PromptKind.FOLLOW_UP


def _task_before(turns: Sequence[Sequence[Event]], first: int) -> int:
    """The place of the turn that one follows up; its own place where there is none."""
    return next((place for place in range(first - 1, -1, -1) if _kind(turns[place][0]) in TASKS), first)


def _kind(event: Event) -> PromptKind | None:
    return kind_of(event.prompt) if event.kind is EventKind.PROMPT and event.prompt else None


def _as_here(events: Sequence[Event], reported: Sequence[Event]) -> list[Event]:
    """What only the transcript tells of happened where the hooks looked."""
    places: dict[str, Context] = {}
    for event in reported:
        if event.kind in (EventKind.SESSION_START, EventKind.PROMPT):
            places.setdefault(event.context.root, event.context)
    seen = {context: _seen(context, places) for context in {event.context for event in events}}
    return [
        event.model_copy(
            update={"machine": event.machine or reported[0].machine, "context": seen[event.context]},
        )
        for event in events
    ]


def _seen(context: Context, places: Mapping[str, Context]) -> Context:
    """What a hook saw of the same worktree; the branch is the client's own word."""
    root = next((folder for folder in _with_parents(context.directory) if folder in places), None)
    if root is None:
        return context
    place = places[root]
    return place.model_copy(
        update={"directory": context.directory, "branch": context.branch or place.branch},
    )


def _with_parents(directory: str) -> Iterator[str]:
    """A directory and those that it lies in, the nearest first."""
    while directory:
        yield directory
        directory = directory.rpartition("/")[0]


def _merged(reported: Event | None, recorded: Event) -> Event:
    """One happening of which both tell: the hook's words, and the transcript's where the hook has none."""
    if reported is None:
        return recorded
    if reported.action is None or recorded.action is None:
        # What comes while a call runs is reported when the call has ended, and recorded as of when it came.
        return reported.model_copy(update={"prompt_id": recorded.prompt_id, "at": recorded.at})
    files = dict.fromkeys([*reported.files, *recorded.files])
    knows_end = reports_of(reported.client).tells_ends
    action = _merged_call(reported.action, recorded.action) if knows_end else recorded.action
    return reported.model_copy(update={"action": action, "files": tuple(files)})


def _merged_call(reported: Action, recorded: Action) -> Action:
    is_measured = reported.duration_ms is not None
    return reported.model_copy(
        update={
            "timestamp": recorded.timestamp,
            "duration_ms": reported.duration_ms if is_measured else recorded.duration_ms,
            "duration_source": reported.duration_source if is_measured else recorded.duration_source,
            "started_agent": reported.started_agent or recorded.started_agent,
        }
    )
