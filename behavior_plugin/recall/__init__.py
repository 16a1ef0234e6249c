"""The recall route: a prompt becomes suggestions, best first, or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING

from behavior_plugin.agents.core import core_of
from behavior_plugin.embed import Embedder, embedder_of, models_of
from behavior_plugin.errors import EmbedError
from behavior_plugin.model import Context, Outcome
from behavior_plugin.recall.indexes import Indexes
from behavior_plugin.store import Store
from behavior_plugin.workflow import StoredPattern, Suggestion, Trigger

if TYPE_CHECKING:
    from behavior_plugin.recall.index import Candidates, Vector
    from behavior_plugin.recall.offer import Offer
    from behavior_plugin.recall.rank import Ranked
    from behavior_plugin.recall.vector_index import Numbers

log = logging.getLogger(__name__)

MAX_PROMPT_CHARS = 2000
# A pattern with less has been ignored, refused or harmful too often to be suggested.
MIN_CONFIDENCE = 0.2
# The number of prompts that may ask for the state of the database at the same time.
MAX_ASKING = 4


class Recaller:
    """Finds past work for prompts, with the triggers of the projects that asked last in memory.

    Safe to use from several threads. Each call compares the state of the database, so work of other machines is found
    too; in a project with more than 500 pieces of work, by the next prompt.
    """

    def __init__(self, before_reading: Callable[[], None] = lambda: None) -> None:
        """`before_reading`: see `Indexes`."""
        self._indexes = Indexes(before_reading)
        self._asking = ThreadPoolExecutor(MAX_ASKING, thread_name_prefix="state")

    def drop(self) -> None:
        """Drop the triggers in memory after a deletion; those of a large project would be found once more otherwise."""
        self._indexes.drop()

    def recall(
        self,
        text: str,
        context: Context,
        *,
        embedder: Embedder | None,
        store: Store,
        min_odds: float,
        everywhere: bool = False,
        named_project: str | None = None,
        with_failed: bool = False,
        session_id: str = "",
        limit: int = 5,
        accepts: Callable[[Trigger], bool] | None = None,
        observe: Callable[[Candidates], None] | None = None,
    ) -> list[Suggestion]:
        """The patterns of past work for texts like this one, best first.

        Work of the session `session_id` is left out. With `with_failed`, work that did not succeed is among them.
        Only triggers that `accepts` approves of are compared, and with `named_project` only those of that project.
        `observe` gets the candidates, so that the order can be explained later (`rank.explain`).

        Raises:
            StoreError: the triggers or patterns cannot be read.
        """
        project = named_project or (None if everywhere else context.project)
        ranked = self.rank(
            text,
            project,
            embedder=embedder,
            store=store,
            with_failed=with_failed,
            session_id=session_id,
            accepts=accepts,
            observe=observe,
        )
        likely = [each for each in ranked if each.odds >= min_odds]
        return _suggestions(likely, store, context, with_failed=with_failed, limit=limit)

    def rank(
        self,
        text: str,
        project: str | None,
        *,
        embedder: Embedder | None,
        store: Store,
        with_failed: bool = False,
        session_id: str = "",
        accepts: Callable[[Trigger], bool] | None = None,
        observe: Callable[[Candidates], None] | None = None,
    ) -> list[Ranked]:
        """Past work of a project, or of all, for a text like this, best first, however unlikely. Raises as `recall`."""
        # Imported here: commands render suggestions without it, and it takes a tenth of a second.
        from behavior_plugin.recall.index import Question
        from behavior_plugin.recall.rank import rank
        from behavior_plugin.redact import redact

        core = core_of(redact(text, MAX_PROMPT_CHARS))
        if not core.strip():
            return []
        key = (embedder.model if embedder else "", project)
        asked = self._asking.submit(store.state, models=tuple(models_of(embedder)), project=project)
        # While the database answers, the prompt is embedded by the models that could read the project last time: its
        # language hardly ever changes.
        found = self._indexes.find(key)
        readable = found.readable if found else dict.fromkeys(list(models_of(embedder))[:1])
        vectors = _vectors(core, readable, embedder)
        near = next(iter(vectors), None)
        known = self._indexes.up_to_date(
            key, found, asked.result(), store=store, embedder=embedder, near=near, at_once=accepts is not None
        )
        if known.readable != readable:
            vectors = _vectors(core, known.readable, embedder, made=vectors)
        left_out = known.index.places_to_leave_out(session_id, with_failed=with_failed)
        if accepts:
            left_out += [place for place, each in enumerate(known.index.triggers) if not accepts(each)]
        candidates = known.index.candidates(Question(core, vectors), leave_out=left_out)
        if observe:
            observe(candidates)
        return rank(candidates)


def embed_core(core: str, embedder: Embedder) -> Numbers | None:
    """The vector of a text, without its padding: `embedder.numbers` numbers. None if the text cannot be embedded."""
    import numpy

    try:
        [vector] = embedder.embed([core])
    except EmbedError as error:
        log.warning("a prompt is compared by its letters: %s", error)
        return None
    return numpy.array(vector[: embedder.numbers], dtype=numpy.float32)


def _vectors(
    core: str, readable: Mapping[str, bool | None], embedder: Embedder | None, *, made: Iterable[Vector] = ()
) -> list[Vector]:
    """The vectors of a prompt, by each model of the project that can read both the project and the prompt.

    `readable` says for each model whether it can read the project, None if that is unknown. Vectors in `made` are used
    again.
    """
    from behavior_plugin.recall.index import Vector

    known = {vector.model: vector for vector in made}
    found = []
    for model, is_project_readable in readable.items():
        each = embedder_of(embedder, model) if embedder else None
        if each is None or is_project_readable is False:
            continue
        # In a new project, and with characters that English does not use, the prompt itself decides.
        if (is_project_readable is None or not core.isascii()) and not each.can_read(core):
            continue
        if model in known:
            found.append(known[model])
        elif (numbers := embed_core(core, each)) is not None:
            found.append(Vector(model, numbers, each.unrelated))
    return found


def _suggestions(
    ranked: Sequence[Ranked], store: Store, context: Context, *, with_failed: bool, limit: int
) -> list[Suggestion]:
    """One suggestion for each pattern, by the best of its triggers."""
    best: dict[str, Ranked] = {}
    for each in ranked:
        best.setdefault(each.trigger.pattern_key, each)
    # Imported here: it words patterns, and their words need this module.
    from behavior_plugin.recall.offer import offer_of

    patterns = {pattern.source_key: pattern for pattern in store.patterns_with(best)}
    found = (
        _suggestion(each, offer, context)
        for key, each in best.items()
        if (pattern := patterns.get(key))
        and may_be_offered(pattern, with_failed=with_failed)
        and (offer := offer_of(pattern))
    )
    return [*islice(found, limit)]


def may_be_offered(pattern: StoredPattern, *, with_failed: bool = False) -> bool:
    """Whether it has a run that may be shown as a way. Hidden patterns are never offered.

    Dangerous ones are neither: `recall.offer` has the last word.
    """
    workflow = pattern.workflow
    if workflow and workflow.is_hidden:
        return False
    if with_failed:
        return True
    if workflow:
        return workflow.worked > 0 and pattern.confidence >= MIN_CONFIDENCE
    return pattern.final_outcome is not Outcome.FAILED


def _suggestion(ranked: Ranked, offer: Offer, context: Context) -> Suggestion:
    pattern, workflow = offer.pattern, offer.pattern.workflow
    return Suggestion(
        pattern=pattern,
        similarity=ranked.similarity,
        score=ranked.odds,
        trigger=ranked.trigger.text,
        trigger_outcome=ranked.trigger.outcome,
        occurrences=workflow.times if workflow else 1,
        successes=workflow.worked if workflow else int(pattern.final_outcome is Outcome.SUCCESS),
        last_seen_at=workflow.last_at if workflow else pattern.started_at,
        reason=_reason(ranked, pattern.context, context),
        left_out=offer.left_out,
    )


def _reason(ranked: Ranked, theirs: Context, context: Context) -> str:
    reasons = [f"the prompts are {ranked.similarity:.0%} alike"]
    if theirs.project and theirs.project == context.project:
        reasons.append("same project")
        if theirs.branch and theirs.branch == context.branch:
            reasons.append(f"same branch {theirs.branch}")
    return ", ".join(reasons)
