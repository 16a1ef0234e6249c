"""Build the events of one session from an agent's log: prompts, calls, results, ends of turns.

Logs can be arbitrarily long, so finished work is drained early and only open work stays in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

from behavior_plugin.agents.calls import bounded_parameters, touched_files
from behavior_plugin.agents.closing import read_closing
from behavior_plugin.agents.fields import MAX_ERROR_CHARS, MAX_NAME_CHARS, Skip, is_plain
from behavior_plugin.agents.prompts import read_prompt
from behavior_plugin.agents.subagents import MAX_SUBAGENTS
from behavior_plugin.agents.verdict import call_verdict
from behavior_plugin.model import (
    MAIN,
    TASKS,
    Action,
    Context,
    DurationSource,
    Event,
    EventKind,
    EventSource,
    Outcome,
    elapsed_ms,
)

# A log's records, with their line numbers.
Records: TypeAlias = Iterable[tuple[int, dict[str, Any]]]
# Reads one record of a log; returns the reason where it cannot.
Take: TypeAlias = Callable[[dict[str, Any]], str | None]

# Events held before finished work is drained: more than almost any session has, and 40 MB.
MAX_EVENTS = 10_000


def read_session(
    records: Records,
    log: SessionLog,
    take: Take,
    skip: Skip,
    records_of: Callable[[str], Records] = lambda _: (),
    *,
    close: Callable[[], object] = lambda: None,
) -> Iterator[list[Event]]:
    """The events of one session, in parts that each hold whole turns: `take` gets each record in turn.

    Where subagents have logs of their own, `records_of` has the records of the one with that name. They are read as
    soon as the subagent was started. `close` is called at the end, where the last records leave something open.
    """
    for line, record in _with_subagents(records, log, records_of):
        try:
            reason = take(record)
        except (TypeError, ValueError, RecursionError) as error:
            reason = f"the record cannot be read ({type(error).__name__})"
        if reason:
            skip(line, reason)
        if completed := log.drain_completed():
            yield completed
    close()
    yield log.drain()


def _with_subagents(records: Records, log: SessionLog, records_of: Callable[[str], Records]) -> Records:
    for line, record in records:
        yield line, record
        while log.started:
            log.actor = log.started.pop(0)
            yield from ((0, record) for _, record in records_of(log.actor))
        log.actor = MAIN


class SessionLog:
    """One session, built from the log of `agent`.

    Set `context` whenever the log names a directory or branch. `actor` is the agent whose records are being read: a
    subagent contributes only calls. `started` has the subagents whose logs have not been read yet. Repeated prompts and
    calls are skipped, and so are results of calls that the log does not have.
    """

    def __init__(self, agent: str, session_id: str) -> None:
        self.context = Context()
        self.actor = MAIN
        self.started: list[str] = []
        self._recorder = SessionRecorder(agent, session_id)
        self._known: set[str] = set()
        self._prompt_id: str | None = None
        self._is_turn_open = False
        self._has_called = False
        self._subagents = 0

    @property
    def is_working(self) -> bool:
        """Whether the agent has begun to call tools and has not ended its turn."""
        return self._is_turn_open and self._has_called

    def prompt(self, text: str, at: datetime, *, prompt_id: str | None = None) -> None:
        """A person's prompt. Without an id of its own it gets one from its position in the log."""
        name = prompt_id or f"event {self._recorder.next_index}"
        if self.actor == MAIN and text.strip() and self._is_new(f"prompt {name}"):
            self._prompt_id = name
            self._is_turn_open, self._has_called = True, False
            self._add(EventKind.PROMPT, "prompt", at, **read_prompt(text))

    def steering(self, text: str, at: datetime) -> None:
        """A prompt that was typed while the agent worked; it belongs to the prompt before."""
        if self.actor == MAIN and text.strip():
            self._add(EventKind.PROMPT, "prompt", at, **read_prompt(text))

    def call(
        self,
        name: str,
        tool: str,
        parameters: dict[str, Any],
        at: datetime,
        *,
        actor: str | None = None,
        started_agent: str | None = None,
    ) -> None:
        """A tool call; `name` is its id. File contents are left out of `parameters`, and the rest is bounded.

        `actor` made the call, where it is another than `self.actor`; it is "user" for a line of the user's own shell.
        """
        if not self._is_new(name):
            return
        action = Action(
            id=name[:MAX_NAME_CHARS],
            tool=tool[:MAX_NAME_CHARS] or "unknown",
            parameters=bounded_parameters(parameters),
            outcome=Outcome.PARTIAL,
            timestamp=at,
            actor=actor or self.actor,
            started_agent=started_agent,
        )
        self._queue_subagent(started_agent)
        if action.actor == MAIN:
            self._is_turn_open = self._has_called = True
        self._add(EventKind.ACTION, "call", at, action=action, pending_id=name)

    def result(
        self,
        name: str,
        at: datetime | None,
        outcome: Outcome,
        *,
        duration_ms: int | None = None,
        error: str | None = None,
        output: str | None = None,
        files: tuple[str, ...] = (),
        started_agent: str | None = None,
    ) -> None:
        """The end of a call; `at` is None if the log has no time for it.

        Without `duration_ms`, the duration is the time since the call began. `output` is all that a command printed.
        """
        if not (call := self._recorder.pending(name)) or not call.action:
            return
        self._queue_subagent(started_agent)
        duration = elapsed_ms(call.at, at) if duration_ms is None and at else duration_ms
        named = touched_files(call.action.parameters, {}, outcome)
        self._recorder.complete(
            name,
            outcome=outcome,
            duration_ms=duration,
            duration_source=None if duration is None else DurationSource.TRANSCRIPT,
            error=error[:MAX_ERROR_CHARS] if error else None,
            verdict=call_verdict(call.action.tool, call.action.parameters, output or error),
            files=tuple(dict.fromkeys([*named, *files])),
            started_agent=started_agent or call.action.started_agent,
        )

    def end_turn(self, at: datetime, message: str = "") -> None:
        """The agent has finished the prompt; `message` is its last."""
        if self._is_turn_open and self.actor == MAIN:
            self._add(EventKind.TURN_END, "end", at, closing=read_closing(message))
            self._is_turn_open = False

    def interrupt(self) -> None:
        """The person stopped the agent: the turn has no end of its own."""
        if self.actor == MAIN:
            self._is_turn_open = False

    def drain_completed(self) -> list[Event]:
        """Take out the events of finished work, once many are held; yield them if there are any."""
        return self._recorder.drain_completed()

    def drain(self) -> list[Event]:
        """Take out all events that are left."""
        return self._recorder.drain()

    def _queue_subagent(self, name: str | None) -> None:
        """Queue a subagent whose own log is to be read, once, if its name is safe as a file name."""
        if name and is_plain(name) and self._is_new(f"agent {name}"):
            self._subagents += 1
            if self._subagents <= MAX_SUBAGENTS:
                self.started.append(name)

    def _is_new(self, name: str) -> bool:
        is_new = name not in self._known
        self._known.add(name)
        return is_new

    def _add(self, kind: EventKind, name: str, at: datetime, **more: Any) -> None:
        self._recorder.add(kind, name=name, at=at, context=self.context, prompt_id=self._prompt_id, **more)


class SessionRecorder:
    """The events of one session in the order of its log, each call completed when its result is read.

    An index is an event's number in the log; it stays the same when earlier events are drained.
    """

    def __init__(self, agent: str, session_id: str) -> None:
        self.events: list[Event] = []
        self._agent = agent
        self._session_id = session_id
        self._drained = 0
        self._limit = MAX_EVENTS
        self._pending: dict[str, int] = {}

    @property
    def next_index(self) -> int:
        return self._drained + len(self.events)

    def add(
        self,
        kind: EventKind,
        *,
        name: str,
        at: datetime,
        context: Context,
        prompt_id: str | None = None,
        pending_id: str | None = None,
        **more: Any,
    ) -> None:
        """`name` is what the log calls such a record; `pending_id` names the result that will complete the event."""
        if pending_id:
            self._pending[pending_id] = self.next_index
        self.events.append(
            Event(
                kind=kind,
                name=name[:MAX_NAME_CHARS],
                session_id=self._session_id,
                machine="",
                at=at,
                order=self.next_index,
                source=EventSource.TRANSCRIPT,
                agent=self._agent,
                context=context,
                prompt_id=prompt_id,
                **more,
            )
        )

    def pending(self, name: str) -> Event | None:
        """The event that waits for the result of this name."""
        index = self._pending.get(name)
        return None if index is None else self.events[index - self._drained]

    def complete(self, name: str, *, files: tuple[str, ...] = (), **result: Any) -> None:
        """Complete the call that waits for the result `name`, if one does."""
        index = self._pending.pop(name, None)
        if index is None:
            return
        event = self.events[index - self._drained]
        result = {"duration_source": DurationSource.TRANSCRIPT, **result}
        action = event.action and event.action.model_copy(update=result)
        self.events[index - self._drained] = event.model_copy(update={"action": action, "files": files})

    def rename_prompt(self, index: int, prompt_id: str) -> None:
        """Give an event another prompt id, unless it has been drained."""
        if index >= self._drained:
            event = self.events[index - self._drained]
            self.events[index - self._drained] = event.model_copy(update={"prompt_id": prompt_id})

    def drain_completed(self) -> list[Event]:
        """Take out everything before the newest task, once many events are held. Later results of it are ignored."""
        if len(self.events) < self._limit:
            return []
        drained = self._drain(self._newest_task_index())
        # The limit grows, or each record from now on would search the one long turn that is left.
        self._limit = len(self.events) + MAX_EVENTS
        return drained

    def drain(self) -> list[Event]:
        return self._drain(len(self.events))

    def _drain(self, count: int) -> list[Event]:
        drained, self.events = self.events[:count], self.events[count:]
        self._drained += count
        self._pending = {name: index for name, index in self._pending.items() if index >= self._drained}
        return drained

    def _newest_task_index(self) -> int:
        """The index at which the last task begins. A prompt with an earlier prompt's id only steers."""
        return max(self._task_starts(), default=0)

    def _task_starts(self) -> Iterator[int]:
        seen: set[str | None] = {None}
        for number, event in enumerate(self.events):
            if event.prompt_kind in TASKS:
                if event.prompt_id not in seen or event.prompt_id is None:
                    yield number
                seen.add(event.prompt_id)
