"""Make the vectors of the evidence's triggers, each by the model that can read its project.

A vector is made anew where another model is wanted for its project: after a change of the settings, or where the extra
for other languages came later. Each row is saved by itself, so it can be stopped at any time. Rows that callers wrote
keep the vectors that they came with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from behavior_plugin.agents.core import core_of
from behavior_plugin.embed import E5, MINILM, Embedder, Embedders, embedder_of
from behavior_plugin.embed.language import MAX_SAMPLE, is_project_readable
from behavior_plugin.errors import EmbedderUnavailableError, EmbedError
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


@dataclass(frozen=True)
class Survey:
    """The vectors that another model is wanted for, and the projects that no embedder here can read.

    Projects are unreadable only as long as the embedder that could read them is not installed.
    """

    outdated: tuple[Outdated, ...]
    unreadable: tuple[str, ...]


def embed_triggers(embedder: Embedder, store: Store) -> None:
    """Embed the triggers of the evidence that no model has embedded yet.

    Raises:
        StoreError, EmbedError: a part is left; do it again.
    """
    while triggers := store.unembedded(BATCH):
        projects = {each.project for each in triggers} if _has_fallback(embedder) else ()
        readable = {project: _reads(embedder.model, project, embedder, store) for project in projects}
        models: dict[str, list[StoredTrigger]] = {}
        for trigger in triggers:
            models.setdefault(_model_for(trigger, readable.get(trigger.project, True), embedder), []).append(trigger)
        for model, its_triggers in models.items():
            _embed(its_triggers, model, embedder, store)


def survey(embedder: Embedder, store: Store) -> Survey:
    """Find the stored vectors that another model is wanted for. Raises StoreError.

    In a project with too few prompts to show its language, no model is wanted before the others.
    """
    found, unreadable = [], []
    for project, counts in _counts_of_projects(store).items():
        reads = partial(_reads, project=project, embedder=embedder, store=store, count=sum(counts.values()))
        is_readable = reads(embedder.model)
        if not _has_fallback(embedder):
            unreadable += [project] if is_readable is False else []
            is_readable = True
        if is_readable is None:
            continue
        wanted = embedder.model if is_readable else E5
        embedder_of(embedder, wanted)  # opened now, so that the first prompt need not wait for it
        for model in sorted(counts.keys() - {wanted}):
            is_unreadable = (model, wanted) == (MINILM, E5) and reads(model) is False
            found.append(Outdated(project, model, wanted, counts[model], is_unreadable))
    return Survey(tuple(found), tuple(unreadable))


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


def _counts_of_projects(store: Store) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for project, model, count in store.embedded():
        counts.setdefault(project, {})[model] = count
    return counts


def _has_fallback(embedder: Embedder) -> bool:
    """Whether there is an embedder for texts that the usual one cannot read; also if it reads all."""
    return not isinstance(embedder, Embedders) or not embedder.fallback or embedder.has(embedder.fallback)


def _reads(model: str, project: str, embedder: Embedder, store: Store, *, count: int | None = None) -> bool | None:
    """Whether a model can read a project; None if its prompts are too few to say so, or the model is not there.

    It is not asked again as long as there are as many triggers, if `count` says how many there are.
    """
    if not isinstance(embedder, Embedders) or (model == embedder.model and not embedder.fallback):
        return True
    reader = embedder.of(model)
    if reader is None:
        return None
    known, verdict = embedder.languages.get((project, model), (None, None))
    if count is None or known != count:
        cores = [core_of(text) for text in store.newest_triggers(project, limit=MAX_SAMPLE)]
        verdict = is_project_readable([reader.can_read(core) for core in cores], before=verdict)
        embedder.languages[project, model] = (count, verdict)
    return verdict


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
    except EmbedderUnavailableError:  # asking for each text would ask the same service again
        raise
    except EmbedError:
        return [_embedding_or_none(text, embedder) for text in texts]


def _embedding_or_none(text: str, embedder: Embedder) -> list[float] | None:
    try:
        return embedder.embed([text])[0]
    except EmbedError:
        embedder.embed([PROBE_TEXT])  # fails too if the text is not to blame: it has to be tried again
        return None
