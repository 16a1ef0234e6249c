"""Put together what a log tells of a session, in the words that every agent has: prompts, calls, results, ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

from behavior_plugin.agents import fields, subagents
from behavior_plugin.agents.fields import LONGEST_ERROR, LONGEST_NAME, is_plain
from behavior_plugin.agents.prompts import as_typed
from behavior_plugin.agents.recorder import Telling
from behavior_plugin.agents.records import Skip
from behavior_plugin.model import MAIN, Action, Context, DurationSource, Event, EventKind, Outcome

# A log's records, with their lines.
Records: TypeAlias = Iterable[tuple[int, dict[str, Any]]]
# Takes one record of a log; says why where nothing could be made of it.
Take: TypeAlias = Callable[[dict[str, Any]], str | None]


def read(
    records: Records,
    session: Session,
    take: Take,
    skip: Skip,
    records_of: Callable[[str], Records] = lambda _: (),
    *,
    settle: Callable[[], object] = lambda: None,
) -> Iterator[list[Event]]:
    """The events of a session, in parts: `take` tells it of each record in turn.

    Where subagents have logs of their own, `records_of` has the records of the one of that name. They are read as soon
    as it was started. `settle` is called when all is told, where the last records leave something open.
    """
    for line, record in _with_subagents(records, session, records_of):
        try:
            reason = take(record)
        except (TypeError, ValueError, RecursionError) as error:
            reason = f"the record cannot be read ({type(error).__name__})"
        if reason:
            skip(line, reason)
        if finished := session.finished():
            yield finished
    settle()
    yield session.rest()


def _with_subagents(
    records: Records, session: Session, records_of: Callable[[str], Records]
) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, record in records:
        yield line, record
        while session.started:
            session.agent = session.started.pop(0)
            yield from ((0, record) for _, record in records_of(session.agent))
        session.agent = MAIN


class Session:
    """One session, as the log of the agent `client` tells it.

    `context` is where it is at the moment; set it as the log says. `agent` is who is told of: of a subagent only the
    calls count. `started` are the subagents that were not told of yet. Prompts and calls that are told again are
    passed over, and so are results of calls that nobody told of.
    """

    def __init__(self, client: str, session_id: str) -> None:
        self.context = Context()
        self.agent = MAIN
        self.started: list[str] = []
        self._telling = Telling(session_id, client)
        self._known: set[str] = set()
        self._prompt_id: str | None = None
        self._is_turn_open = False
        self._has_called = False
        self._followed = 0

    @property
    def is_working(self) -> bool:
        """Whether the agent has begun to call tools, and has not said that it is done."""
        return self._is_turn_open and self._has_called

    def prompt(self, text: str, at: datetime, *, prompt_id: str | None = None) -> None:
        """What a person said. One without a name of its own is named by its number among the events."""
        name = prompt_id or f"event {self._telling.next_place}"
        if self.agent == MAIN and text.strip() and self._is_new(f"prompt {name}"):
            self._prompt_id = name
            self._is_turn_open, self._has_called = True, False
            self._add(EventKind.PROMPT, "prompt", at, prompt=as_typed(text))

    def steering(self, text: str, at: datetime) -> None:
        """What a person said while the agent was at work: it belongs to the prompt that is being worked on."""
        if self.agent == MAIN and text.strip():
            self._add(EventKind.PROMPT, "prompt", at, prompt=as_typed(text))

    def call(
        self,
        name: str,
        tool: str,
        parameters: dict[str, Any],
        at: datetime,
        *,
        agent: str | None = None,
        started_agent: str | None = None,
    ) -> None:
        """A tool call; `name` is its id. File contents are left out of `parameters`, and what is kept is bounded.

        `agent` made it, if not the one who is told of; it is "user" for a line of the user's own shell.
        """
        if not self._is_new(name):
            return
        action = Action(
            id=name[:LONGEST_NAME],
            tool=tool[:LONGEST_NAME] or "unknown",
            parameters=fields.parameters(parameters),
            outcome=Outcome.PARTIAL,
            timestamp=at,
            agent=agent or self.agent,
            started_agent=started_agent,
        )
        self._follow(started_agent)
        if action.agent == MAIN:
            self._is_turn_open = self._has_called = True
        self._add(EventKind.ACTION, "call", at, action=action, waits_for=name)

    def result(
        self,
        name: str,
        at: datetime | None,
        outcome: Outcome,
        *,
        duration_ms: int | None = None,
        error: str | None = None,
        files: tuple[str, ...] = (),
        started_agent: str | None = None,
    ) -> None:
        """How the call of that name ended, and when, if the log says so.

        Without a duration it is the time since it began.
        """
        if not (call := self._telling.waiting(name)) or not call.action:
            return
        self._follow(started_agent)
        took = fields.between(call.at, at) if duration_ms is None and at else duration_ms
        named = fields.files(call.action.parameters, {}, outcome)
        self._telling.complete(
            name,
            outcome=outcome,
            duration_ms=took,
            duration_source=None if took is None else DurationSource.TRANSCRIPT,
            error=error[:LONGEST_ERROR] if error else None,
            files=tuple(dict.fromkeys([*named, *files])),
            started_agent=started_agent or call.action.started_agent,
        )

    def end_turn(self, at: datetime) -> None:
        """The agent has done what it was asked, or has said so."""
        if self._is_turn_open and self.agent == MAIN:
            self._add(EventKind.TURN_END, "end", at)
            self._is_turn_open = False

    def break_off(self) -> None:
        """The person stopped the agent: the turn has no end of its own."""
        if self.agent == MAIN:
            self._is_turn_open = False

    def finished(self) -> list[Event]:
        """The events of the pieces of work that are over, where many are held; yield them if there are any."""
        return self._telling.take_finished()

    def rest(self) -> list[Event]:
        """All events that have not been taken out."""
        return self._telling.take_all()

    def _follow(self, agent: str | None) -> None:
        """Have a subagent's own log read, once, if its name can be a file's."""
        if agent and is_plain(agent) and self._is_new(f"agent {agent}"):
            self._followed += 1
            if self._followed <= subagents.MOST_SUBAGENTS:
                self.started.append(agent)

    def _is_new(self, name: str) -> bool:
        is_new = name not in self._known
        self._known.add(name)
        return is_new

    def _add(self, kind: EventKind, name: str, at: datetime, **more: Any) -> None:
        self._telling.add(kind, name=name, at=at, context=self.context, prompt_id=self._prompt_id, **more)
