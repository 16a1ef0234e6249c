"""The vectors of the evidence's triggers: made once, each by the model that can read its project, and made anew.

A vector is made anew where another model is wanted for its project: after a change of the settings, or where the extra
for other languages came later. Each row is saved by itself, so it can be stopped at any time. Rows that callers wrote
keep the vectors that they came with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from behavior_plugin.agents.core import core_of
from behavior_plugin.embed import E5, MINILM, Embedder, Embedders, embedder_of
from behavior_plugin.embed.language import MAX_SAMPLE, are_readable
from behavior_plugin.errors import EmbedError
from behavior_plugin.store import Store, StoredTrigger

# A text that every embedder can embed.
PROBE_TEXT = "work"
# Triggers embedded at a time.
BATCH = 100
# Vectors made anew at a time.
BATCH_ANEW = 16


@dataclass(frozen=True)
class Outdated:
    """Vectors of one project by one model, where another one is wanted.

    `is_unreadable`: the model that made them cannot read the project.
    """

    project: str
    model: str
    wanted: str
    count: int
    is_unreadable: bool


def embed_triggers(embedder: Embedder, store: Store) -> None:
    """Embed the triggers of the evidence that no model has embedded yet.

    Raises:
        StoreError, EmbedError: a part is left; do it again.
    """
    while triggers := store.unembedded(BATCH):
        readable = {project: _is_readable(project, embedder, store) for project in {each.project for each in triggers}}
        models: dict[str, list[StoredTrigger]] = {}
        for trigger in triggers:
            models.setdefault(_model_for(trigger, readable[trigger.project], embedder), []).append(trigger)
        for model, its_triggers in models.items():
            _embed(its_triggers, model, embedder, store)


def outdated(embedder: Embedder, store: Store) -> list[Outdated]:
    """All vectors that are not by the model that is wanted for their project.

    In a project with too few prompts to show its language none is wanted. Raises StoreError.
    """
    found = []
    for project, model, count in store.embedded():
        is_readable = _is_readable(project, embedder, store)
        if is_readable is None:
            continue
        wanted = embedder.model if is_readable else E5
        if model != wanted:
            is_unreadable = _is_readable(project, embedder, store, model=MINILM) is False if model == MINILM else False
            found.append(Outdated(project, model, wanted, count, is_unreadable))
    return found


def unreadable_projects(embedder: Embedder, store: Store) -> list[str]:
    """The projects that no embedder here can read: the one that could is not installed. Raises StoreError."""
    if not isinstance(embedder, Embedders) or not embedder.fallback or embedder.of(embedder.fallback):
        return []
    projects = dict.fromkeys(project for project, _, _ in store.embedded())
    return [each for each in projects if _is_readable(each, embedder, store, model=embedder.model) is False]


def embed_anew(embedder: Embedder, store: Store, rows: Outdated) -> Iterator[int]:
    """Make vectors anew, the newest first, and yield the number of each batch.

    Each is made once, also if another machine changes it back meanwhile.

    Raises:
        StoreError, EmbedError: a part is left; do it again.
    """
    last = None
    while triggers := store.embedded_by(rows.model, project=rows.project, limit=BATCH_ANEW, before=last):
        last = triggers[-1]
        _embed(triggers, rows.wanted, embedder, store)
        yield len(triggers)
    # Patterns have the vectors of their triggers.
    store.refold(rows.project)


def _model_for(trigger: StoredTrigger, is_readable: bool | None, embedder: Embedder) -> str:
    """The model for a new trigger; in a project with few of them the trigger itself shows the language."""
    if is_readable is None:
        is_readable = embedder.can_read(core_of(trigger.text))
    return embedder.model if is_readable else E5


def _is_readable(project: str, embedder: Embedder, store: Store, *, model: str = "") -> bool | None:
    """Whether a model can read a project. The usual one is taken to, where none is installed that could instead."""
    if not isinstance(embedder, Embedders):
        return True
    if not model:
        if not embedder.fallback or not embedder.of(embedder.fallback):
            return True
        model = embedder.model
    reader = embedder.of(model)
    if reader is None:
        return None
    newest = [core_of(text) for text in store.newest_triggers(project, limit=MAX_SAMPLE)]
    key = (project, model)
    embedder.languages[key] = are_readable(newest, reader.can_read, before=embedder.languages.get(key))
    return embedder.languages[key]


def _embed(triggers: Sequence[StoredTrigger], model: str, embedder: Embedder, store: Store) -> None:
    chosen = embedder_of(embedder, model)
    if chosen is None:
        raise EmbedError(f"The model {model} cannot run here.")
    embeddings = _embeddings([core_of(trigger.text) for trigger in triggers], chosen)
    for trigger, embedding in zip(triggers, embeddings, strict=True):
        store.save_embedding(trigger.source_key, trigger.text, embedding, model)


def _embeddings(texts: Sequence[str], embedder: Embedder) -> list[list[float] | None]:
    """A vector for each text; None for a text that cannot be embedded, such as a lone emoji."""
    try:
        return list(embedder.embed(texts))
    except EmbedError:
        return [_embedding_or_none(text, embedder) for text in texts]


def _embedding_or_none(text: str, embedder: Embedder) -> list[float] | None:
    try:
        return embedder.embed([text])[0]
    except EmbedError:
        embedder.embed([PROBE_TEXT])  # fails too if the text is not to blame: it has to be tried again
        return None
