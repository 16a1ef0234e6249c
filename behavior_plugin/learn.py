"""The learning route: the events of one session become patterns in the store."""

from __future__ import annotations

from collections.abc import Sequence

from behavior_plugin.assemble import assemble
from behavior_plugin.confidence import confidence
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedError
from behavior_plugin.model import Event, Pattern
from behavior_plugin.redact import redact_pattern
from behavior_plugin.store import PostgresStore

# Every embedder can embed this.
PLAIN = "work"


def learn(
    events: Sequence[Event], *, embedder: Embedder | None, store: PostgresStore, follows: str | None = None
) -> list[Pattern]:
    """Assemble, redact, embed and store; returns what was stored. Doing it again changes nothing.

    The events are those of one session, as `reconcile` leaves them. Redaction comes first of all that leaves this
    function: what is embedded is the text that is stored. `follows` is the session that this one follows, if any.

    Raises:
        StoreError, EmbedError: nothing, or only a part, is stored; do it again.
    """
    patterns = [redact_pattern(_linked(_with_confidence(pattern), follows)) for pattern in assemble(events)]
    embeddings = _embeddings([pattern.trigger for pattern in patterns], embedder)
    for pattern, embedding in zip(patterns, embeddings, strict=True):
        store.save(pattern, embedding, embedder.model if embedder else None)
    return patterns


def _embeddings(texts: Sequence[str], embedder: Embedder | None) -> list[list[float] | None]:
    """A vector for each text; none for one that no vector can be made of, such as a lone thumb."""
    if embedder is None or not texts:
        return [None for _ in texts]
    try:
        return list(embedder.embed(texts))
    except EmbedError:
        embedder.embed([PLAIN])  # fails too where the fault is not the text's
        return [_embedding_or_none(text, embedder) for text in texts]


def _embedding_or_none(text: str, embedder: Embedder) -> list[float] | None:
    try:
        return embedder.embed([text])[0]
    except EmbedError:
        return None


def _with_confidence(pattern: Pattern) -> Pattern:
    return pattern.model_copy(update={"confidence": confidence([pattern.final_outcome])})


def _linked(pattern: Pattern, follows: str | None) -> Pattern:
    return pattern.model_copy(update={"provenance": pattern.provenance.model_copy(update={"follows": follows})})
