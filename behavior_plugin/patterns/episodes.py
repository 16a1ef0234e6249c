"""Turn a session's events into patterns: which actions belong to which prompt, and how the work ended.

A turn is a human prompt and the actions up to the next one; an episode is a turn and the turns that only follow it up
("yes", "go on"). An episode with actions becomes a pattern; one without does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from behavior_plugin import __version__
from behavior_plugin.model import (
    MAIN,
    TASKS,
    USER,
    Action,
    Context,
    DurationSource,
    Event,
    EventKind,
    EventSource,
    Outcome,
    Pattern,
    PromptKind,
    Provenance,
    can_start,
    elapsed_ms,
)
from behavior_plugin.patterns.confidence import confidence

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


@dataclass
class _Episode:
    prompt: Event
    actions: list[Event] = field(default_factory=list)
    # The prompts that it consists of; the end of a turn names the prompt that it ends.
    prompt_ids: set[str | None] = field(default_factory=set)
    is_ended: bool = False

    @property
    def is_own(self) -> bool:
        """Whether it is about this plugin, so that there is nothing to learn from it."""
        return self.prompt.prompt_kind is PromptKind.OWN_COMMAND


def assemble(events: Sequence[Event], *, follows: str | None = None) -> list[Pattern]:
    """The patterns of one session, whose events come in order and without duplicates, as `reconcile` leaves them.

    `follows` is the session that this one continues, if any.
    """
    episodes = _episodes(_nested(_completed(events)))
    return [_pattern(each, follows) for each in episodes if not each.is_own and any(map(_is_work, each.actions))]


def orphaned_calls(events: Sequence[Event]) -> list[Event]:
    """Reported calls without a prompt: their session was already closed, or began before the plugin was installed."""
    before = takewhile(lambda event: not _opens_episode(event, is_first=True, is_steering=False), _nested(events))
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


def _episodes(events: Iterable[Event]) -> list[_Episode]:
    episodes: list[_Episode] = []
    seen: set[str] = set()
    for event in events:
        is_open = bool(episodes) and not episodes[-1].is_own
        if _opens_episode(event, is_first=not is_open, is_steering=is_open and event.prompt_id in seen):
            episodes.append(_Episode(prompt=event))
        if episodes:
            _join(episodes[-1], event)
        if event.kind in (EventKind.PROMPT, EventKind.CALL_END) and event.prompt_id:
            seen.add(event.prompt_id)
    return episodes


def _opens_episode(event: Event, *, is_first: bool, is_steering: bool) -> bool:
    """A prompt with the id of an earlier one was typed while that was worked on: it steers, and begins nothing."""
    if is_steering:
        return False
    kind = event.prompt_kind
    return kind in TASKS or kind is PromptKind.OWN_COMMAND or (kind is PromptKind.FOLLOW_UP and is_first)


def _join(episode: _Episode, event: Event) -> None:
    if event.kind is EventKind.ACTION:
        episode.actions.append(event)
    if event.kind is EventKind.TURN_END:
        episode.is_ended |= event.prompt_id is None or event.prompt_id in episode.prompt_ids
    elif _starts_work(event):
        episode.prompt_ids.add(event.prompt_id)
        episode.is_ended = False


def _starts_work(event: Event) -> bool:
    """Whether the agent has something to do, or does it, so that its turn goes on until an end is reported."""
    if event.prompt_kind:
        return event.prompt_kind not in (PromptKind.BUILT_IN, PromptKind.OWN_COMMAND)
    return event.kind is EventKind.CALL_END or (event.action is not None and event.action.actor == MAIN)


def _is_work(event: Event) -> bool:
    """A line of the user's own shell alone teaches nothing."""
    return event.action is not None and event.action.actor != USER


def _pattern(episode: _Episode, follows: str | None) -> Pattern:
    prompt = episode.prompt
    context = _context(episode)
    outcome = _final_outcome(episode)
    return Pattern(
        source_key=_source_key(prompt),
        trigger=prompt.prompt or "",
        context=context,
        actions=tuple(_relative(event.action, context) for event in episode.actions if event.action),
        final_outcome=outcome,
        confidence=confidence([outcome]),
        started_at=prompt.at,
        session_id=prompt.session_id,
        provenance=Provenance(
            agent=prompt.agent,
            machine=prompt.machine,
            source=_sources(episode),
            version=__version__,
            follows=follows,
        ),
    )


def _source_key(prompt: Event) -> str:
    """The same for one prompt of one session, however often it is delivered and whichever source has it."""
    if prompt.prompt_id:
        return _key(prompt.session_id, prompt.prompt_id)
    return _key(prompt.machine, prompt.session_id, str(prompt.order), prompt.prompt or "")


def _key(*words: str) -> str:
    return hashlib.sha256("\x1f".join(words).encode("utf-8", "replace")).hexdigest()[:40]


def _sources(episode: _Episode) -> str:
    """Where the prompt and the actions were read."""
    found = {event.source for event in [episode.prompt, *episode.actions]}
    names = {EventSource.HOOK: "hooks", EventSource.TRANSCRIPT: "transcript"}
    return "+".join(name for source, name in names.items() if source in found)


def _final_outcome(episode: _Episode) -> Outcome:
    """How the work ended: as its last call did; partial where the turn was broken off before its end.

    A subagent's failure is the main agent's to judge, and commands in the user's own shell are the user's.
    """
    work = [event.action for event in episode.actions if event.action and _is_work(event)]
    outcomes = [action.outcome for action in work if action.actor == MAIN] or [action.outcome for action in work]
    if outcomes[-1] is Outcome.FAILED:
        return Outcome.FAILED
    if not episode.is_ended or outcomes[-1] is Outcome.PARTIAL:
        return Outcome.PARTIAL
    return Outcome.SUCCESS


def _context(episode: _Episode) -> Context:
    start = episode.prompt.context
    files = [_inside(file, start) for event in episode.actions for file in event.files]
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
