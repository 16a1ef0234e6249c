"""Which embedder turns text into vectors; each one is a module of its own, loaded only when it is chosen.

Vectors of two models mean nothing to each other, so an embedder carries the name its rows are kept under.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, Protocol

from behavior_plugin.errors import EmbedError

# The width of the column; a model with fewer numbers fills up with zeros, which change no cosine.
DIMENSIONS = 1536
# Since 1.29 onnxruntime tells its maker of each process and model, unless this is set before it is loaded; this module
# is loaded before any embedder.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

WITHOUT_OFFLINE = 'Run `make setup` again, or set embedder = "none" to search by words only.'


class Embedder(Protocol):
    """Text to vectors, by one model.

    `model` is the name a stored vector is marked with. `floor` is the cosine similarity, 0 to 1, from which
    a match of this model may be suggested.
    """

    model: str
    floor: float

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Give each (already redacted) text its vector, in the order given: 1536 numbers, unit length.

        Raises:
            EmbedError: a text has nothing to embed, or the model or its service failed.
        """
        ...


def open_embedder(kind: Literal["offline", "openai", "none"]) -> Embedder | None:
    """Load the embedder of the setting `embedder`; None where only full text search is wanted.

    Raises:
        EmbedError: it cannot run here; the message says why, for `behavior status` and `behavior doctor`.
    """
    if kind == "none":
        return None
    # Loaded on demand: onnxruntime and openai cost 0.2 to 0.4 s each, and a machine may have no onnxruntime.
    if kind == "openai":
        from behavior_plugin.embed.remote import RemoteEmbedder

        return RemoteEmbedder()
    try:
        from behavior_plugin.embed.offline import OfflineEmbedder
    except ImportError as error:
        raise EmbedError(f"The offline model cannot run here: {error}", hint=WITHOUT_OFFLINE) from error
    return OfflineEmbedder()
