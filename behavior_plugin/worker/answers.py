"""Answer the hooks of a running session: after a prompt, and after a failed call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from behavior_plugin import api, exclude
from behavior_plugin.capture.handlers import COLD_ANSWER_S, FAILURE_S
from behavior_plugin.config import Settings
from behavior_plugin.errors import BehaviorError, StoreError
from behavior_plugin.patterns.alignment import identities
from behavior_plugin.recall import Recaller, gate
from behavior_plugin.recall.decision import Decision
from behavior_plugin.recall.lessons import KnownLessons
from behavior_plugin.recall.render import render, render_lesson, user_line
from behavior_plugin.recall.wording import workflow_of
from behavior_plugin.redact import redact_model
from behavior_plugin.worker.decision_log import Answer, DecisionLog, Resources
from behavior_plugin.worker.decisions import Decisions
from behavior_plugin.workflow import Remark, RemarkKind, StoredPattern, Suggestion

if TYPE_CHECKING:
    from behavior_plugin.recall.index import Candidates


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


class Answers:
    """Answers hooks, and keeps the patterns that each session was shown. Safe to use from several threads.

    It waits for the store and the embedder no longer than the hook waits for the answer.
    """

    def __init__(self, settings: Settings, policy: gate.Policy, recaller: Recaller, resources: Resources) -> None:
        self._policy = policy
        self._shows_notes = settings.show_notes
        self._recaller = recaller
        self._resources = resources
        self._decisions = Decisions()
        self._log = DecisionLog(policy, resources, self._decisions)
        self._lessons = KnownLessons()
        # A session outlives the worker.
        self._shown = gate.ShownPatterns()
        for each in self._decisions.shown():
            self._shown.add(each.session_id, str(each.shown), each.at)

    def suggest(self, request: api.Suggest, caller: Caller = PATIENT) -> api.Note:
        """A suggestion that comes too late was not made: it is neither marked as shown nor counted.

        One that is withheld is noted, and the prompt gets none in its place. In a pause and in an excluded project
        nothing is suggested, and nothing logged.
        """
        if exclude.current().why_silent(request.session_id, request.context):
            return api.Note()
        question = gate.prompt_question(request.prompt, request.kind, self._policy)
        if question is None:
            _after_answer(caller, partial(self._log.add_no_task, request))
            return api.Note()
        seen: list[Candidates] = []
        own = "" if question.is_manual else request.session_id
        context = redact_model(request.context)
        try:
            found = self._recaller.recall(
                question.text,
                context,
                embedder=self._resources.embedder(COLD_ANSWER_S),
                store=self._resources.store(COLD_ANSWER_S),
                min_odds=question.min_odds,
                everywhere=question.everywhere,
                with_failed=question.is_manual,
                session_id=own,
                limit=question.limit,
                observe=seen.append,
            )
        except BehaviorError as error:
            _after_answer(caller, partial(self._log.add_failure, request, error))
            raise
        answer = Answer(question, seen[0] if seen else None)
        if question.is_manual:
            answer = replace(answer, text=gate.manual_answer(found), chosen=tuple(found))
        else:
            answer = self._answer_with_one(request, answer, found, caller)
        _after_answer(caller, partial(self._log.add_answer, request, answer))
        is_shown = answer.text and self._shows_notes and not question.is_manual
        return api.Note(text=answer.text, line=user_line(answer.chosen[0]) if is_shown else "")

    def _answer_with_one(
        self, request: api.Suggest, answer: Answer, found: Sequence[Suggestion], caller: Caller
    ) -> Answer:
        """The answer with the first suggestion that is new to the session, if there is one."""
        shown_before = self._shown.of_session(request.session_id)
        if not caller.is_waiting():
            return replace(answer, shown_before=shown_before, is_late=True)
        now = datetime.now(UTC)
        is_doubled = bool(found) and not self._shown.take(
            request.session_id, f"prompt {hash(request.prompt)}", now=now, again_after=gate.AGAIN_AFTER
        )
        chosen = None if is_doubled else self._shown.take_new(request.session_id, found, now=now)
        if chosen is None:
            return replace(answer, shown_before=shown_before)
        is_withheld = gate.is_withheld(request.session_id, chosen.pattern.source_key, self._policy.holdout)
        kind = RemarkKind.WITHHELD if is_withheld else RemarkKind.SHOWN
        caller.afterwards(partial(self._note_suggested, kind, request.session_id, chosen.pattern))
        text = "" if is_withheld else render(chosen, request.context)
        return replace(answer, shown_before=shown_before, text=text, chosen=(chosen,), is_withheld=is_withheld)

    def rearm(self, session_id: str, compacted_at: datetime) -> None:
        """Let a session be shown its suggestions again: it has been compacted, and has lost them."""
        self._shown.rearm(session_id, compacted_at)
        self._decisions.rearm(session_id, compacted_at)

    def explain_failure(self, request: api.FailedCall, caller: Caller = PATIENT) -> api.Note:
        """The lesson for a failed call, once in a session. A note that comes too late was not made."""
        if exclude.current().why_silent(request.session_id, request.context):
            return api.Note()
        action, context = redact_model(request.action), redact_model(request.context)
        lesson = self._lessons.find(action, context, store=self._resources.store(FAILURE_S))
        if lesson is None or not gate.is_worth_a_line(lesson, self._policy) or not caller.is_waiting():
            return api.Note()
        is_new = self._shown.take(request.session_id, f"{lesson.failed}\n{lesson.worked}", now=datetime.now(UTC))
        return api.Note(text=render_lesson(lesson) if is_new else "")

    def forget(self, session_id: str, projects: Collection[str] = ()) -> None:
        """Delete the decisions of a session, and those that may quote its work in these projects."""
        self._decisions.forget(session_id, projects)

    def forget_all(self, is_gone: Callable[[Decision], bool], sessions: Collection[str], *, is_dry_run: bool) -> int:
        """Delete decisions that are gone, and what memory has of these sessions; returns the number of decisions."""
        if not is_dry_run:
            self._lessons.drop()
            for session_id in sessions:
                self._shown.forget(session_id)
        return self._decisions.forget_all(is_gone, is_dry_run=is_dry_run)

    def redact_again(self, *, is_dry_run: bool) -> int:
        """Apply the present rules for secrets to the logged decisions; returns how many change."""
        return self._decisions.redact_again(is_dry_run=is_dry_run)

    def _note_suggested(self, kind: RemarkKind, session_id: str, pattern: StoredPattern) -> None:
        """The work that comes next will show whether it followed the suggestion."""
        remark = Remark(
            pattern_key=pattern.source_key,
            kind=kind,
            made_at=datetime.now(UTC),
            session_id=session_id,
            steps=identities(workflow_of(pattern).steps),
            holdout=self._policy.holdout,
        )
        with contextlib.suppress(StoreError):  # a store that is read-only for now is of use all the same
            self._resources.store(COLD_ANSWER_S).add_remark(redact_model(remark))


def _after_answer(caller: Caller, do: Callable[[], None]) -> None:
    """Do something that nobody should wait for: at once if nobody does any more."""
    if caller.is_waiting():
        caller.afterwards(do)
    else:
        do()
