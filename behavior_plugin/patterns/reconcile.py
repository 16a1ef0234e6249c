"""Merge hook events and log events of one session into one ordered list without duplicates.

A hook event has the measured duration and the state of the directory; the agent's log has the order, and the calls
that no hook reports. But a log also holds work that was learned from before, and a fork's log holds another session's
work, so only the turns that hooks took part in are taken from it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from pydantic import BaseModel

from behavior_plugin.capture import own_secrets
from behavior_plugin.model import HUMAN, MAIN, TASKS, USER, Action, Context, Event, EventKind, EventSource, PromptKind

_MASK = own_secrets.MASK.decode()
# An event with the time it is sorted by.
_Timed: TypeAlias = tuple[datetime, Event]
_Identity: TypeAlias = tuple[Any, ...]

# What the agent is given to work on: it arrives where a prompt does.
_INPUT = (EventKind.PROMPT, EventKind.CALL_END)
_WORK = (*_INPUT, EventKind.ACTION, EventKind.TURN_END)


def reconcile(reported: Sequence[Event], recorded: Sequence[Event]) -> list[Event]:
    """The events of one session in the order in which they began, each once.

    `reported` comes from hooks and `recorded` from the agent's log, both in any order and with repetitions. With
    nothing reported, everything recorded is taken.
    """
    by_hooks = _dedupe(reported)
    by_log = _dedupe(recorded)
    if by_hooks:
        by_log = _with_hook_context(_turns_of_this_session(by_log, by_hooks), by_hooks)
    recorded_at = list(_with_sort_time(by_log))
    sort_times = {_identity(event): time for time, event in recorded_at}
    hook_events = {_identity(event): event for event in by_hooks}
    known = [(time, _merged(hook_events.get(_identity(event)), event)) for time, event in recorded_at]
    hooks_only = [pair for pair in _with_sort_time(by_hooks, sort_times) if _identity(pair[1]) not in sort_times]
    return _without_repeated_ends(_merge_streams([known, hooks_only]))


def _dedupe(events: Iterable[Event]) -> list[Event]:
    """In order, each once: a hook that is registered twice reports everything twice."""
    once: dict[_Identity, Event] = {}
    for event in _in_order(events):
        once.setdefault(_identity(event), event)
    return list(once.values())


def _identity(event: Event) -> _Identity:
    """The key by which a hook event and a log event are the same."""
    if event.action and event.action.id:
        return (event.kind, event.action.id)
    if event.call_end:
        return (event.kind, event.call_end)
    if event.prompt_kind is PromptKind.MACHINE:
        return (event.kind, event.prompt_key)
    if event.prompt_key and event.prompt_id:
        return (event.kind, event.prompt_id, event.prompt_key)
    return (event.kind, event.source, event.name, event.at, event.order)


def _in_order(events: Iterable[Event]) -> list[Event]:
    """In the order they began: by the monotonic clock within a run of the machine or a file, else by the wall clock."""
    streams: dict[object, list[Event]] = {}
    for event in events:
        streams.setdefault(_stream(event), []).append(event)
    return list(_merge_streams([_with_sort_time(_sorted(stream)) for _, stream in sorted(streams.items())]))


def _stream(event: Event) -> tuple[str, int, str]:
    if event.source is EventSource.HOOK:
        # Where the machine's run is not known, a process lives in one.
        return (event.source, 0, event.boot) if event.boot else (event.source, event.agent_pid or 0, "")
    return (event.source, 0, _subagent(event))


def _subagent(event: Event) -> str:
    return event.action.actor if event.action and event.action.actor not in (MAIN, USER) else ""


def _sorted(stream: Iterable[Event]) -> list[Event]:
    """In order of their places; but no call begins before its own prompt, however long it is said to have taken.

    A call that names no prompt and was reported after the first one is not of an earlier one.
    """
    placed = sorted(((_place(event), event) for event in stream), key=lambda pair: pair[0])
    inputs: dict[str | None, _Identity] = {}
    first: Event | None = None
    for place, event in placed:
        if event.kind in _INPUT:
            first = first or event
            inputs.setdefault(event.prompt_id, place)

    def place_of(place: _Identity, event: Event) -> tuple[_Identity, bool]:
        is_named = event.prompt_id or (first and event.order >= first.order)
        return max(place, inputs.get(event.prompt_id, ()) if is_named else ()), event.kind not in _INPUT

    return [event for _, event in sorted(placed, key=lambda pair: place_of(*pair))]


def _place(event: Event) -> tuple[Any, ...]:
    """The place of an event in its stream; a hook runs when the call has ended, so its duration is taken off."""
    named = str(_identity(event)[1:])
    if event.source is EventSource.TRANSCRIPT:
        return (event.order, event.at, event.name, named)
    order = event.order - int((event.at - _start_time(event)) / timedelta(microseconds=1)) * 1000
    return (order if event.boot or event.agent_pid else 0, _start_time(event), event.at, order, event.name, named)


def _start_time(event: Event) -> datetime:
    return event.action.timestamp if event.action else event.at


def _with_sort_time(events: Iterable[Event], known: Mapping[_Identity, datetime] | None = None) -> Iterator[_Timed]:
    """Each event with the time it is sorted by: its start, or a later time before it, so that order is preserved.

    `known` has the log's times, for events that the log has as well.
    """
    latest: datetime | None = None
    for event in events:
        times = [latest, _start_time(event), known.get(_identity(event)) if known else None]
        latest = max(time for time in times if time)
        yield latest, event


def _merge_streams(streams: Iterable[Iterable[_Timed]]) -> Iterator[Event]:
    return (event for _, event in heapq.merge(*streams, key=lambda pair: pair[0]))


def _without_repeated_ends(events: Iterable[Event]) -> list[Event]:
    """A hook and the agent's log both have the end of a turn; between two real ends there is work."""
    kept: list[Event] = []
    end: int | None = None
    for event in events:
        if event.kind is EventKind.TURN_END and end is not None:
            kept[end] = kept[end].model_copy(update=_missing(kept[end], event))
            continue
        if event.kind in _WORK:
            end = len(kept) if event.kind is EventKind.TURN_END else None
        kept.append(event)
    return kept


def _turns_of_this_session(recorded: Sequence[Event], reported: Sequence[Event]) -> list[Event]:
    """The turns that hooks reported a part of, or that began since, and the task that the first of them follows up."""
    turns = _turns(recorded)
    names: set[object] = {_identity(event) for event in reported}
    names |= {event.prompt_id for event in reported if event.prompt_id}
    since = min(event.at for event in reported)
    ours = [turn[0].at >= since or any(_is_named(event, names) for event in turn) for turn in turns]
    first = ours.index(True) if True in ours else len(turns)
    if _begins_with_follow_up([*reported, *(event for turn in turns[first:] for event in turn)]):
        start = _task_before(turns, first)
        ours[start:first] = [True] * (first - start)
    taken = {id(event) for turn, is_ours in zip(turns, ours, strict=True) if is_ours for event in turn}
    return [event for event in recorded if id(event) in taken]


def _turns(recorded: Sequence[Event]) -> list[list[Event]]:
    """A prompt and the events up to the next one. A subagent may work on after its turn is over."""
    turns: list[list[Event]] = []
    by_prompt_id: dict[str, list[Event]] = {}
    for event in recorded:
        prompt_id = event.prompt_id or ""
        if not turns or (event.prompt_kind not in (None, PromptKind.MACHINE) and prompt_id not in by_prompt_id):
            turns.append([])
        turn = by_prompt_id.get(prompt_id, turns[-1]) if _subagent(event) else turns[-1]
        turn.append(event)
        if prompt_id:
            by_prompt_id.setdefault(prompt_id, turn)
    return turns


def _is_named(event: Event, names: set[object]) -> bool:
    return event.prompt_id in names or _identity(event) in names


def _begins_with_follow_up(events: Iterable[Event]) -> bool:
    """Whether the first prompt of a person names no task of its own."""
    prompts = [event for event in events if event.prompt_kind in HUMAN]
    return bool(prompts) and min(prompts, key=lambda event: event.at).prompt_kind is PromptKind.FOLLOW_UP


def _task_before(turns: Sequence[Sequence[Event]], first: int) -> int:
    """The index of the turn that one follows up; its own index where there is none."""
    return next((index for index in range(first - 1, -1, -1) if turns[index][0].prompt_kind in TASKS), first)


def _with_hook_context(events: Sequence[Event], reported: Sequence[Event]) -> list[Event]:
    """Give events that only the log has the context that hooks saw there."""
    places: dict[str, Context] = {}
    for event in reported:
        if event.kind is EventKind.SESSION_START or event.kind in _INPUT:
            places.setdefault(event.context.root, event.context)
    contexts = {context: _context_from_hooks(context, places) for context in {event.context for event in events}}
    machine = reported[0].machine
    return [
        event.model_copy(update={"machine": event.machine or machine, "context": contexts[event.context]})
        for event in events
    ]


def _context_from_hooks(context: Context, places: Mapping[str, Context]) -> Context:
    """The context that a hook saw in the same worktree, with the log's own directory and branch."""
    root = next((folder for folder in _with_parents(context.directory) if folder in places), None)
    if root is None:
        return context
    place = places[root]
    return place.model_copy(update={"directory": context.directory, "branch": context.branch or place.branch})


def _with_parents(directory: str) -> Iterator[str]:
    """A directory and those that it lies in, the nearest first."""
    while directory:
        yield directory
        directory = directory.rpartition("/")[0]


def _merged(reported: Event | None, recorded: Event) -> Event:
    """One happening that both sources have: the hook's value of each field, and the log's where the hook has none."""
    if reported is None:
        return recorded
    changes = _missing(reported, recorded)
    if reported.action is None or recorded.action is None:
        # An input that arrives while a call runs is reported when the call has ended; the log has its true time.
        return reported.model_copy(update={**changes, "prompt_id": recorded.prompt_id, "at": recorded.at})
    action = _merged_call(reported.action, recorded.action, is_provisional=reported.is_provisional)
    files = tuple(dict.fromkeys([*reported.files, *recorded.files]))
    return reported.model_copy(update={**changes, "action": action, "files": files})


def _merged_call(reported: Action, recorded: Action, *, is_provisional: bool) -> Action:
    """Merge one call: the hook's values count, or the log's if the hook's are provisional.

    Its start is always the log's: a hook can only count back from the end.
    """
    if is_provisional:
        # Only the hook knew the secrets of its environment, and has masked them.
        own = {"parameters": reported.parameters} if _MASK in str(reported.parameters) else {}
        return recorded.model_copy(update={**_missing(recorded, reported), **own})
    return reported.model_copy(update={**_missing(reported, recorded), "timestamp": recorded.timestamp})


def _missing(first: BaseModel, second: BaseModel) -> dict[str, Any]:
    """The fields, declared now or later, that only the second model has a value of. None means no value."""
    return {name: getattr(second, name) for name in type(first).model_fields if getattr(first, name) is None}
