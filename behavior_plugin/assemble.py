"""Make patterns of a session's events: which actions belong to which prompt, and how the work ended.

A turn is a human prompt and the actions up to the next one; an episode is a turn and the turns that merely follow it
up ("yes", "go on"). An episode with actions is a pattern, one without is none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from behavior_plugin import __version__
from behavior_plugin.model import Action, Context, Event, EventKind, Outcome, Pattern, Provenance
from behavior_plugin.prompts import PromptKind, kind_of

# Files that tools write for themselves.
_DROPPINGS = (
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
    is_ended: bool = False


def assemble(events: Iterable[Event]) -> list[Pattern]:
    """The patterns of one session. The events may come in any order, and more than once."""
    return [_pattern(episode) for episode in _episodes(_in_order(events)) if episode.actions]


def _in_order(events: Iterable[Event]) -> list[Event]:
    """By time, each call once: a hook that is registered twice reports everything twice."""
    once = {
        _identity(event): event for event in sorted(events, key=lambda event: (event.at, event.order), reverse=True)
    }
    return sorted(once.values(), key=lambda event: (event.at, event.order))


def _identity(event: Event) -> tuple[object, ...]:
    if event.action and event.action.id:
        return (event.kind, event.action.id)
    if event.kind is EventKind.PROMPT and event.prompt_id:
        return (event.kind, event.prompt_id, event.prompt)
    return (event.kind, event.at, event.order)


def _episodes(events: Sequence[Event]) -> list[_Episode]:
    episodes: list[_Episode] = []
    for event in events:
        if _opens_episode(event, episodes):
            episodes.append(_Episode(prompt=event))
        elif episodes:
            _join(episodes[-1], event)
    return episodes


def _opens_episode(event: Event, episodes: Sequence[_Episode]) -> bool:
    if event.kind is not EventKind.PROMPT or not event.prompt:
        return False
    kind = kind_of(event.prompt)
    return kind is PromptKind.TASK or (kind is PromptKind.FOLLOW_UP and not episodes)


def _join(episode: _Episode, event: Event) -> None:
    if event.kind is EventKind.ACTION:
        episode.actions.append(event)
        episode.is_ended = False
    elif event.kind is EventKind.TURN_END:
        episode.is_ended = True


def _pattern(episode: _Episode) -> Pattern:
    prompt = episode.prompt
    context = _context(episode)
    return Pattern(
        source_key=_source_key(prompt),
        trigger=prompt.prompt or "",
        context=context,
        actions=tuple(_relative(event.action, context) for event in episode.actions if event.action),
        final_outcome=_final_outcome(episode),
        started_at=prompt.at,
        session_id=prompt.session_id,
        provenance=Provenance(machine=prompt.machine, version=__version__),
    )


def _source_key(prompt: Event) -> str:
    """The same prompt of the same session on the same machine, however often it is delivered."""
    which = prompt.prompt_id or str(prompt.order)
    words = "\x1f".join((prompt.machine, prompt.session_id, which, prompt.prompt or ""))
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:40]


def _final_outcome(episode: _Episode) -> Outcome:
    """How the work ended: as its last call did; partial where the turn was broken off before its end."""
    outcomes = [event.action.outcome for event in episode.actions if event.action]
    if outcomes[-1] is Outcome.FAILED:
        return Outcome.FAILED
    if not episode.is_ended or outcomes[-1] is Outcome.PARTIAL:
        return Outcome.PARTIAL
    return Outcome.SUCCESS


def _context(episode: _Episode) -> Context:
    start = episode.prompt.context
    files = [_inside(file, start) for event in episode.actions for file in event.files]
    touched = dict.fromkeys(file for file in files if not any(part in file for part in _DROPPINGS))
    return start.model_copy(update={"files_touched": tuple(touched)})


def _relative(action: Action, context: Context) -> Action:
    """Paths as they are written inside the project, so that the workflow reads the same in another clone."""
    parameters = {
        key: _inside(value, context) if isinstance(value, str) and value.startswith("/") else value
        for key, value in action.parameters.items()
    }
    return action.model_copy(update={"parameters": parameters})


def _inside(path: str, context: Context) -> str:
    directory = context.directory.rstrip("/") + "/"
    return path[len(directory) :] if len(directory) > 1 and path.startswith(directory) else path
