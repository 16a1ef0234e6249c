"""Put together what a log tells of a session, in the words that every agent has: prompts, calls, results, ends."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from behavior_plugin import calls
from behavior_plugin.calls import LONGEST_ERROR, LONGEST_NAME
from behavior_plugin.model import Action, Context, Event, EventKind, Outcome
from behavior_plugin.prompts import as_typed
from behavior_plugin.telling import Telling


class Session:
    """One session, as the log of the agent `client` tells it.

    `context` is where it is at the moment; set it as the log says. Prompts and calls that are told again are passed
    over, and so are results of calls that nobody told of.
    """

    def __init__(self, client: str, session_id: str) -> None:
        self.context = Context()
        self._telling = Telling(session_id, client)
        self._known: set[str] = set()
        self._prompt_id: str | None = None
        self._is_turn_open = False

    def prompt(self, text: str, at: datetime, *, prompt_id: str | None = None) -> None:
        """What a person said. One without a name of its own is named by its number among the events."""
        name = prompt_id or f"event {self._telling.next_place}"
        if text.strip() and self._is_new(f"prompt {name}"):
            self._prompt_id = name
            self._is_turn_open = True
            self._add(EventKind.PROMPT, "prompt", at, prompt=as_typed(text))

    def steering(self, text: str, at: datetime) -> None:
        """What a person said while the agent was at work: it belongs to the prompt that is being worked on."""
        if text.strip():
            self._add(EventKind.PROMPT, "prompt", at, prompt=as_typed(text))

    def call(self, name: str, tool: str, parameters: dict[str, Any], at: datetime, *, agent: str = "main") -> None:
        """A tool call; `name` is its id. File contents are left out of `parameters`, and what is kept is bounded."""
        if not self._is_new(name):
            return
        action = Action(
            id=name[:LONGEST_NAME],
            tool=tool[:LONGEST_NAME] or "unknown",
            parameters=calls.parameters(parameters),
            outcome=Outcome.PARTIAL,
            timestamp=at,
            agent=agent,
        )
        self._is_turn_open = True
        self._add(EventKind.ACTION, "call", at, action=action, waits_for=name)

    def result(
        self,
        name: str,
        at: datetime,
        outcome: Outcome,
        *,
        duration_ms: int | None = None,
        error: str | None = None,
        files: tuple[str, ...] = (),
        started_agent: str | None = None,
    ) -> None:
        """How the call of that name ended. Without a duration it is the time since it began."""
        if not (call := self._telling.waiting(name)) or not call.action:
            return
        named = calls.files(call.action.parameters, {}, outcome)
        self._telling.complete(
            name,
            outcome=outcome,
            duration_ms=calls.between(call.at, at) if duration_ms is None else duration_ms,
            error=error[:LONGEST_ERROR] if error else None,
            files=tuple(dict.fromkeys([*named, *files])),
            started_agent=started_agent,
        )

    def end_turn(self, at: datetime) -> None:
        """The agent has done what it was asked, or has said so."""
        if self._is_turn_open:
            self._add(EventKind.TURN_END, "end", at)
            self._is_turn_open = False

    def break_off(self) -> None:
        """The person stopped the agent: the turn has no end of its own."""
        self._is_turn_open = False

    def finished(self) -> list[Event]:
        """The events of the pieces of work that are over, where many are held; yield them if there are any."""
        return self._telling.take_finished()

    def rest(self) -> list[Event]:
        """All events that have not been taken out."""
        return self._telling.take_all()

    def _is_new(self, name: str) -> bool:
        is_new = name not in self._known
        self._known.add(name)
        return is_new

    def _add(self, kind: EventKind, name: str, at: datetime, **more: Any) -> None:
        self._telling.add(kind, name=name, at=at, context=self.context, prompt_id=self._prompt_id, **more)
