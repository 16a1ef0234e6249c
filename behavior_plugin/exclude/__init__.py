"""Leave out the events that the user wants unnoticed: pauses, excluded projects, excluded files.

Hooks apply as much of it as they can at no cost (`capture/skip.py`). Everything is applied here, to the events of hooks
and of logs alike, before anything is learned from them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from behavior_plugin import config
from behavior_plugin.capture import context as places
from behavior_plugin.capture import ignore_file, private, skip
from behavior_plugin.exclude import pauses
from behavior_plugin.exclude.files import Files
from behavior_plugin.exclude.pauses import Pause
from behavior_plugin.model import MAIN, USER, Context, Event, EventKind, PromptKind

# The kinds of text in a prompt's place that begin no work of a person.
_NO_PERSON = (None, PromptKind.MACHINE)
# The events that belong to the work on a prompt.
_WORK = (EventKind.ACTION, EventKind.CALL_END, EventKind.TURN_END)
# The name of an event that stands where something was left out.
LEFT_OUT = "left out"


@dataclass(frozen=True)
class Kept:
    """The events that are kept, in their order.

    `prompts` counts those of pauses and excluded projects, `calls` those left out only for a file that they touch.
    """

    events: list[Event]
    prompts: int = 0
    calls: int = 0


@dataclass(frozen=True)
class Exclusions:
    """The pauses, also those that are over, and the settings."""

    pauses: tuple[Pause, ...] = ()
    exclude_projects: tuple[str, ...] = ()
    exclude_paths: tuple[str, ...] = ()

    def why_silent(self, session_id: str, context: Context) -> str:
        """Why a session gets no answer now: `skip.PAUSED`, `skip.EXCLUDED`, or empty."""
        now, place = datetime.now(UTC), _place(context)
        if any(each.is_running(now) and _is_meant(each, session_id, [place]) for each in self.pauses):
            return skip.PAUSED
        return skip.EXCLUDED if skip.is_excluded(place, self.exclude_projects) else ""

    def keep(self, events: Sequence[Event]) -> Kept:
        """The events of one session that may be learned from, as `reconcile` has ordered them.

        A prompt in a pause or in an excluded project is replaced by a private one, so that the calls up to the next
        prompt are left out with it, wherever they were made. So is what follows a pause up to the next prompt, since
        its own prompt may lie in the pause.
        """
        if not events:
            return Kept([])
        kept = _Keeping(self, events)
        return Kept(list(kept.events()), kept.prompts, kept.calls)


class _Keeping:
    """One walk over the events of a session."""

    def __init__(self, exclusions: Exclusions, events: Sequence[Event]) -> None:
        self.prompts = self.calls = 0
        self._exclusions = exclusions
        self._events = events
        # The project that the session was started in counts for all of it, wherever its shell goes.
        self._start = _place(events[0].context)
        self._rules: dict[Context, _Rules] = {}
        self._files: dict[str, Files] = {}
        # Work that goes on after its turn: the ids of prompts and subagents that were left out.
        self._started = {each.action.started_agent for each in events if each.action}
        self._left_out: set[str | None] = set()
        self._was_paused = False

    def events(self) -> Iterator[Event]:
        before: datetime | None = None
        is_after_pause = False
        prompted: datetime | None = None
        for event in self._events:
            start, end = _times(event)
            # No call begins before its prompt, however long it is said to have taken.
            start = max(start, prompted or start)
            rules = self._rules_of(event)
            is_after_pause |= any(each.overlaps(before or each.since, start) for each in rules.pauses)
            self._was_paused |= is_after_pause
            before = end if before is None else max(before, end)
            is_out = rules.is_excluded or any(each.overlaps(start, end) for each in rules.pauses)
            is_prompt = event.prompt_kind not in _NO_PERSON
            if event.prompt_kind is PromptKind.PRIVATE or (is_prompt and is_out):
                self._left_out |= {event.prompt_id} - {None}
            if is_prompt and is_out:
                self.prompts += event.prompt_kind is not PromptKind.PRIVATE
                yield _boundary(event)
            elif is_after_pause and not is_prompt and event.kind in _WORK:
                yield _boundary(event)
            prompted = event.at if is_prompt else prompted
            if is_prompt or event.kind in _WORK:
                is_after_pause = False
            if is_out or self._goes_on(event):
                self._left_out |= _subagents(event)
            elif self._is_about_excluded_file(event, rules.root):
                self.calls += 1
            else:
                yield event

    def _goes_on(self, event: Event) -> bool:
        """Whether a call belongs to work that was left out, though other prompts came since: a subagent works on."""
        if event.action is None:
            return False
        is_of_unknown = event.action.actor not in (MAIN, USER) and event.action.actor not in self._started
        ids = {event.prompt_id, *_subagents(event)}
        return not ids.isdisjoint(self._left_out) or (is_of_unknown and self._was_paused)

    def _rules_of(self, event: Event) -> _Rules:
        if event.context not in self._rules:
            found = [self._start, _place(event.context)]
            self._rules[event.context] = _Rules(
                root=found[1]["root"],
                pauses=[each for each in self._exclusions.pauses if _is_meant(each, event.session_id, found)],
                is_excluded=any(skip.is_excluded(place, self._exclusions.exclude_projects) for place in found),
            )
        return self._rules[event.context]

    def _is_about_excluded_file(self, event: Event, root: str) -> bool:
        if event.action is None:
            return False
        if root not in self._files:
            self._files[root] = Files(root, self._exclusions.exclude_paths, ignore_file.read(root) if root else ())
        return self._files[root].are_touched_by(event)


@dataclass(frozen=True)
class _Rules:
    """The exclusions that count in one place of a session."""

    root: str
    pauses: list[Pause]
    is_excluded: bool


def current() -> Exclusions:
    """The exclusions as they are now: settings and pauses may change while the worker runs.

    Raises:
        ConfigError: config.toml cannot be read.
        PausesUnreadableError: the record of the pauses cannot be read.
    """
    return _read(_stamp(config.config_file()), _stamp(pauses.file()))


def sync() -> Exclusions:
    """The same, and bring the hooks' file up to date. Raises the same, and OSError."""
    found = current()
    pauses.sync(found.exclude_projects)
    return found


@lru_cache(maxsize=1)
def _read(_settings: object, _pauses: object) -> Exclusions:
    settings = config.load()
    return Exclusions(pauses.read(), settings.exclude_projects, settings.exclude_paths)


def _stamp(file: Path) -> tuple[str, int, int, int]:
    """Differs when a file has changed. Why it cannot be found, its reader will say."""
    try:
        found = file.stat()
    except OSError:
        return (str(file), 0, 0, 0)
    return (str(file), found.st_mtime_ns, found.st_size, found.st_ino)


def _is_meant(pause: Pause, session_id: str, found: Iterable[Mapping[str, str]]) -> bool:
    return bool(skip.is_meant({"scope": pause.scope, "name": pause.name}, session_id, list(found)))


@lru_cache(maxsize=1000)
def _place(context: Context) -> Mapping[str, str]:
    """The place of an event. A log, and the hook of a call, know only its directory; the rest is read there."""
    known = {"directory": context.directory, "root": context.root, "project": context.project}
    if context.project not in ("", context.directory):
        return known
    return {**known, **places.describe(context.directory)}


def _times(event: Event) -> tuple[datetime, datetime]:
    """When an event began and ended. A hook reports a call at its end, and a log has it at its start."""
    if event.action is None:
        return event.at, event.at
    started = event.action.timestamp
    return started, max(event.at, started + timedelta(milliseconds=event.action.duration_ms or 0))


def _subagents(event: Event) -> set[str | None]:
    """The subagent that made a call, and the one that it started."""
    action = event.action
    return {action.actor, action.started_agent} - {None, MAIN, USER} if action else set()


def _boundary(event: Event) -> Event:
    """A private prompt in the place of an event, with nothing of its text."""
    return Event(
        kind=EventKind.PROMPT,
        name=LEFT_OUT,
        session_id=event.session_id,
        machine=event.machine,
        at=event.at,
        order=event.order,
        source=event.source,
        agent=event.agent,
        prompt="",
        prompt_kind=PromptKind.PRIVATE,
        prompt_key=private.MARK,
        prompt_id=event.prompt_id if event.prompt_kind else None,
    )
