"""Open the embedder of the settings. Each one is a module of its own, loaded only when it is needed.

Vectors of different models cannot be compared, so an embedder has the name that its rows are marked with. A project may
have rows of several: it changed its language, or the user the setting.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from behavior_plugin.embed.extra import is_installed
from behavior_plugin.errors import EmbedError, describe_for_log

# The width of the column. Vectors of a smaller model are padded with zeros, which change no cosine.
DIMENSIONS = 1536
# The names of the models on this machine, which have as many numbers.
MINILM, E5 = "all-MiniLM-L6-v2-int8", "multilingual-e5-small-q4"
LOCAL_NUMBERS = 384
# Since 1.29 onnxruntime reports each process and model to its maker, unless this is set before it is loaded; and this
# module is loaded before any embedder.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

BY_LETTERS = "Nothing to do: such a text is compared by its letters."
WITHOUT_OFFLINE = 'Run `make setup` again, or set embedder = "none" to search by words only.'

Kind = Literal["offline", "multilingual", "openai", "none"]

log = logging.getLogger(__name__)


class Embedder(Protocol):
    """Text to vectors, by one model.

    `model` is the name that stored vectors are marked with, and `numbers` how many numbers the model makes; the others
    up to 1536 are zeros. `unrelated` is the cosine that it gives texts that have nothing in common.
    """

    model: str
    numbers: int
    unrelated: float

    def can_read(self, text: str) -> bool:
        """Whether the model knows the language of a text, as far as its words show. Cheap."""
        ...

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """The vectors of redacted texts, in their order: 1536 numbers each, unit length.

        Raises:
            EmbedError: a text has nothing to embed, or the model or its service failed.
        """
        ...


def _always() -> bool:
    return True


@dataclass(frozen=True)
class LazyEmbedder:
    """An embedder that is opened when it is first needed, as soon as it is installed."""

    open: Callable[[], Embedder]
    is_installed: Callable[[], bool] = _always
    numbers: int = LOCAL_NUMBERS


class Embedders:
    """The usual embedder, and others by the names of their models, each opened when it is first needed.

    It is an embedder itself: the usual one. `fallback` names the one for prompts that the usual one cannot read.
    `languages` is for `vectors`: by project and model the number of triggers, and whether the model can read them.
    `problem` says why another one could not be opened. Safe to use from several threads.
    """

    def __init__(
        self, usual: Embedder, others: Mapping[str, LazyEmbedder] | None = None, *, fallback: str = ""
    ) -> None:
        self.usual = usual
        self.model, self.numbers, self.unrelated = usual.model, usual.numbers, usual.unrelated
        self.fallback = fallback
        self.languages: dict[tuple[str, str], tuple[int | None, bool | None]] = {}
        self.problem = ""
        self._others = dict(others or {})
        self._opened: dict[str, Embedder | None] = {}
        self._lock = threading.Lock()

    @property
    def models(self) -> dict[str, int]:
        """The models with vectors that can be compared with a prompt, each with its count of numbers."""
        return {self.model: self.numbers, **{model: each.numbers for model, each in self._others.items()}}

    def can_read(self, text: str) -> bool:
        return self.usual.can_read(text)

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return self.usual.embed(texts)

    def has(self, model: str) -> bool:
        """Whether the embedder of a model is installed, and has not failed."""
        with self._lock:
            if model in self._opened:
                return self._opened[model] is not None
        return model == self.model or (model in self._others and self._others[model].is_installed())

    def of(self, model: str) -> Embedder | None:
        """The embedder of a model; None if it is not installed, or cannot run."""
        if model == self.model:
            return self.usual  # without waiting for another one that is being opened
        with self._lock:
            if model not in self._opened and model in self._others and self._others[model].is_installed():
                self._opened[model] = self._open(self._others[model])
            return self._opened.get(model)

    def close(self) -> None:
        """End the processes that embedders have."""
        with self._lock:
            for embedder in (self.usual, *self._opened.values()):
                if close := getattr(embedder, "close", None):
                    close()

    def _open(self, embedder: LazyEmbedder) -> Embedder | None:
        try:
            return embedder.open()
        except Exception as error:  # whatever it is, the usual one still works
            log.warning("an embedder cannot be opened: %s", describe_for_log(error))
            self.problem = describe_for_log(error)
            return None


def models_of(embedder: Embedder | None) -> dict[str, int]:
    """The models with comparable vectors, each with its count of numbers; the usual one first."""
    if isinstance(embedder, Embedders):
        return embedder.models
    return {embedder.model: embedder.numbers} if embedder else {}


def embedder_of(embedder: Embedder, model: str) -> Embedder | None:
    """The embedder of a model, if it is this one, or among its others."""
    if isinstance(embedder, Embedders):
        return embedder.of(model)
    return embedder if embedder.model == model else None


def open_embedder(kind: Kind) -> Embedders | None:
    """Load the embedder that the setting `embedder` names; None where prompts are compared by their letters.

    Raises:
        EmbedError: it cannot run here; `behavior status` and `behavior doctor` show the message.
    """
    # Loaded on demand: onnxruntime and openai cost 0.2 to 0.4 s each, and a machine may have no onnxruntime. The others
    # compare prompts with the rows that have vectors by them.
    offline, multilingual = LazyEmbedder(_open_offline), LazyEmbedder(_open_multilingual, is_installed)
    if kind == "none":
        return None
    if kind == "openai":
        from behavior_plugin.embed.paced import PacedEmbedder
        from behavior_plugin.embed.remote import RemoteEmbedder

        return Embedders(PacedEmbedder(RemoteEmbedder()), {MINILM: offline, E5: multilingual})
    if kind == "multilingual":
        return Embedders(_open_multilingual(), {MINILM: offline})
    return Embedders(_open_offline(), {E5: multilingual}, fallback=E5)


def _open_offline() -> Embedder:
    try:
        from behavior_plugin.embed.offline import OfflineEmbedder
    except ImportError as error:
        raise EmbedError(f"The offline model cannot run here: {error}", hint=WITHOUT_OFFLINE) from error
    return OfflineEmbedder()


def _open_multilingual() -> Embedder:
    from behavior_plugin.embed.multilingual import MultilingualEmbedder

    return MultilingualEmbedder()
