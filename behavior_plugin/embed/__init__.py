"""Open the embedder of the settings. Each one is a module of its own, loaded only when it is chosen.

Vectors of different models cannot be compared, so an embedder has the name that its rows are marked with.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, Protocol

from behavior_plugin.errors import EmbedError

# The width of the column. Vectors of a smaller model are padded with zeros, which change no cosine.
DIMENSIONS = 1536
# Since 1.29 onnxruntime reports each process and model to its maker, unless this is set before it is loaded; and this
# module is loaded before any embedder.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

WITHOUT_OFFLINE = 'Run `make setup` again, or set embedder = "none" to search by words only.'


class Embedder(Protocol):
    """Text to vectors, by one model.

    `model` is the name that stored vectors are marked with, and `numbers` how many numbers the model makes; the others
    up to 1536 are zeros.
    """

    model: str
    numbers: int

    def can_read(self, text: str) -> bool:
        """Whether the model knows the language of a text, as far as its words show. Cheap."""
        ...

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of redacted texts, in their order: 1536 numbers each, unit length.

        Raises:
            EmbedError: a text has nothing to embed, or the model or its service failed.
        """
        ...


def open_embedder(kind: Literal["offline", "openai", "none"]) -> Embedder | None:
    """Load the embedder that the setting `embedder` names; None where prompts are compared by their letters.

    Raises:
        EmbedError: it cannot run here; `behavior status` and `behavior doctor` show the message.
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
