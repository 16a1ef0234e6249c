"""What a log has told so far of a session: its events in order, each completed when what completes it comes.

A log of any length is read in parts: what is finished can be taken out, so that only what is still going on is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from behavior_plugin.agents.fields import LONGEST_NAME
from behavior_plugin.agents.prompts import TASKS, kind_of
from behavior_plugin.model import Context, DurationSource, Event, EventKind, EventSource

# So many events are held before what is finished is taken out: more than almost any session has, and 40 MB.
MOST_EVENTS = 10_000


class Telling:
    """The events of one session, as one log tells them. A place is an event's number in the log, which it keeps.

    `client` is the agent that keeps the log.
    """

    def __init__(self, session_id: str, client: str) -> None:
        self.events: list[Event] = []
        self._session_id = session_id
        self._client = client
        self._taken = 0
        self._enough = MOST_EVENTS
        self._waiting: dict[str, int] = {}

    @property
    def next_place(self) -> int:
        return self._taken + len(self.events)

    def add(
        self,
        kind: EventKind,
        *,
        name: str,
        at: datetime,
        context: Context,
        prompt_id: str | None = None,
        waits_for: str | None = None,
        **more: Any,
    ) -> None:
        """`name` is what the log calls such a record, `waits_for` the name of what will complete the event."""
        if waits_for:
            self._waiting[waits_for] = self.next_place
        self.events.append(
            Event(
                kind=kind,
                name=name[:LONGEST_NAME],
                session_id=self._session_id,
                machine="",
                at=at,
                order=self.next_place,
                source=EventSource.TRANSCRIPT,
                client=self._client,
                context=context,
                prompt_id=prompt_id,
                **more,
            )
        )

    def waiting(self, name: str) -> Event | None:
        """The event that waits for something of this name."""
        place = self._waiting.get(name)
        return None if place is None else self.events[place - self._taken]

    def complete(self, name: str, *, files: tuple[str, ...] = (), **ending: Any) -> None:
        """Say how the call that waits for `name` ended, if one does."""
        place = self._waiting.pop(name, None)
        if place is None:
            return
        event = self.events[place - self._taken]
        ending = {"duration_source": DurationSource.TRANSCRIPT, **ending}
        action = event.action and event.action.model_copy(update=ending)
        self.events[place - self._taken] = event.model_copy(update={"action": action, "files": files})

    def rename_prompt(self, place: int, prompt_id: str) -> None:
        """Give an event another prompt id, if it is still here."""
        if place >= self._taken:
            event = self.events[place - self._taken]
            self.events[place - self._taken] = event.model_copy(update={"prompt_id": prompt_id})

    def take_finished(self) -> list[Event]:
        """Take out what is before the newest task, where many events are held; what is still to come of it is lost."""
        if len(self.events) < self._enough:
            return []
        taken = self._take(self._newest_task())
        # Not at each record again: what is left may be one piece of work that goes on.
        self._enough = len(self.events) + MOST_EVENTS
        return taken

    def take_all(self) -> list[Event]:
        return self._take(len(self.events))

    def _take(self, count: int) -> list[Event]:
        taken, self.events = self.events[:count], self.events[count:]
        self._taken += count
        self._waiting = {name: place for name, place in self._waiting.items() if place >= self._taken}
        return taken

    def _newest_task(self) -> int:
        """Where the last piece of work begins. A prompt of an id that was there before only steers."""
        return max(self._beginnings(), default=0)

    def _beginnings(self) -> Iterator[int]:
        seen: set[str | None] = {None}
        for number, event in enumerate(self.events):
            if event.kind is EventKind.PROMPT and event.prompt and kind_of(event.prompt) in TASKS:
                if event.prompt_id not in seen or event.prompt_id is None:
                    yield number
                seen.add(event.prompt_id)
