"""A service that has failed is left alone for a while, and the reason stays known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from behavior_plugin.backoff import Backoff
from behavior_plugin.embed.paced import PacedEmbedder
from behavior_plugin.errors import EmbedderUnavailableError, EmbedError
from tests.fakes import FakeEmbedder


class Service(FakeEmbedder):
    """A service that raises its error, if it has one."""

    error: EmbedError | None = None
    asked = 0

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked += 1
        if self.error:
            raise self.error
        return [[1.0] for _ in texts]


def test_a_failed_service_is_asked_again_after_its_pause_only() -> None:
    service, backoff = Service(), Backoff()
    embedder = PacedEmbedder(service, backoff)
    service.error = EmbedderUnavailableError("the key is wrong", hint="check it")

    for _ in range(3):
        with pytest.raises(EmbedderUnavailableError, match="the key is wrong") as caught:
            embedder.embed(["text"])
        assert caught.value.hint == "check it"
    while_paused = service.asked
    backoff.end_pause()
    service.error = None

    assert embedder.embed(["text"]) == [[1.0]]
    assert (while_paused, service.asked) == (1, 2)


def test_a_text_that_cannot_be_embedded_delays_no_others() -> None:
    service = Service()
    embedder = PacedEmbedder(service)
    service.error = EmbedError("The text is empty.")
    with pytest.raises(EmbedError, match="empty"):
        embedder.embed([""])
    service.error = None

    assert embedder.embed(["text"]) == [[1.0]]
