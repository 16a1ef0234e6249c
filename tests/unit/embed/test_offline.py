"""The offline embedder with its real model."""

from __future__ import annotations

import math
import socket
import sys
from pathlib import Path

import pytest

from behavior_plugin.embed import open_embedder
from behavior_plugin.embed.offline import OfflineEmbedder
from behavior_plugin.errors import EmbedError


@pytest.fixture(scope="module")
def embedder() -> OfflineEmbedder:
    return OfflineEmbedder()


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_prompts_of_one_meaning_are_nearer_than_others(embedder: OfflineEmbedder) -> None:
    """This is what recall rests on: the words differ, the work is the same."""
    asked, same, other = embedder.embed(
        ["fix the failing login test", "the login test fails, repair it", "add a dark theme to the settings"]
    )

    assert cosine(asked, same) > embedder.min_similarity > cosine(asked, other)


@pytest.mark.parametrize("text", ["yes", "a word " * 5_000, "Grüße, 世界!", "fix " + "x" * 50_000])
def test_vectors_have_unit_length_and_the_columns_width(embedder: OfflineEmbedder, text: str) -> None:
    """The column takes 1536 numbers, of which this model gives the first 384."""
    [vector] = embedder.embed([text * 2])

    assert len(vector) == 1536
    assert math.hypot(*vector) == pytest.approx(1)
    assert not any(vector[384:])


def test_a_text_has_one_vector_whoever_its_neighbours_are(embedder: OfflineEmbedder) -> None:
    """A stored trigger must be found again by the same prompt, alone or in a batch."""
    texts = ["fix the test", "a much longer prompt " * 50, "fix the test"]

    first, _, third = embedder.embed(texts)

    assert first == third == embedder.embed(texts[:1])[0]


def test_case_and_accents_do_not_matter(embedder: OfflineEmbedder) -> None:
    """The model was trained on lower-case text without accents."""
    one, other = embedder.embed(["Résumé THE build", "resume the build"])

    assert one == other


def test_only_the_head_of_a_long_text_counts(embedder: OfflineEmbedder) -> None:
    """A prompt says what it wants first; the log it quotes comes after."""
    head = "fix the failing login test " * 60

    one, other = embedder.embed([head + "first log", head + "second log"])

    assert one == other


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b", "\N{PARTY POPPER}\N{ROCKET}"])
def test_a_text_without_words_is_refused(embedder: OfflineEmbedder, text: str) -> None:
    """A vector for it would be zero, or the same for all such texts."""
    with pytest.raises(EmbedError, match="no words"):
        embedder.embed(["fix the test", text])


def test_no_text_gives_no_vector(embedder: OfflineEmbedder) -> None:
    assert embedder.embed([]) == []


def test_it_works_without_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the default so that nothing leaves the machine before its user decides so."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)

    embedder = open_embedder("offline")

    assert embedder is not None
    assert len(embedder.embed(["fix the test"])) == 1


def test_another_model_file_is_refused(tmp_path: Path) -> None:
    """Its vectors would be stored under a name that is not theirs."""
    file = tmp_path / "model.onnx"
    file.write_bytes(b"not the model")

    with pytest.raises(EmbedError, match="not the model"):
        OfflineEmbedder(file)


def test_an_absent_model_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmbedError, match="cannot be read"):
        OfflineEmbedder(tmp_path / "model.onnx")


def test_a_machine_without_onnxruntime_hears_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no build of it for some machines; the plugin goes on by words there."""
    monkeypatch.setitem(sys.modules, "behavior_plugin.embed.offline", None)

    with pytest.raises(EmbedError, match="cannot run here"):
        open_embedder("offline")


def test_none_means_no_embedder() -> None:
    assert open_embedder("none") is None
