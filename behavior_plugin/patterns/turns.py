"""Turn a session's events into turns: each prompt of a person, with the work up to the next one.

A prompt typed while the work ran is a turn of its own, marked as interjected, and has the calls after it: its words
judge the calls before ("no, not that"), and it may ask for something else. The end of the work ends all of them.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from behavior_plugin import __version__
from behavior_plugin.model import (
    HUMAN,
    MAIN,
    Action,
    Context,
    DurationSource,
    Event,
    EventKind,
    EventSource,
    PromptKind,
    Provenance,
    Turn,
    can_start,
    elapsed_ms,
)

# Files that tools write for themselves.
_GENERATED = (
    "__pycache__/",
    ".git/",
    "node_modules/",
    ".venv/",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
)
# Commands of agents that clear the conversation.
_CLEARING = frozenset({"/clear", "/new", "/reset"})
_OPENING = HUMAN | {PromptKind.OWN_COMMAND, PromptKind.PRIVATE}


@dataclass
class _Turn:
    prompt: Event
    number: int = 0
    is_interjected: bool = False
    follows_clear: bool = False
    is_private: bool = False
    actions: list[Event] = field(default_factory=list)
    # The prompts that are worked on; the end of a turn names the prompt that it ends.
    prompt_ids: set[str | None] = field(default_factory=set)
    is_ended: bool = False
    closing: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether it is about this plugin, so that there is nothing to learn from it."""
        return self.prompt.prompt_kind is PromptKind.OWN_COMMAND


def turns_of(events: Sequence[Event], *, follows: str | None = None) -> list[Turn]:
    """The turns of one session, whose events come in order and without duplicates, as `reconcile` leaves them.

    Turns without calls are among them. Commands of this plugin, private prompts, and the calls after both are not.
    `follows` is the session that this one continues, if any.
    """
    return [
        _turn(each, follows) for each in _collected(_nested(_completed(events))) if not (each.is_own or each.is_private)
    ]


def orphaned_calls(events: Sequence[Event]) -> list[Event]:
    """Reported calls without a prompt: their session was already closed, or began before the plugin was installed."""
    before = takewhile(lambda event: event.prompt_kind not in _OPENING, _nested(events))
    return [event for event in before if event.action and event.source is EventSource.HOOK]


def _completed(events: Sequence[Event]) -> list[Event]:
    """Give calls that went on in the background the end that was reported last."""
    ends = {event.call_end.call_id: event for event in events if event.call_end}
    return [
        event.model_copy(update={"action": _ended(event.action, ends[event.action.id])})
        if event.action and event.action.id in ends
        else event
        for event in events
    ]


def _ended(action: Action, event: Event) -> Action:
    end = event.call_end
    assert end
    is_measured = end.duration_ms is not None
    return action.model_copy(
        update={
            "outcome": end.outcome,
            "duration_ms": end.duration_ms if is_measured else elapsed_ms(action.timestamp, event.at),
            "duration_source": DurationSource.AGENT if is_measured else DurationSource.TRANSCRIPT,
        }
    )


def _nested(events: Sequence[Event]) -> Iterator[Event]:
    """A subagent's calls right behind the call that started it, wherever they stood; the others as they come."""
    started = {_started(event) for event in events}
    inner: dict[str, list[Event]] = {}
    outer: list[Event] = []
    for event in events:
        is_inner = event.action and event.action.actor in started
        (inner.setdefault(event.action.actor, []) if event.action and is_inner else outer).append(event)
    waiting = outer[::-1]
    while waiting or inner:
        if not waiting:  # subagents that are said to have started each other
            waiting = inner.pop(next(iter(inner)))[::-1]
        event = waiting.pop()
        yield event
        waiting += inner.pop(_started(event) or "", [])[::-1]


def _started(event: Event) -> str | None:
    """The subagent that a call started, where it can have done so."""
    action = event.action
    is_possible = action and action.started_agent and can_start(action.actor, action.started_agent)
    return action.started_agent if action and is_possible else None


def _collected(events: Iterable[Event]) -> list[_Turn]:
    turns: list[_Turn] = []
    repeated: Counter[str | None] = Counter()
    seen: set[str | None] = set()
    is_cleared = False
    for event in events:
        if event.prompt_kind in _OPENING:
            # A prompt with the id of an earlier one was typed while that was worked on.
            is_inside = bool(turns) and not turns[-1].is_own and bool(event.prompt_id) and event.prompt_id in seen
            is_private = _is_private(event, turns[-1] if turns else None)
            turns.append(_Turn(event, repeated[event.prompt_id], is_inside, is_cleared, is_private))
            repeated[event.prompt_id] += 1
        is_cleared = event.prompt_kind not in _OPENING and (is_cleared or _clears(event))
        if turns:
            _join(turns, event)
        if event.kind in (EventKind.PROMPT, EventKind.CALL_END):
            seen.add(event.prompt_id)
    return turns


def _is_private(event: Event, before: _Turn | None) -> bool:
    """Whether a prompt is private, or goes on with work that is: a bare reply, or typed while that work ran."""
    if event.prompt_kind is PromptKind.PRIVATE:
        return True
    goes_on = event.prompt_kind is PromptKind.FOLLOW_UP or (before and event.prompt_id in before.prompt_ids - {None})
    return bool(before and before.is_private and goes_on)


def _clears(event: Event) -> bool:
    if event.kind is EventKind.SESSION_START:
        return event.reason == "clear"
    is_built_in = event.prompt_kind is PromptKind.BUILT_IN
    return is_built_in and (event.prompt or "").partition(" ")[0].strip() in _CLEARING


def _join(turns: Sequence[_Turn], event: Event) -> None:
    turn = turns[-1]
    if event.kind is EventKind.ACTION:
        turn.actions.append(event)
    if event.kind is EventKind.TURN_END:
        if event.prompt_id is None or event.prompt_id in turn.prompt_ids:
            _end(turns, event.closing)
    elif _starts_work(event):
        turn.prompt_ids.add(event.prompt_id)
        turn.is_ended = False


def _end(turns: Sequence[_Turn], closing: str | None) -> None:
    """End the last turn, and those that its prompt, and the prompts before, were typed into."""
    turns[-1].closing = closing or turns[-1].closing
    for turn in reversed(turns):
        turn.is_ended = True
        if not turn.is_interjected:
            return


def _starts_work(event: Event) -> bool:
    """Whether the agent has something to do, or does it, so that its turn goes on until an end is reported."""
    if event.prompt_kind:
        return event.prompt_kind not in (PromptKind.BUILT_IN, PromptKind.OWN_COMMAND)
    return event.kind is EventKind.CALL_END or (event.action is not None and event.action.actor == MAIN)


def _turn(turn: _Turn, follows: str | None) -> Turn:
    prompt = turn.prompt
    context = _context(turn)
    return Turn(
        source_key=_source_key(turn),
        session_id=prompt.session_id,
        prompt=prompt.prompt or "",
        prompt_kind=prompt.prompt_kind or PromptKind.TASK,
        started_at=prompt.at,
        context=context,
        actions=tuple(_relative(event.action, context) for event in turn.actions if event.action),
        is_ended=turn.is_ended,
        is_interjected=turn.is_interjected,
        follows_clear=turn.follows_clear,
        closing=turn.closing,
        provenance=Provenance(
            agent=prompt.agent,
            machine=prompt.machine,
            source=_sources(turn),
            version=__version__,
            follows=follows,
        ),
    )


def _source_key(turn: _Turn) -> str:
    """The same for one prompt of one session, however often it is delivered and whichever source has it."""
    prompt = turn.prompt
    if not prompt.prompt_id:
        return _key(prompt.machine, prompt.session_id, str(prompt.order), prompt.prompt or "")
    # Those typed into the work on a prompt share its id.
    return _key(prompt.session_id, prompt.prompt_id, *([str(turn.number)] if turn.is_interjected else []))


def _key(*words: str) -> str:
    return hashlib.sha256("\x1f".join(words).encode("utf-8", "replace")).hexdigest()[:40]


def _sources(turn: _Turn) -> str:
    """Where the prompt and the actions were read."""
    found = {event.source for event in [turn.prompt, *turn.actions]}
    names = {EventSource.HOOK: "hooks", EventSource.TRANSCRIPT: "transcript"}
    return "+".join(name for source, name in names.items() if source in found)


def _context(turn: _Turn) -> Context:
    start = turn.prompt.context
    files = [_inside(file, start) for event in turn.actions for file in event.files]
    touched = dict.fromkeys(file for file in files if not any(part in file for part in _GENERATED))
    return start.model_copy(update={"files_touched": tuple(touched)})


def _relative(action: Action, context: Context) -> Action:
    """Write paths relative to the worktree, so that the workflow reads the same in another clone."""
    parameters = {
        key: _inside(value, context) if isinstance(value, str) and value.startswith("/") else value
        for key, value in action.parameters.items()
    }
    return action.model_copy(update={"parameters": parameters})


def _inside(path: str, context: Context) -> str:
    root = (context.root or context.directory).rstrip("/") + "/"
    return path[len(root) :] if len(root) > 1 and path.startswith(root) else path
