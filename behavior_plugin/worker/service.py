"""The operations of `api`, done by the worker."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Protocol, TypeVar

from behavior_plugin import api
from behavior_plugin.config import Settings
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedError, NotFoundError, StoreError
from behavior_plugin.learn import compute_all_possible, save_all_possible
from behavior_plugin.measure.collect import read_work
from behavior_plugin.measure.past import PastWork
from behavior_plugin.measure.stats import Summary, Totals, summary_of
from behavior_plugin.model import Turn
from behavior_plugin.recall import Recaller, gate
from behavior_plugin.recall.offer import with_offered_calls
from behavior_plugin.redact import redact, redact_model
from behavior_plugin.redact_again import redact_remarks, redact_sessions
from behavior_plugin.store import Selection, Store
from behavior_plugin.vectors import embed_anew, embed_triggers, survey
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.answers import PATIENT, Answers, Caller
from behavior_plugin.worker.decision_log import Resources
from behavior_plugin.worker.forgetting import Forgetter, selection_of
from behavior_plugin.worker.precedence import Precedence
from behavior_plugin.worker.requests import check_remark, context_of, only_pattern, project_named, project_of
from behavior_plugin.worker.turn_rows import turn_rows
from behavior_plugin.worker.waiting import Waiting
from behavior_plugin.workflow import NextStep, Remark, StoredPattern, Suggestion

if TYPE_CHECKING:
    from behavior_plugin.recall.index import Candidates
    from behavior_plugin.recall.next_steps import Begun

# How long a command in a terminal waits for the server's first start, and for work on the spool.
START_S = 60.0
TASK_S = 300.0
# Rewriting the files of a large database takes minutes.
FORGET_S = 3600.0

T = TypeVar("T")


class Learner(Protocol):
    """The work on the spool, for the main thread only."""

    def drain(self, probe: str = "") -> api.Drained: ...
    def reap(self, idle_s: float | None) -> api.Reaped: ...
    def turns_so_far(self, session_id: str) -> list[Turn]: ...
    def discard(self, session_id: str) -> None: ...
    def forget_waiting(self, selection: Selection, *, is_dry_run: bool, only_letters: bool) -> Waiting: ...


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


class Stored(Resources, Protocol):
    """The store with its files, and the embedder."""

    def rewrite_files(self) -> str: ...


class _Needed:
    """The store and the embedder, for which the worker stays."""

    def __init__(self, resources: Resources, loop: Loop) -> None:
        self._resources = resources
        self._loop = loop
        self.embedder = resources.embedder

    def store(self, within_s: float) -> Store:
        self._loop.need_store(within_s)
        return self._resources.store(within_s)


class Service(api.Api):
    """The operations, in the worker. Safe to use from several threads."""

    def __init__(self, settings: Settings, *, resources: Stored, learner: Learner, loop: Loop) -> None:
        self._policy = gate.Policy(
            settings.suggestions, everywhere=settings.recall_scope == "all", holdout=settings.holdout
        )
        self._resources = _Needed(resources, loop)
        self._learner = learner
        self._loop = loop
        self.precedence = Precedence()
        self._recaller = Recaller(self.precedence.wait)
        self._answers = Answers(settings, self._policy, self._recaller, self._resources)
        self.forgetter = Forgetter(learner, resources, self._answers, self._recaller)

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
        found = self._recaller.recall(
            question.text,
            redact_model(context_of(request.directory)),
            embedder=self._resources.embedder(START_S),
            store=store,
            min_odds=question.min_odds,
            everywhere=question.everywhere,
            named_project=project_named(request.project, store) if request.project.strip() else None,
            with_failed=True,
            limit=question.limit,
            accepts=wanted.includes if wanted else None,
            observe=seen.append,
        )
        found = [*map(with_offered_calls, found)]
        return with_explanations(found, seen[0]) if found and request.explain else found

    def suggest(self, request: api.Suggest, caller: Caller = PATIENT) -> api.Note:
        with self.precedence:
            return self._answers.suggest(request, caller)

    def explain_failure(self, request: api.FailedCall, caller: Caller = PATIENT) -> api.Note:
        with self.precedence:
            return self._answers.explain_failure(request, caller)

    def rearm(self, session_id: str, compacted_at: datetime) -> None:
        """Let a session be shown its suggestions again: it has been compacted, and has lost them."""
        self._answers.rearm(session_id, compacted_at)

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
        return self._computed_store().newest(project=project_of(request.directory), limit=request.limit)

    def list_turns(self, request: api.ListTurns) -> list[StoredPattern]:
        """Each episode has at least one turn with work, so `limit` episodes are enough."""
        project = project_of(request.directory)
        episodes = self._resources.store(START_S).newest_episodes(project=project, limit=request.limit)
        return turn_rows(episodes)[: request.limit]

    def show_pattern(self, request: api.ShowPattern) -> api.Shown:
        store = self._computed_store()
        pattern = only_pattern(store, request.id)
        episodes = store.episodes_of(pattern.source_key, limit=api.MAX_EPISODES)
        return api.Shown(pattern=pattern, episodes=tuple(episodes))

    def add_remark(self, request: api.AddRemark) -> api.Shown:
        store = self._computed_store()
        pattern = only_pattern(store, request.id)
        into = only_pattern(store, request.into) if request.into else None
        check_remark(request.kind, pattern, into)
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

    def list_work(self, request: api.ListWork) -> list[PastWork]:
        """The patterns are brought up to date for the first of the work, since it names them."""
        store = self._resources.store(START_S) if request.after else self._computed_store()
        embedder, project = self._resources.embedder(START_S), project_of(request.directory)
        return read_work(store, embedder, after=request.after, project=project, limit=request.limit)

    def summarize(self, request: api.Summarize) -> Summary:
        store = self._computed_store()
        totals = Totals(patterns=store.count(), **vars(store.amounts()))
        return summary_of(store.suggestions(request.since), totals)

    def save_turns(self, request: api.SaveTurns) -> api.SaveReport:
        """A turn that the store refuses stops no others. The patterns are computed once nobody saves any more."""
        store = self._resources.store(START_S)
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
        self._answers.forget(request.session_id)
        store = self._resources.store(START_S)
        with store.evidence() as evidence:
            projects = {each.context.project for each in evidence.episodes([request.session_id])}
        self._answers.forget(request.session_id, projects)
        deleted = store.forget_session(request.session_id)
        self._recaller.drop()
        # Again: a prompt may have found them until now.
        self._answers.forget(request.session_id, projects)
        self._compute(store, embedder=lambda: None)
        return api.Deleted(patterns=deleted)

    def forget(self, request: api.Forget) -> api.ForgetReport:
        """On the main thread, so that nothing is learned meanwhile."""
        store = self._resources.store(START_S)
        selection = selection_of(request, store)
        return self._loop.run(partial(self.forgetter.run, selection, store, is_dry_run=request.is_dry_run), FORGET_S)

    def drain(self, request: api.Drain) -> api.Drained:
        return self._loop.run(partial(self._learner.drain, request.probe), TASK_S)

    def reap(self, request: api.Reap) -> api.Reaped:
        return self._loop.run(partial(self._learner.reap, request.idle_s), TASK_S)

    def embed_anew(self, request: api.EmbedAnew) -> api.EmbeddedAnew:
        store, embedder, done = self._computed_store(), self._resources.embedder(START_S), 0
        if embedder is None:
            return api.EmbeddedAnew(done=0, left=(), unreadable_projects=())
        until = time.monotonic() + request.within_s
        outdated = () if request.is_dry_run else survey(embedder, store).outdated
        for made in chain.from_iterable(embed_anew(embedder, store, rows) for rows in outdated):
            done += made
            if time.monotonic() > until:
                break
        found = survey(embedder, store)
        left = [
            api.OutdatedVectors(project=each.project, model=each.model, wanted=each.wanted, count=each.count)
            for each in found.outdated
        ]
        return api.EmbeddedAnew(done=done, left=tuple(left), unreadable_projects=found.unreadable)

    def redact_again(self, request: api.RedactAgain) -> api.RedactedAgain:
        """The patterns are computed at once at the end, since they quote what was redacted again."""
        is_dry_run = request.is_dry_run
        store = self._resources.store(START_S)
        found = redact_sessions(store, after=request.after, is_dry_run=is_dry_run)
        counts = {"sessions": found.sessions, "turns": found.turns, "refused": found.refused}
        if found.last:
            return api.RedactedAgain(**counts, after=found.last, left=store.to_redact().sessions)
        remarks = redact_remarks(store, is_dry_run=is_dry_run)
        if not is_dry_run:
            self._compute(store, embedder=lambda: self._resources.embedder(START_S))
            self._recaller.drop()
        return api.RedactedAgain(
            **counts,
            remarks=remarks,
            decisions=self._answers.redact_again(is_dry_run=is_dry_run),
            dead_letters=self._loop.run(partial(dead_letters.redact_again, is_dry_run=is_dry_run), TASK_S),
            left=store.to_redact().sessions,
        )

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

    def _computed_store(self) -> Store:
        """The store, with patterns that are up to date: a person asks."""
        store = self._resources.store(START_S)
        self._compute(store, embedder=lambda: self._resources.embedder(START_S))
        return store

    def _compute(self, store: Store, embedder: Callable[[], Embedder | None]) -> None:
        """Compute the patterns as far as possible: old ones are better than none, and the worker will try again."""
        try:
            compute_all_possible(embedder=embedder(), store=store)
        except (EmbedError, StoreError):
            self._loop.compute_soon()
