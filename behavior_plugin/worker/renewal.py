"""Make vectors anew while nothing else is to be done, a few at a time.

Machines that share a database may want different models, and must not change each other's vectors back and forth. So a
worker changes only vectors of the model that it used before its settings changed, once each, and those by a model that
cannot read their project. `behavior db embed` changes them all. Nothing that is stored goes to a service by itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from behavior_plugin.backoff import MAX_S
from behavior_plugin.capture import paths
from behavior_plugin.embed import E5, MINILM, Embedder, Embedders
from behavior_plugin.errors import BehaviorError
from behavior_plugin.vectors import Outdated, Survey, embed_anew, survey
from behavior_plugin.worker.resources import Resources

# How long it may take at a time, since the worker does nothing else meanwhile.
SLICE_S = 0.5
# Of the note on the models; it has some 200.
MAX_NOTE_BYTES = 64 * 1024
ON_THIS_MACHINE = (MINILM, E5)

log = logging.getLogger(__name__)


class Renewal:
    """Makes vectors anew by itself. Only for the main thread.

    `left` counts the vectors that it will make anew, `others` those that only a command makes anew, and
    `unreadable_projects` the projects that no installed model can read.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._waiting: list[Outdated] = []
        self._running: Iterator[int] | None = None
        self._is_due, self._not_before = True, 0.0
        self.left = self.others = self.unreadable_projects = 0

    def look_again(self) -> None:
        """Look which vectors are outdated: there is new evidence."""
        self._is_due = True

    def work(self) -> bool:
        """Make some vectors anew; returns whether more are left that can be made now.

        An idle worker asks the database nothing. A failure is repaired by a later call.
        """
        if not (self._is_due or self._waiting or self._running) or time.monotonic() < self._not_before:
            return False
        if not (self._resources.can_store() and self._resources.has_embedder()):
            return False
        embedder = self._resources.embedder(0)
        if embedder is None:
            return False
        try:
            return self._work(embedder)
        except BehaviorError as error:
            log.warning("vectors cannot be made anew: %s", error)
            self._waiting, self._running, self._is_due = [], None, True
            self._not_before = time.monotonic() + MAX_S
            return False

    def _work(self, embedder: Embedder) -> bool:
        store, until = self._resources.store(0), time.monotonic() + SLICE_S
        before = Former(embedder)
        if self._is_due:
            self._is_due, self._running = False, None
            found = survey(embedder, store)
            self._waiting = [each for each in found.outdated if before.may_replace(each)]
            self._count(found)
        while True:
            if self._running is None:
                if not self._waiting:
                    before.forget()
                    return False
                self._running = embed_anew(embedder, store, self._waiting.pop(0))
            made = next(self._running, None)
            if made is None:
                self._running = None
            else:
                self.left = max(0, self.left - made)
            if time.monotonic() >= until:
                return True

    def _count(self, found: Survey) -> None:
        self.left = sum(each.count for each in self._waiting)
        self.others = sum(each.count for each in found.outdated) - self.left
        self.unreadable_projects = len(found.unreadable)


class _Note(BaseModel):
    """The models that this data folder used last, and former ones with vectors that are being replaced."""

    usual: str = ""
    fallback: str = ""
    replaced: frozenset[str] = frozenset()


class Former:
    """The models that this data folder used before its settings changed, in `embedders.json` there."""

    def __init__(self, embedder: Embedder) -> None:
        """Read the note, and note the models of this embedder."""
        usual, fallback = embedder.model, embedder.fallback if isinstance(embedder, Embedders) else ""
        last = _read()
        changed = {last.usual} - {"", usual}
        if fallback:
            changed |= {last.fallback} - {"", fallback}
        self._note = _Note(usual=usual, fallback=fallback or last.fallback, replaced=last.replaced | changed)
        if self._note != last:
            _write(self._note)

    def may_replace(self, rows: Outdated) -> bool:
        """Whether the worker makes these vectors anew by itself."""
        return rows.wanted in ON_THIS_MACHINE and (rows.model in self._note.replaced or rows.is_unreadable)

    def forget(self) -> None:
        """Note that all of them are replaced: vectors that other machines add from now on stay."""
        if self._note.replaced and self._note.usual in ON_THIS_MACHINE:
            self._note = self._note.model_copy(update={"replaced": frozenset()})
            _write(self._note)


def _read() -> _Note:
    """The note; an empty one if the file is missing or damaged."""
    try:
        with open(_file(), "rb", opener=paths.open_carefully) as source:
            return _Note.model_validate_json(source.read(MAX_NOTE_BYTES))
    except (OSError, ValidationError):
        return _Note()


def _write(note: _Note) -> None:
    try:
        paths.replace_file(str(_file()), note.model_dump_json().encode())
    except OSError as error:  # then the next change of the settings is not noticed
        log.warning("%s cannot be written: %s", _file(), error.strerror)


def _file() -> Path:
    return Path(paths.in_data("embedders.json"))
