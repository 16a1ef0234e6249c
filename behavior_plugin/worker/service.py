"""The operations of `api`, done by the worker."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Protocol, TypeVar
from uuid import UUID

from behavior_plugin import api
from behavior_plugin.capture import context as places
from behavior_plugin.config import Settings
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import NotFoundError, StoreError
from behavior_plugin.learn import save_new
from behavior_plugin.model import Context, StoredPattern, Suggestion
from behavior_plugin.recall import gate, recall
from behavior_plugin.recall.render import render
from behavior_plugin.redact import redact_model
from behavior_plugin.store import Store

# How long a prompt waits for a worker that is just starting: no longer than its hook.
COLD_S = 0.9
# How long a command in a terminal waits for the server's first start, and for work on the spool.
START_S = 60.0
TASK_S = 300.0

T = TypeVar("T")


class Caller(Protocol):
    """The caller that waits for an answer."""

    def is_waiting(self) -> bool: ...
    def afterwards(self, do: Callable[[], None]) -> None: ...


class Patient:
    """A caller that waits for as long as it takes."""

    def is_waiting(self) -> bool:
        return True

    def afterwards(self, do: Callable[[], None]) -> None:
        do()


PATIENT = Patient()


class Resources(Protocol):
    """The store and the embedder; each raises a BehaviorError if it is not there in time."""

    def store(self, within_s: float) -> Store: ...
    def embedder(self, within_s: float) -> Embedder | None: ...


class Learner(Protocol):
    """The work on the spool, for the main thread only."""

    def drain(self, probe: str = "") -> api.Drained: ...
    def reap(self, idle_s: float | None) -> api.Reaped: ...
    def discard(self, session_id: str) -> None: ...


class Loop(Protocol):
    """The worker's main loop."""

    def ping(self) -> api.Pong: ...
    def status(self) -> api.Status: ...
    def stop(self) -> None: ...

    def need_store(self, within_s: float) -> None:
        """Stay for a caller that needs the store, and open it now if the caller can wait for that."""

    def run(self, task: Callable[[], T], within_s: float) -> T:
        """Run a task on the main thread, and wait for its result."""


class Service(api.Api):
    """The operations, in the worker. Safe to use from several threads."""

    def __init__(self, settings: Settings, *, resources: Resources, learner: Learner, loop: Loop) -> None:
        self._policy = gate.Policy(settings.min_similarity, everywhere=settings.recall_scope == "all")
        self._resources = resources
        self._learner = learner
        self._loop = loop
        self._shown = gate.ShownPatterns()

    def ping(self) -> api.Pong:
        return self._loop.ping()

    def status(self) -> api.Status:
        return self._loop.status()

    def stop(self) -> api.Pong:
        """Start to leave; the answer names the process that does."""
        leaving = self._loop.ping()
        self._loop.stop()
        return leaving

    def recall(self, request: api.Recall) -> list[Suggestion]:
        question = gate.manual_question(
            request.text,
            self._policy,
            limit=request.limit,
            min_similarity=request.min_similarity,
            everywhere=request.everywhere,
        )
        return self._find(question, redact_model(context_of(request.directory)), within_s=START_S)

    def suggest(self, request: api.Suggest, caller: Caller = PATIENT) -> api.Note:
        """A suggestion that comes too late was not made: it is neither marked as shown nor counted."""
        question = gate.prompt_question(request.prompt, request.kind, self._policy)
        if question is None:
            return api.Note()
        found = self._find(question, redact_model(request.context), within_s=COLD_S)
        if question.is_manual:
            return api.Note(text=gate.manual_answer(found))
        chosen = self._shown.take_new(request.session_id, found) if caller.is_waiting() else None
        if chosen is None:
            return api.Note()
        caller.afterwards(partial(self._count_use, chosen.pattern.id))
        return api.Note(text=render(chosen))

    def list_patterns(self, request: api.ListPatterns) -> list[StoredPattern]:
        project = redact_model(context_of(request.directory)).project if request.directory else None
        return self._store(START_S).newest(project=project, limit=request.limit)

    def show_pattern(self, request: api.ShowPattern) -> StoredPattern:
        found = self._store(START_S).starting_with(request.id)
        if len(found) != 1:
            problem = "More than one pattern has" if found else "No pattern has"
            hint = "Type more characters of the id." if found else ""
            raise NotFoundError(f"{problem} an id that begins with {request.id}.", hint=hint)
        return found[0]

    def save_patterns(self, request: api.SavePatterns) -> api.SaveReport:
        """A pattern that the store refuses stops no others."""
        results = save_new(request.patterns, embedder=self._resources.embedder(START_S), store=self._store(START_S))
        return api.SaveReport(
            kept=Counter(result.value for result in results if not isinstance(result, StoreError)),
            refused=[str(result) for result in results if isinstance(result, StoreError)],
        )

    def forget_session(self, request: api.ForgetSession) -> api.Deleted:
        """The spool comes first: that is possible also while the store fails."""
        self._loop.run(partial(self._learner.discard, request.session_id), TASK_S)
        return api.Deleted(patterns=self._store(START_S).forget_session(request.session_id))

    def drain(self, request: api.Drain) -> api.Drained:
        return self._loop.run(partial(self._learner.drain, request.probe), TASK_S)

    def reap(self, request: api.Reap) -> api.Reaped:
        return self._loop.run(partial(self._learner.reap, request.idle_s), TASK_S)

    def _find(self, question: gate.Question, context: Context, *, within_s: float) -> list[Suggestion]:
        return recall(
            question.text,
            context,
            embedder=self._resources.embedder(within_s),
            store=self._store(within_s),
            now=datetime.now(UTC),
            min_similarity=question.min_similarity,
            everywhere=question.everywhere,
            limit=question.limit,
        )

    def _store(self, within_s: float) -> Store:
        self._loop.need_store(within_s)
        return self._resources.store(within_s)

    def _count_use(self, pattern_id: UUID) -> None:
        with contextlib.suppress(StoreError):  # a store that is read-only for now is of use all the same
            self._store(COLD_S).count_use(pattern_id)


def context_of(directory: str) -> Context:
    """The context of a directory, as hooks note it. It is redacted before it is looked for, as it is before storing."""
    return Context(**{"directory": directory, **places.describe(directory)})
