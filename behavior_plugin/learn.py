"""The learning route: the events of one session become patterns in the store."""

from __future__ import annotations

from collections.abc import Sequence

from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedError, StoreError, StoreUnavailableError
from behavior_plugin.model import Event, Pattern, Saved
from behavior_plugin.patterns.episodes import assemble
from behavior_plugin.redact import redact_pattern
from behavior_plugin.store import Store

# A text that every embedder can embed.
PROBE_TEXT = "work"


def learn(
    events: Sequence[Event], *, embedder: Embedder | None, store: Store, follows: str | None = None
) -> list[Pattern]:
    """Assemble, redact, embed and store the patterns of a session, and return them. Repeating it changes nothing.

    The events are those of one session, as `reconcile` leaves them. `follows` is the session that this one continues,
    if any.

    Raises:
        StoreError, EmbedError: nothing, or only a part, is stored; do it again.
    """
    patterns = session_patterns(events, follows=follows)
    for result in save(patterns, embedder=embedder, store=store):
        if isinstance(result, StoreError):
            raise result
    return patterns


def session_patterns(events: Sequence[Event], *, follows: str | None = None) -> list[Pattern]:
    """The patterns of one session, redacted, so that they may leave this process."""
    return [redact_pattern(pattern) for pattern in assemble(events, follows=follows)]


def save(patterns: Sequence[Pattern], *, embedder: Embedder | None, store: Store) -> list[Saved | StoreError]:
    """Embed and store redacted patterns. The result for each is the effect of saving it, or the store's refusal.

    Raises:
        StoreUnavailableError, EmbedError: nothing, or only a part, is stored; do it again.
    """
    embeddings = _embeddings([pattern.trigger for pattern in patterns], embedder)
    return [_saved(*each, embedder, store) for each in zip(patterns, embeddings, strict=True)]


def save_new(patterns: Sequence[Pattern], *, embedder: Embedder | None, store: Store) -> list[Saved | StoreError]:
    """The same for patterns of which many may be stored already: those are not embedded again."""
    known = _known(patterns, embedder, store)
    others = [pattern for pattern in patterns if pattern.source_key not in known]
    return [*[Saved.UNCHANGED] * (len(patterns) - len(others)), *save(others, embedder=embedder, store=store)]


def _known(patterns: Sequence[Pattern], embedder: Embedder | None, store: Store) -> set[str]:
    try:
        return store.known(patterns, with_embedding=embedder is not None)
    except StoreUnavailableError:
        raise
    except StoreError:  # one of them cannot even be looked up; saving it will say which one, and why
        return set()


def _saved(
    pattern: Pattern, embedding: list[float] | None, embedder: Embedder | None, store: Store
) -> Saved | StoreError:
    try:
        return store.save(pattern, embedding, embedder.model if embedder else None)
    except StoreUnavailableError:
        raise
    except StoreError as error:
        return error


def _embeddings(texts: Sequence[str], embedder: Embedder | None) -> list[list[float] | None]:
    """A vector for each text; None for a text that cannot be embedded, such as a lone emoji."""
    if embedder is None or not texts:
        return [None for _ in texts]
    try:
        return list(embedder.embed(texts))
    except EmbedError:
        embedder.embed([PROBE_TEXT])  # fails too where the texts are not to blame
        return [_embedding_or_none(text, embedder) for text in texts]


def _embedding_or_none(text: str, embedder: Embedder) -> list[float] | None:
    try:
        return embedder.embed([text])[0]
    except EmbedError:
        return None
