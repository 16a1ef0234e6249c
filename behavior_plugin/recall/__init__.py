"""The recall route: a prompt becomes suggestions, best first, or nothing."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from behavior_plugin import memory
from behavior_plugin.agents.core import core_of
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedError, describe_for_log
from behavior_plugin.model import Context, Outcome
from behavior_plugin.store import Store
from behavior_plugin.workflow import StoredPattern, Suggestion, Trigger

if TYPE_CHECKING:
    from behavior_plugin.recall.index import Candidates, Index
    from behavior_plugin.recall.rank import Ranked
    from behavior_plugin.recall.vectors import Vector

log = logging.getLogger(__name__)

MAX_PROMPT_CHARS = 2000
# Below it a pattern has been ignored, refused or harmful too often to be suggested.
MIN_CONFIDENCE = 0.2
# The newest triggers show the language of a project's prompts: with a greater share of unreadable ones, it is another.
# Fewer triggers show nothing.
MAX_SAMPLE, MIN_SAMPLE, MAX_UNREADABLE = 50, 5, 0.3
# As many are read again while a prompt waits, in 0.1 ms each; more in the background.
MAX_AT_ONCE = 2_000
# Triggers that are kept in memory, of all projects, and the newest of one: each takes 1 kB.
MAX_TRIGGERS = 100_000

# Prompts whose state is asked for at the same time.
MAX_ASKING = 4

_Key: TypeAlias = tuple[str, str | None]


@dataclass(frozen=True)
class _Read:
    """An index, the state of the database that it was read in, and whether the embedder can read its prompts.

    `state` is empty if only a part of the triggers is in the index. `is_readable` is None where there are too few
    prompts to say so.
    """

    state: tuple[object, ...]
    index: Index
    is_readable: bool | None


class Recaller:
    """Finds past work for prompts, with the triggers of the projects that asked last in memory.

    Safe to use from several threads. Each call compares the state of the database, so work of other machines is found
    too; in a project with thousands of pieces of work, by the next prompt.
    """

    def __init__(self) -> None:
        # By the model and the project; the one that was asked last is the last.
        self._indexes: dict[_Key, _Read] = {}
        self._reading: set[_Key] = set()
        self._lock = threading.Lock()
        self._asking = ThreadPoolExecutor(MAX_ASKING, thread_name_prefix="state")

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
        """The patterns that past work for a text like this belongs to, best first.

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
        asked = self._asking.submit(store.state, model=key[0], project=project)
        known = self._known(key)
        # Meanwhile: the language of a project hardly ever changes.
        embedding = embed_core(core, embedder) if embedder and _is_readable(core, known, embedder) else None
        read = self._up_to_date(known, store, embedder, key, asked.result(), embedding)
        if embedder and read is not known and _is_readable(core, read, embedder) != (embedding is not None):
            embedding = embed_core(core, embedder) if embedding is None else None
        left_out = read.index.places_to_leave_out(session_id, with_failed=with_failed)
        if accepts:
            left_out += [place for place, each in enumerate(read.index.triggers) if not accepts(each)]
        candidates = read.index.candidates(Question(core, embedding), leave_out=left_out)
        if observe:
            observe(candidates)
        return rank(candidates)

    def _up_to_date(
        self,
        known: _Read | None,
        store: Store,
        embedder: Embedder | None,
        key: _Key,
        state: tuple[object, ...],
        near: Vector | None,
    ) -> _Read:
        """The triggers as the database has them; of a large project as it had them, while they are read again.

        Of a large project that was not asked about before, the newest and the nearest.
        """
        known = known or self._read(store, embedder, key, state, newest=MAX_AT_ONCE, near=near)
        if known.state == state:
            return known
        if len(known.index.triggers) < MAX_AT_ONCE:
            return self._read(store, embedder, key, state)
        with self._lock:
            is_being_read = key in self._reading
            self._reading.add(key)
        if not is_being_read:
            threading.Thread(target=self._read_later, args=(store, embedder, key, state), daemon=True).start()
        return known

    def _known(self, key: _Key) -> _Read | None:
        with self._lock:
            known = self._indexes.pop(key, None)
            if known:
                self._indexes[key] = known
            return known

    def _read_later(self, store: Store, embedder: Embedder | None, key: _Key, state: tuple[object, ...]) -> None:
        try:
            self._read(store, embedder, key, state)
            # A collection would look at each of so many objects, and a prompt would wait for it.
            gc.collect()
            gc.freeze()
            memory.give_back()
        except Exception as error:  # the next prompt tries again
            log.warning("the triggers of a project cannot be read: %s", describe_for_log(error))
        finally:
            with self._lock:
                self._reading.discard(key)

    def _read(
        self,
        store: Store,
        embedder: Embedder | None,
        key: _Key,
        state: tuple[object, ...],
        *,
        newest: int | None = None,
        near: Vector | None = None,
    ) -> _Read:
        from behavior_plugin.recall.index import Index

        numbers = embedder.numbers if embedder else 1
        signs = None if near is None else near.tolist()
        triggers = store.triggers(model=key[0], numbers=numbers, project=key[1], newest=newest, near=signs)
        is_part = newest is not None and len(triggers) >= newest
        index = Index(triggers[-MAX_TRIGGERS:])
        index.prepare()
        is_readable = _is_project_readable(index, embedder) if embedder else False
        read = _Read(() if is_part else state, index, is_readable)
        with self._lock:
            self._indexes.pop(key, None)
            self._indexes[key] = read
            while len(self._indexes) > 1 and self._size() > MAX_TRIGGERS:
                del self._indexes[next(iter(self._indexes))]
        return read

    def _size(self) -> int:
        return sum(len(read.index.triggers) for read in self._indexes.values())


def embed_core(core: str, embedder: Embedder) -> Vector | None:
    """The vector of a text, without its padding; None if it has nothing to embed, or the embedder failed."""
    import numpy

    try:
        [vector] = embedder.embed([core])
    except EmbedError as error:
        log.warning("a prompt is compared by its letters: %s", error)
        return None
    return numpy.array(vector[: embedder.numbers], dtype=numpy.float32)


def _is_readable(core: str, read: _Read | None, embedder: Embedder) -> bool:
    """Whether the embedder can read the project's prompts; in a new project, whether it can read this one."""
    if read is None or read.is_readable is None or not core.isascii():
        return embedder.can_read(core)
    return read.is_readable


def _is_project_readable(index: Index, embedder: Embedder) -> bool | None:
    return is_readable_project([embedder.can_read(core_of(each.text)) for each in index.triggers[-MAX_SAMPLE:]])


def is_readable_project(newest: Sequence[bool]) -> bool | None:
    """Whether enough of a project's newest prompts can be read; None if they are too few to say so."""
    if len(newest) < MIN_SAMPLE:
        return None
    return newest.count(False) < MAX_UNREADABLE * len(newest)


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
        trigger_outcome=ranked.trigger.outcome,
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
