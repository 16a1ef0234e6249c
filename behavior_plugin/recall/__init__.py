"""The recall route: a prompt becomes suggestions, best first, or nothing."""

from __future__ import annotations

from datetime import datetime

from behavior_plugin.embed import Embedder
from behavior_plugin.model import Context
from behavior_plugin.recall.rank import rank
from behavior_plugin.store import Store
from behavior_plugin.workflow import Match, Suggestion

# Without an embedder: the share of the prompt's words that a trigger must have.
MIN_SHARED_WORDS = 0.6
MAX_PROMPT_CHARS = 2000
# A person who asks wants to see what is near, not only what is sure.
MANUAL_MIN_SIMILARITY = 0.35
# How many are looked at for the odds and the order, however few are asked for.
MAX_CANDIDATES = 20


def recall(
    text: str,
    context: Context,
    *,
    embedder: Embedder | None,
    store: Store,
    now: datetime,
    min_similarity: float | None = None,
    everywhere: bool = False,
    with_failed: bool = False,
    limit: int = 5,
) -> list[Suggestion]:
    """The patterns that resemble a text, as suggestions. `min_similarity` overrides the embedder's own.

    With `with_failed`, work that never worked is among them.

    Raises:
        StoreError, EmbedError: see there.
    """
    # Imported here: commands render suggestions without it, and it takes a tenth of a second.
    from behavior_plugin.redact import redact

    text = redact(text, MAX_PROMPT_CHARS)
    project = None if everywhere else context.project
    matches, least = _matches(text, embedder, store, min_similarity, project)
    ranked = rank(matches, context=context, now=now, with_failed=with_failed)
    return [suggestion for suggestion in ranked if suggestion.similarity >= least][:limit]


def _matches(
    text: str, embedder: Embedder | None, store: Store, min_similarity: float | None, project: str | None
) -> tuple[list[Match], float]:
    """The nearest patterns, and the similarity that one must have to be suggested; the others only count in ranking."""
    if not text.strip():
        return [], 0.0
    if embedder is None:
        least = MIN_SHARED_WORDS if min_similarity is None else min_similarity
        return store.sharing_words(text, project=project, limit=MAX_CANDIDATES), least
    [embedding] = embedder.embed([text])
    least = embedder.min_similarity if min_similarity is None else min_similarity
    found = store.nearest(embedding, embedder.model, min_similarity=least, project=project, limit=MAX_CANDIDATES)
    return found, least
