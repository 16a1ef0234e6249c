"""Embedders other than the usual one."""

from __future__ import annotations

import pytest

from behavior_plugin.embed import E5, MINILM, Embedder, Embedders, LazyEmbedder, embedder_of, models_of, open_embedder
from behavior_plugin.errors import EmbedError
from tests.fakes import FakeEmbedder


def test_another_one_is_opened_when_it_is_needed_and_once() -> None:
    """It costs memory and a process."""
    opened: list[Embedder] = []

    def opener() -> Embedder:
        opened.append(FakeEmbedder())
        return opened[-1]

    embedders = Embedders(usual := FakeEmbedder(), {"other": LazyEmbedder(opener)})
    before = list(opened)

    found = [embedders.of("other"), embedders.of("other"), embedders.of(usual.model), embedders.of("third")]

    assert (before, found) == ([], [opened[0], opened[0], usual, None])
    assert models_of(embedders) == {usual.model: usual.numbers, "other": 384}


def test_one_that_fails_is_not_tried_again() -> None:
    """Opening it takes a while, and each prompt would wait for it."""
    tries: list[str] = []

    def opener() -> Embedder:
        tries.append("")
        raise EmbedError("It has no processor.")

    embedders = Embedders(FakeEmbedder(), {"other": LazyEmbedder(opener)})
    had = embedders.has("other")

    assert [embedders.of("other"), embedders.of("other")] == [None, None]
    assert (had, embedders.has("other"), len(tries)) == (True, False, 1)
    assert "It has no processor." in embedders.problem


def test_one_that_is_not_installed_is_found_later() -> None:
    """A user installs it while the worker runs."""
    installed: list[Embedder] = []
    embedders = Embedders(FakeEmbedder(), {"other": LazyEmbedder(lambda: installed[0], lambda: bool(installed))})

    before = embedders.of("other")
    installed.append(FakeEmbedder())

    assert (before, embedders.of("other")) == (None, installed[0])
    assert embedders.problem == ""


def test_an_embedder_alone_is_the_only_one() -> None:
    embedder = FakeEmbedder()

    assert embedder_of(embedder, embedder.model) is embedder
    assert embedder_of(embedder, "other") is None
    assert models_of(None) == {}


@pytest.mark.parametrize(("is_installed", "has"), [(True, True), (False, False)])
def test_the_default_has_the_multilingual_one_as_another(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool, has: bool
) -> None:
    monkeypatch.setattr("behavior_plugin.embed.is_installed", lambda: is_installed)

    embedders = open_embedder("offline")

    assert embedders
    assert (embedders.model, embedders.fallback, embedders.has(E5)) == (MINILM, E5, has)
    embedders.close()


def test_the_multilingual_one_alone_needs_no_other() -> None:
    """MiniLM takes 200 MB, and is only opened for the rows that it made."""
    embedders = open_embedder("multilingual")

    assert embedders
    assert (embedders.model, embedders.fallback) == (E5, "")
    assert embedders._opened == {}
    embedders.close()
