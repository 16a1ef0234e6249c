"""The recall route: a prompt becomes suggestions, best first, or nothing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from behavior_plugin.agents.core import core_of
from behavior_plugin.embed import Embedder, embedder_of, models_of
from behavior_plugin.embed.language import MAX_SAMPLE, are_readable
from behavior_plugin.errors import EmbedError, describe_for_log
from behavior_plugin.model import Context, Outcome
from behavior_plugin.store import Store
from behavior_plugin.workflow import StoredPattern, Suggestion

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from behavior_plugin.recall.index import Index, Vector
    from behavior_plugin.recall.rank import Ranked

log = logging.getLogger(__name__)

MAX_PROMPT_CHARS = 2000
# Below it a pattern has been ignored, refused or harmful too often to be suggested.
MIN_CONFIDENCE = 0.2
# As many are read again while a prompt waits, in 0.1 ms each; more in the background.
MAX_AT_ONCE = 2_000
# Triggers that are kept in memory, of all projects, and the newest of one: each takes 6 kB.
MAX_TRIGGERS = 50_000

_Key: TypeAlias = tuple[str, str | None]


@dataclass(frozen=True)
class _Read:
    """An index, the state of the database that it was read in, and which of the models can read its prompts.

    `readable` has the models that made vectors of it; None where there are too few prompts to say so.
    """

    state: tuple[object, ...]
    index: Index
    readable: Mapping[str, bool | None]


class Recaller:
    """Finds past work for prompts, with the triggers of the projects that asked last in memory.

    Safe to use from several threads. Each call compares the state of the database, so work of other machines is found
    too; in a project with thousands of pieces of work, by the next prompt.
    """

    def __init__(self) -> None:
        # By the usual model and the project; the one that was asked last is the last.
        self._indexes: dict[_Key, _Read] = {}
        self._reading: set[_Key] = set()
        self._lock = threading.Lock()

    def recall(
        self,
        text: str,
        context: Context,
        *,
        embedder: Embedder | None,
        store: Store,
        min_odds: float,
        everywhere: bool = False,
        with_failed: bool = False,
        session_id: str = "",
        limit: int = 5,
    ) -> list[Suggestion]:
        """The patterns that past work for a text like this belongs to, best first.

        Work of the session `session_id` is left out. With `with_failed`, work that did not succeed is among them.

        Raises:
            StoreError: the triggers or patterns cannot be read.
        """
        project = None if everywhere else context.project
        ranked = self.rank(
            text, project, embedder=embedder, store=store, with_failed=with_failed, session_id=session_id
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
    ) -> list[Ranked]:
        """Past work of a project, or of all, for a text like this, best first, however unlikely. Raises as `recall`."""
        # Imported here: commands render suggestions without it, and it takes a tenth of a second.
        from behavior_plugin.recall.index import Question
        from behavior_plugin.recall.rank import rank
        from behavior_plugin.redact import redact

        core = core_of(redact(text, MAX_PROMPT_CHARS))
        if not core.strip():
            return []
        read = self._up_to_date(store, embedder, project)
        left_out = read.index.places_to_leave_out(session_id, with_failed=with_failed)
        question = Question(core, _vectors(core, read.readable, embedder) if embedder else ())
        return rank(read.index.candidates(question, leave_out=left_out))

    def _up_to_date(self, store: Store, embedder: Embedder | None, project: str | None) -> _Read:
        """The triggers as the database has them; of a large project as it had them, while they are read again."""
        key = (embedder.model if embedder else "", project)
        state = store.state(models=tuple(models_of(embedder)), project=project)
        with self._lock:
            known = self._indexes.pop(key, None)
            if known is not None:
                self._indexes[key] = known
            is_stale = known is None or known.state != state
            is_large = known is not None and len(known.index.triggers) > MAX_AT_ONCE
            if is_stale and is_large and key not in self._reading:
                self._reading.add(key)
                threading.Thread(target=self._read_later, args=(store, embedder, key, state), daemon=True).start()
        if known is None or (is_stale and not is_large):
            return self._read(store, embedder, key, state)
        return known

    def _read_later(self, store: Store, embedder: Embedder | None, key: _Key, state: tuple[object, ...]) -> None:
        try:
            self._read(store, embedder, key, state)
        except Exception as error:  # the next prompt tries again
            log.warning("the triggers of a project cannot be read: %s", describe_for_log(error))
        finally:
            with self._lock:
                self._reading.discard(key)

    def _read(self, store: Store, embedder: Embedder | None, key: _Key, state: tuple[object, ...]) -> _Read:
        from behavior_plugin.recall.index import Index

        triggers = store.triggers(models=models_of(embedder), project=key[1])
        index = Index(triggers[-MAX_TRIGGERS:])
        index.prepare()
        with self._lock:
            known = self._indexes.get(key)
        read = _Read(state, index, _readable(index, embedder, known.readable if known else {}) if embedder else {})
        with self._lock:
            self._indexes.pop(key, None)
            self._indexes[key] = read
            while len(self._indexes) > 1 and self._size() > MAX_TRIGGERS:
                del self._indexes[next(iter(self._indexes))]
        return read

    def _size(self) -> int:
        return sum(len(read.index.triggers) for read in self._indexes.values())


def embed_core(core: str, embedder: Embedder) -> NDArray[numpy.float32] | None:
    """The vector of a text, without its padding; None if it has nothing to embed, or the embedder failed."""
    import numpy

    try:
        [vector] = embedder.embed([core])
    except EmbedError as error:
        log.warning("a prompt is compared by its letters: %s", error)
        return None
    return numpy.array(vector[: embedder.numbers], dtype=numpy.float32)


def _vectors(core: str, readable: Mapping[str, bool | None], embedder: Embedder) -> list[Vector]:
    """The vectors of a prompt by the models that made vectors of the project, and that can read both."""
    from behavior_plugin.recall.index import Vector

    found = []
    for model, is_project_readable in readable.items():
        each = embedder_of(embedder, model)
        if each is None or is_project_readable is False:
            continue
        # In a new project, and where English would not be written so, the prompt itself says it.
        if (is_project_readable is None or not core.isascii()) and not each.can_read(core):
            continue
        numbers = embed_core(core, each)
        if numbers is not None:
            found.append(Vector(model, numbers, each.unrelated))
    return found


def _readable(index: Index, embedder: Embedder, before: Mapping[str, bool | None]) -> dict[str, bool | None]:
    cores = [core_of(trigger.text) for trigger in index.triggers[-MAX_SAMPLE:]]
    known = {model: each for model in index.models if (each := embedder_of(embedder, model))}
    return {model: are_readable(cores, each.can_read, before=before.get(model)) for model, each in known.items()}


def _suggestions(
    ranked: Sequence[Ranked], store: Store, context: Context, *, with_failed: bool, limit: int
) -> list[Suggestion]:
    """One suggestion for each pattern, by the best of its triggers."""
    best: dict[str, Ranked] = {}
    for each in ranked:
        best.setdefault(each.trigger.pattern_key, each)
    patterns = {pattern.source_key: pattern for pattern in store.patterns_with(best)}
    found = [
        _suggestion(each, pattern, context)
        for key, each in best.items()
        if (pattern := patterns.get(key)) and may_be_offered(pattern, with_failed=with_failed)
    ]
    return found[:limit]


def may_be_offered(pattern: StoredPattern, *, with_failed: bool = False) -> bool:
    """Whether it has a run that may be shown as a way. Hidden patterns are never offered."""
    workflow = pattern.workflow
    if workflow and workflow.is_hidden:
        return False
    if with_failed:
        return True
    if workflow:
        return workflow.worked > 0 and pattern.confidence >= MIN_CONFIDENCE
    return pattern.final_outcome is not Outcome.FAILED


def _suggestion(ranked: Ranked, pattern: StoredPattern, context: Context) -> Suggestion:
    workflow = pattern.workflow
    return Suggestion(
        pattern=pattern,
        similarity=ranked.similarity,
        score=ranked.odds,
        trigger=ranked.trigger.text,
        occurrences=workflow.times if workflow else 1,
        successes=workflow.worked if workflow else int(pattern.final_outcome is Outcome.SUCCESS),
        last_seen_at=workflow.last_at if workflow else pattern.started_at,
        reason=_reason(ranked, pattern.context, context),
    )


def _reason(ranked: Ranked, theirs: Context, context: Context) -> str:
    reasons = [f"the prompts are {ranked.similarity:.0%} alike"]
    if theirs.project and theirs.project == context.project:
        reasons.append("same project")
        if theirs.branch and theirs.branch == context.branch:
            reasons.append(f"same branch {theirs.branch}")
    return ", ".join(reasons)
