"""The interface of the pattern store: everything that learning, recall and the worker ask of it.

Importing it is cheap. `postgres` implements it, `opening` opens it; both load a database driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from behavior_plugin.model import Match, Pattern, Saved, StoredPattern


class Store(Protocol):
    """The patterns of one user. Safe to use from several threads.

    Every method raises StoreUnavailableError if the server cannot be reached or is short of resources for now, and
    StoreError if it refuses the request. Neither error ever contains the row: its texts do not belong in logs.
    """

    def save(self, pattern: Pattern, embedding: Sequence[float] | None, model: str | None) -> Saved:
        """Save a pattern; saving it again changes nothing, nor does the same work reported by another session.

        `embedding` is 1536 numbers made by `model`.
        """
        ...

    def known(self, patterns: Sequence[Pattern], *, with_embedding: bool) -> set[str]:
        """The source keys of the patterns that saving would not change; they need no embedding.

        `with_embedding` says whether they would be saved with one: a row that lacks it would then change.
        """
        ...

    def nearest(
        self, embedding: Sequence[float], model: str, *, min_similarity: float, project: str | None, limit: int
    ) -> list[Match]:
        """The patterns of `model` whose trigger has at least the similarity `min_similarity`, nearest first."""
        ...

    def sharing_words(self, text: str, *, project: str | None, limit: int) -> list[Match]:
        """The patterns whose trigger shares most words with the text, for use without an embedder."""
        ...

    def newest(self, *, project: str | None, limit: int) -> list[StoredPattern]:
        """The patterns whose work began last, newest first."""
        ...

    def starting_with(self, id_start: str) -> list[StoredPattern]:
        """At most two patterns whose id begins with `id_start`: one if it is long enough to be unique."""
        ...

    def count_use(self, pattern_id: UUID) -> bool:
        """Count that a pattern was suggested; false if there is no such pattern."""
        ...

    def count(self) -> int:
        """The number of stored patterns."""
        ...

    def forget_session(self, session_id: str) -> int:
        """Delete the patterns learned from one session; returns how many there were."""
        ...
