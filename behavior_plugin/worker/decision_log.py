"""Log the decision on each prompt, after its answer was sent: explain the ranking, and save both."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from behavior_plugin.api import Suggest
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import describe_for_log
from behavior_plugin.model import PromptKind
from behavior_plugin.recall import gate
from behavior_plugin.recall.decision import Decision, Verdict, consider, verdict_on
from behavior_plugin.store import Store
from behavior_plugin.worker.decisions import Decisions
from behavior_plugin.workflow import Suggestion

if TYPE_CHECKING:
    from behavior_plugin.recall.index import Candidates

# More than there are candidates for a prompt.
MAX_EXPLAINED = 100

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What was found for a prompt, and done with it.

    `candidates` are those that were ranked, None if the prompt has no words. `text` is the text for the assistant,
    `chosen` are the suggestions in it, and `shown_before` the ids of the patterns that the session had been shown.
    `is_late`: nobody waited for it any more. `is_withheld`: the suggestion was held back by chance, to compare with.
    """

    question: gate.Question
    candidates: Candidates | None
    text: str = ""
    chosen: tuple[Suggestion, ...] = ()
    shown_before: frozenset[str] = frozenset()
    is_late: bool = False
    is_withheld: bool = False


class Resources(Protocol):
    """The store and the embedder; each raises a BehaviorError if it is not there in time."""

    def store(self, within_s: float) -> Store: ...
    def embedder(self, within_s: float) -> Embedder | None: ...


class DecisionLog:
    """Logs the decisions that `behavior why` shows. Safe to use from several threads."""

    def __init__(self, policy: gate.Policy, resources: Resources, decisions: Decisions) -> None:
        self._policy = policy
        self._resources = resources
        self._decisions = decisions

    def add_no_task(self, request: Suggest) -> None:
        """Log that a prompt was left alone. Text that no person wrote is not logged, nor is a private prompt."""
        if request.kind not in (None, PromptKind.MACHINE, PromptKind.PRIVATE):
            self._add(request, verdict=Verdict.NO_TASK)

    def add_failure(self, request: Suggest, error: Exception) -> None:
        """Log that nothing could be looked for."""
        self._add(request, verdict=Verdict.NOT_READY, problem=str(error))

    def add_answer(self, request: Suggest, answer: Answer) -> None:
        """Log what was found for a prompt. Never raises: the prompt was answered."""
        try:
            self._add(request, **self._explained(answer))
        except Exception as error:
            log.warning("a decision cannot be explained: %s", describe_for_log(error))

    def _explained(self, answer: Answer) -> dict[str, Any]:
        from behavior_plugin.recall.rank import explain

        if answer.candidates is None:
            return {"verdict": Verdict.NOTHING_LIKE_IT}
        question, embedder = answer.question, self._resources.embedder(0)
        ranking = explain(answer.candidates, limit=MAX_EXPLAINED)
        keys = {each.pattern_key for each in ranking.candidates}
        considered = consider(
            ranking,
            {each.source_key: each for each in self._resources.store(0).patterns_with(keys)},
            min_odds=question.min_odds,
            shown_before=answer.shown_before,
            chosen={each.pattern.source_key for each in answer.chosen},
            is_late=answer.is_late,
            is_withheld=answer.is_withheld,
            with_failed=question.is_manual,
        )
        return {
            "verdict": Verdict.ASKED if question.is_manual else verdict_on(ranking, considered),
            "min_odds": question.min_odds,
            "embedder": embedder.model if embedder else "",
            "ranking": ranking.model_copy(update={"candidates": ()}),
            "considered": considered,
            "note": answer.text,
            "shown": answer.chosen[0].pattern.id if answer.chosen and not question.is_manual else None,
        }

    def _add(self, request: Suggest, **fields: Any) -> None:
        decision = {
            "at": datetime.now(UTC),
            "session_id": request.session_id,
            "project": request.context.project,
            "prompt": request.prompt,
            "kind": request.kind,
            "setting": self._policy.suggestions,
            "min_odds": gate.MIN_ODDS[self._policy.suggestions],
        }
        self._decisions.add(Decision.model_validate({**decision, **fields}))
