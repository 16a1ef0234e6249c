"""Keep the indexes of the projects that asked last in memory, up to date with the database."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from behavior_plugin import memory
from behavior_plugin.agents.core import core_of
from behavior_plugin.embed import Embedder, embedder_of, models_of
from behavior_plugin.embed.language import MAX_SAMPLE, is_project_readable
from behavior_plugin.errors import describe_for_log
from behavior_plugin.store import Store

if TYPE_CHECKING:
    from behavior_plugin.recall.index import Index, Vector

log = logging.getLogger(__name__)

# The number of triggers that are read while a prompt waits, at 0.1 ms each; more are read in the background.
MAX_AT_ONCE = 500
# The number of triggers in memory, over all projects, at 1 kB each. Of a larger project the newest are kept.
MAX_TRIGGERS = 100_000

State: TypeAlias = tuple[object, ...]
# The model of the embedder, empty if there is none; and the project, None for all of them.
Key: TypeAlias = tuple[str, str | None]


@dataclass(frozen=True)
class Known:
    """An index, the state of the database that it was read in, and which of the models can read its prompts.

    `state` is empty if only a part of the triggers is in the index. `readable` has the models that made vectors of it,
    each with None where there are too few prompts to say so.
    """

    state: State
    index: Index
    readable: Mapping[str, bool | None]


class Indexes:
    """The indexes of the projects that asked last. Safe to use from several threads."""

    def __init__(self, before_reading: Callable[[], None] = lambda: None) -> None:
        """`before_reading` is called before triggers are read in the background, and may wait for a good moment."""
        self._before_reading = before_reading
        # The project that asked last is at the end.
        self._known: dict[Key, Known] = {}
        self._reading: set[Key] = set()
        # The number of times that all were dropped.
        self._drops = 0
        self._lock = threading.Lock()

    def find(self, key: Key) -> Known | None:
        """The index of a project, which may not be up to date."""
        with self._lock:
            known = self._known.pop(key, None)
            if known:
                self._known[key] = known
            return known

    def drop(self) -> None:
        """Drop all indexes, also those that are being read: something in them was deleted."""
        with self._lock:
            self._known.clear()
            self._drops += 1

    def up_to_date(
        self,
        key: Key,
        known: Known | None,
        state: State,
        *,
        store: Store,
        embedder: Embedder | None,
        near: Vector | None,
        at_once: bool = False,
    ) -> Known:
        """The triggers of a project, up to date; of a large project the former ones, while they are read again.

        `known` comes from `find`, and `state` from the database. Of a large project that is not in memory, the newest
        triggers are read at once, with those nearest to the vector `near`; the others are read in the background. With
        `at_once` all are read before the answer: a search among the failed work of last month cannot do with some.

        Raises:
            StoreError: the triggers cannot be read.
        """
        if known is None and not at_once:
            known = self._read(key, state, store, embedder, newest=MAX_AT_ONCE, near=near)
        if known and known.state == state:
            return known
        if known is None or at_once or len(known.index.triggers) < MAX_AT_ONCE:
            return self._read(key, state, store, embedder)
        with self._lock:
            is_being_read = key in self._reading
            self._reading.add(key)
        if not is_being_read:
            self._start_reading(key, state, store, embedder)
        return known

    def _start_reading(self, key: Key, state: State, store: Store, embedder: Embedder | None) -> None:
        try:
            threading.Thread(target=self._read_later, args=(key, state, store, embedder), daemon=True).start()
        except RuntimeError:  # too many processes; the next prompt tries again
            log.warning("the triggers of a project cannot be read: no thread can be started")
            with self._lock:
                self._reading.discard(key)

    def _read_later(self, key: Key, state: State, store: Store, embedder: Embedder | None) -> None:
        try:
            self._before_reading()
            self._read(key, state, store, embedder)
            # Otherwise each later collection would visit all of these objects, while a prompt waits.
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
        key: Key,
        state: State,
        store: Store,
        embedder: Embedder | None,
        *,
        newest: int | None = None,
        near: Vector | None = None,
    ) -> Known:
        from behavior_plugin.recall.index import Index

        with self._lock:
            drops = self._drops
        nearest = (near.model, near.numbers.tolist()) if near else None
        # The store leaves the oldest out: the vectors of a huge project alone would not fit into memory.
        most = newest or MAX_TRIGGERS
        triggers = store.triggers(models=models_of(embedder), project=key[1], newest=most, near=nearest)
        is_part = newest is not None and len(triggers) >= newest
        index = Index(triggers[-MAX_TRIGGERS:])
        index.prepare()
        with self._lock:
            before = self._known.get(key)
        readable = _readable(index, embedder, before.readable if before else {}) if embedder else {}
        known = Known(() if is_part else state, index, readable)
        with self._lock:
            if self._drops != drops:
                return known
            self._known.pop(key, None)
            self._known[key] = known
            while len(self._known) > 1 and self._size() > MAX_TRIGGERS:
                del self._known[next(iter(self._known))]
        return known

    def _size(self) -> int:
        return sum(len(known.index.triggers) for known in self._known.values())


def _readable(index: Index, embedder: Embedder, before: Mapping[str, bool | None]) -> dict[str, bool | None]:
    cores = [core_of(trigger.text) for trigger in index.triggers[-MAX_SAMPLE:]]
    known = {model: each for model in index.models if (each := embedder_of(embedder, model))}
    return {
        model: is_project_readable([each.can_read(core) for core in cores], before=before.get(model))
        for model, each in known.items()
    }
