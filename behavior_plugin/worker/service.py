"""The operations of `api`, done by the worker."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import NAMESPACE_OID, uuid5

from behavior_plugin import api
from behavior_plugin.capture import context as places
from behavior_plugin.config import Settings
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import BehaviorError, EmbedError, NotFoundError, RequestError, StoreError
from behavior_plugin.learn import compute_all_possible, embed_triggers, save_all_possible
from behavior_plugin.model import Context, Turn
from behavior_plugin.patterns.alignment import identities
from behavior_plugin.patterns.evidence import turn_judgements
from behavior_plugin.recall import Recaller, gate
from behavior_plugin.recall.render import render, user_line
from behavior_plugin.recall.wording import workflow_of
from behavior_plugin.redact import redact, redact_model
from behavior_plugin.store import Store
from behavior_plugin.worker import accounts
from behavior_plugin.worker.decisions import Decisions
from behavior_plugin.workflow import (
    Episode,
    Judgement,
    NextStep,
    Remark,
    RemarkKind,
    StoredPattern,
    Suggestion,
    Trigger,
)

if TYPE_CHECKING:
    from behavior_plugin.recall.index import Candidates
    from behavior_plugin.recall.next_steps import Begun

# How long a prompt waits for a worker that is just starting: no longer than its hook.
COLD_S = 0.9
# How long a command in a terminal waits for the server's first start, and for work on the spool.
START_S = 60.0
TASK_S = 300.0
# The number of projects that an error lists.
MAX_NAMED_PROJECTS = 10

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
    def turns_so_far(self, session_id: str) -> list[Turn]: ...
    def discard(self, session_id: str) -> None: ...


class Loop(Protocol):
    """The worker's main loop."""

    def ping(self) -> api.Pong: ...
    def status(self) -> api.Status: ...
    def stop(self) -> None: ...

    def need_store(self, within_s: float) -> None:
        """Stay for a caller that needs the store, and open it now if the caller can wait for that."""

    def compute_soon(self) -> None:
        """Have the patterns computed in the next round: there is new evidence."""

    def run(self, task: Callable[[], T], within_s: float) -> T:
        """Run a task on the main thread, and wait for its result."""


class Service(api.Api):
    """The operations, in the worker. Safe to use from several threads."""

    def __init__(self, settings: Settings, *, resources: Resources, learner: Learner, loop: Loop) -> None:
        self._policy = gate.Policy(settings.suggestions, everywhere=settings.recall_scope == "all")
        self._resources = resources
        self._learner = learner
        self._loop = loop
        self._shows_notes = settings.show_notes
        self._decisions = Decisions()
        self._accounts = accounts.Accounts(self._policy, resources, self._decisions)
        # A session outlives the worker.
        self._shown = gate.ShownPatterns()
        for each in self._decisions.shown():
            self._shown.add(each.session_id, str(each.shown), each.at)
        self._recaller = Recaller()

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
        from behavior_plugin.recall.on_request import Wanted, with_explanations  # numpy: a worker should answer soon

        wanted = Wanted(request.outcome, request.since)
        question = gate.manual_question(
            request.text,
            self._policy,
            limit=request.limit,
            # Among a few that are wanted, the nearest is worth showing, however unlikely.
            min_odds=0.0 if request.min_odds is None and wanted else request.min_odds,
            everywhere=request.everywhere,
        )
        store = self._computed_store()
        seen: list[Candidates] = []
        found = self._find(
            question,
            redact_model(context_of(request.directory)),
            within_s=START_S,
            named_project=_project_named(request.project, store) if request.project.strip() else None,
            accepts=wanted.includes if wanted else None,
            observe=seen.append,
        )
        return with_explanations(found, seen[0]) if found and request.explain else found

    def suggest(self, request: api.Suggest, caller: Caller = PATIENT) -> api.Note:
        """A suggestion that comes too late was not made: it is neither marked as shown nor counted."""
        question = gate.prompt_question(request.prompt, request.kind, self._policy)
        if question is None:
            _after_answer(caller, partial(self._accounts.of_no_task, request))
            return api.Note()
        seen: list[Candidates] = []
        own = "" if question.is_manual else request.session_id
        context = redact_model(request.context)
        try:
            found = self._find(question, context, within_s=COLD_S, session_id=own, observe=seen.append)
        except BehaviorError as error:
            _after_answer(caller, partial(self._accounts.of_failure, request, error))
            raise
        answer = accounts.Answer(question, seen[0] if seen else None)
        if question.is_manual:
            answer = replace(answer, text=gate.manual_answer(found), said=tuple(found))
        else:
            answer = self._answer_with_one(request, answer, found, caller)
        _after_answer(caller, partial(self._accounts.of_answer, request, answer))
        is_shown = answer.said and self._shows_notes and not question.is_manual
        return api.Note(text=answer.text, line=user_line(answer.said[0]) if is_shown else "")

    def _answer_with_one(
        self, request: api.Suggest, answer: accounts.Answer, found: Sequence[Suggestion], caller: Caller
    ) -> accounts.Answer:
        """The answer with the first suggestion that is new to the session, if there is one."""
        shown_before = self._shown.of_session(request.session_id)
        if not caller.is_waiting():
            return replace(answer, shown_before=shown_before, is_late=True)
        chosen = self._shown.take_new(request.session_id, found, now=datetime.now(UTC))
        if chosen is None:
            return replace(answer, shown_before=shown_before)
        caller.afterwards(partial(self._note_shown, request.session_id, chosen.pattern))
        return replace(answer, shown_before=shown_before, text=render(chosen, request.context), said=(chosen,))

    def rearm(self, session_id: str, compacted_at: datetime) -> None:
        """Let a session be shown its suggestions again: it has been compacted, and has lost them."""
        self._shown.rearm(session_id, compacted_at)
        self._decisions.rearm(session_id, compacted_at)

    def next_steps(self, request: api.NextSteps) -> list[NextStep]:
        from behavior_plugin.recall.next_steps import find_next_steps  # numpy: a worker should answer soon

        everywhere = request.everywhere or self._policy.everywhere
        context = redact_model(context_of(request.directory))
        steps = find_next_steps(
            self._begun(request, context.root),
            None if everywhere else context.project,
            recaller=self._recaller,
            embedder=self._resources.embedder(START_S),
            store=self._computed_store(),
        )
        return steps[: request.limit]

    def list_patterns(self, request: api.ListPatterns) -> list[StoredPattern]:
        return self._computed_store().newest(project=_project_of(request.directory), limit=request.limit)

    def list_turns(self, request: api.ListTurns) -> list[StoredPattern]:
        """Each episode has at least one turn with work, so `limit` episodes are enough."""
        project = _project_of(request.directory)
        episodes = self._store(START_S).newest_episodes(project=project, limit=request.limit)
        return turn_rows(episodes)[: request.limit]

    def show_pattern(self, request: api.ShowPattern) -> api.Shown:
        store = self._computed_store()
        pattern = _only_pattern(store, request.id)
        episodes = store.episodes_of(pattern.source_key, limit=api.MAX_EPISODES)
        return api.Shown(pattern=pattern, episodes=tuple(episodes))

    def add_remark(self, request: api.AddRemark) -> api.Shown:
        store = self._computed_store()
        pattern = _only_pattern(store, request.id)
        into = _only_pattern(store, request.into) if request.into else None
        _check_remark(request.kind, pattern, into)
        remark = Remark(
            pattern_key=pattern.source_key,
            kind=request.kind,
            made_at=datetime.now(UTC),
            note=request.note,
            steps=request.steps,
            into=into.source_key if into else "",
        )
        store.add_remark(redact_model(remark))
        return self.show_pattern(api.ShowPattern(id=str((into or pattern).id)))

    def save_turns(self, request: api.SaveTurns) -> api.SaveReport:
        """A turn that the store refuses stops no others. The patterns are computed once nobody saves any more."""
        store = self._store(START_S)
        results = save_all_possible(request.turns, store)
        self._loop.compute_soon()
        # The evidence is saved: vectors that cannot be made now are made with the patterns.
        with contextlib.suppress(EmbedError):
            if embedder := self._resources.embedder(START_S):
                embed_triggers(embedder, store)
        # A turn without work is not counted: it only judges others.
        worked = [result for turn, result in zip(request.turns, results, strict=True) if turn.actions]
        return api.SaveReport(
            kept=Counter(result.value for result in worked if not isinstance(result, StoreError)),
            refused=[str(result) for result in results if isinstance(result, StoreError)],
        )

    def forget_session(self, request: api.ForgetSession) -> api.Deleted:
        """The spool is cleared first, since that works without the store.

        The patterns are computed at once, since those that have other evidence too still quote the session.
        """
        self._loop.run(partial(self._learner.discard, request.session_id), TASK_S)
        self._decisions.forget(request.session_id)
        store = self._store(START_S)
        with store.evidence() as evidence:
            projects = {each.context.project for each in evidence.episodes([request.session_id])}
        self._decisions.forget(request.session_id, projects)
        deleted = store.forget_session(request.session_id)
        self._compute(store, embedder=lambda: None)
        return api.Deleted(patterns=deleted)

    def drain(self, request: api.Drain) -> api.Drained:
        return self._loop.run(partial(self._learner.drain, request.probe), TASK_S)

    def reap(self, request: api.Reap) -> api.Reaped:
        return self._loop.run(partial(self._learner.reap, request.idle_s), TASK_S)

    def _begun(self, request: api.NextSteps, root: str) -> Begun:
        """The work that a request is about: what its session does for its last prompt, if it names one."""
        from behavior_plugin.recall.next_steps import Begun, begun_in

        begun = Begun(redact(request.prompt), done=request.done, root=root)
        if not request.session_id:
            return begun
        turns = self._loop.run(partial(self._learner.turns_so_far, request.session_id), TASK_S)
        if not turns:
            raise NotFoundError(
                f"No open session with a prompt has the id {request.session_id}.",
                hint="Give the whole id of a session that is not over yet, or name its steps with --done.",
            )
        return begun_in(turns[-1], begun)

    def _find(
        self,
        question: gate.Question,
        context: Context,
        *,
        within_s: float,
        session_id: str = "",
        named_project: str | None = None,
        accepts: Callable[[Trigger], bool] | None = None,
        observe: Callable[[Candidates], None] | None = None,
    ) -> list[Suggestion]:
        return self._recaller.recall(
            question.text,
            context,
            embedder=self._resources.embedder(within_s),
            store=self._store(within_s),
            min_odds=question.min_odds,
            everywhere=question.everywhere,
            with_failed=question.is_manual,
            session_id=session_id,
            named_project=named_project,
            accepts=accepts,
            limit=question.limit,
            observe=observe,
        )

    def _computed_store(self) -> Store:
        """The store, with patterns that are up to date: a person asks."""
        store = self._store(START_S)
        self._compute(store, embedder=lambda: self._resources.embedder(START_S))
        return store

    def _compute(self, store: Store, embedder: Callable[[], Embedder | None]) -> None:
        """Compute the patterns as far as possible: old ones are better than none, and the worker will try again."""
        try:
            compute_all_possible(embedder=embedder(), store=store)
        except (EmbedError, StoreError):
            self._loop.compute_soon()

    def _store(self, within_s: float) -> Store:
        self._loop.need_store(within_s)
        return self._resources.store(within_s)

    def _note_shown(self, session_id: str, pattern: StoredPattern) -> None:
        """The work that comes next will show whether the suggestion was followed."""
        remark = Remark(
            pattern_key=pattern.source_key,
            kind=RemarkKind.SHOWN,
            made_at=datetime.now(UTC),
            session_id=session_id,
            steps=identities(workflow_of(pattern).steps),
        )
        with contextlib.suppress(StoreError):  # a store that is read-only for now is of use all the same
            self._store(COLD_S).add_remark(redact_model(remark))


def _after_answer(caller: Caller, do: Callable[[], None]) -> None:
    """Do something that nobody should wait for: at once if nobody does any more."""
    if caller.is_waiting():
        caller.afterwards(do)
    else:
        do()


def _project_named(name: str, store: Store) -> str:
    """The one project that a person means."""
    from behavior_plugin.recall.on_request import projects_named

    known = store.projects()
    found = projects_named(redact(name), known)
    if len(found) == 1:
        return found[0]
    listed = "\n  ".join((found or known)[:MAX_NAMED_PROJECTS])
    if found:
        raise RequestError(f"{name} may be several projects.", hint=f"Give more of the name:\n  {listed}")
    raise NotFoundError(f"No project with patterns is named {name}.", hint=f"Most work is in:\n  {listed}")


def _only_pattern(store: Store, id_start: str) -> StoredPattern:
    found = store.starting_with(id_start)
    if len(found) != 1:
        problem = "More than one pattern has" if found else "No pattern has"
        hint = "Type more characters of the id." if found else ""
        raise NotFoundError(f"{problem} an id that begins with {id_start}.", hint=hint)
    return found[0]


def _check_remark(kind: RemarkKind, pattern: StoredPattern, into: StoredPattern | None) -> None:
    """Raise RequestError for a remark without effect."""
    if pattern.workflow is None:
        raise RequestError(
            f"Pattern {pattern.id} was written by another program, and is not computed from sessions.",
            hint="Change it where it was written.",
        )
    if kind is RemarkKind.SHOWN or (kind is RemarkKind.MERGE) != (into is not None):
        raise RequestError(
            f"A remark of the kind {kind.value} cannot be added this way.",
            hint="A merge has to name a second pattern, and nothing else may.",
        )
    if into and into.id == pattern.id:
        raise RequestError(
            "A pattern cannot be merged into itself.", hint="Give the id of another one; `behavior list` shows them."
        )
    if into and (into.workflow is None or into.context.project != pattern.context.project):
        raise RequestError(
            "Only two computed patterns of one project can be merged.", hint="`behavior list` names their projects."
        )


def turn_rows(episodes: Iterable[Episode]) -> list[StoredPattern]:
    """The turns with work in them as rows of a list, newest first."""
    rows = [
        _turn_row(turn, judgement)
        for episode in episodes
        for turn, judgement in zip(episode.turns, turn_judgements(episode.turns), strict=True)
        if turn.actions
    ]
    return sorted(rows, key=lambda row: row.started_at, reverse=True)


def _turn_row(turn: Turn, judgement: Judgement) -> StoredPattern:
    return StoredPattern(
        id=uuid5(NAMESPACE_OID, turn.source_key),
        source_key=turn.source_key,
        trigger=turn.prompt,
        context=turn.context,
        actions=turn.actions,
        final_outcome=judgement.outcome,
        started_at=turn.started_at,
        session_id=turn.session_id,
        provenance=turn.provenance,
        use_count=0,
        created_at=turn.started_at,
    )


def _project_of(directory: str | None) -> str | None:
    return redact_model(context_of(directory)).project if directory else None


def context_of(directory: str) -> Context:
    """The context of a directory, as hooks note it. It is redacted before it is looked for, as it is before storing."""
    return Context(**{"directory": directory, **places.describe(directory)})
