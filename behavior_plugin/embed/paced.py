"""Leave a service alone for a while after it has failed, whoever asks next: a prompt, a command, an import."""

from __future__ import annotations

from collections.abc import Sequence

from behavior_plugin.backoff import Backoff
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedderUnavailableError


class PacedEmbedder:
    """An embedder that asks its service again only after a pause. Until then it raises what the service last raised."""

    def __init__(self, embedder: Embedder, backoff: Backoff | None = None) -> None:
        self._embedder = embedder
        self._backoff = backoff or Backoff()
        self._message = self._hint = ""
        self.model, self.numbers, self.unrelated = embedder.model, embedder.numbers, embedder.unrelated

    def can_read(self, text: str) -> bool:
        return self._embedder.can_read(text)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if not self._backoff.may_try():
            raise EmbedderUnavailableError(self._message, hint=self._hint)
        try:
            vectors = self._embedder.embed(texts)
        except EmbedderUnavailableError as error:
            self._message, self._hint = str(error), error.hint
            self._backoff.note_failure()
            raise
        self._backoff.note_success()
        return vectors
