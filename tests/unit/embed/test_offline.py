"""The offline embedder, with its real model."""

from __future__ import annotations

import math
import resource
import socket
import sys
from pathlib import Path

import numpy
import onnxruntime
import pytest
from tokenizers import BertWordPieceTokenizer

from behavior_plugin.embed import offline, open_embedder
from behavior_plugin.embed.offline import OfflineEmbedder
from behavior_plugin.errors import EmbedError


@pytest.fixture(scope="module")
def embedder() -> OfflineEmbedder:
    return OfflineEmbedder()


def cosine(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_reworded_prompts_are_more_similar_than_unrelated_ones(embedder: OfflineEmbedder) -> None:
    """Recall depends on it: the words differ, but the work is the same."""
    prompt, same, other = embedder.embed(
        ["fix the failing login test", "the login test fails, repair it", "add a dark theme to the settings"]
    )

    assert cosine(prompt, same) > 0.7 > 0.3 > cosine(prompt, other)


@pytest.mark.parametrize(
    ("text", "can_read"),
    [
        ("fix the failing login test", True),
        ("Add a migration for the new discount column", True),
        ("rename getUserById to find_user in src/api/users.ts", True),
        ("/review 12", True),
        ("", True),
        ("로그인 페이지의 실패하는 테스트를 고쳐줘", False),
        ("修复登录页面失败的测试", False),
        ("Исправь падающий тест страницы входа", False),
        ("Repariere den fehlschlagenden Test der Anmeldeseite", False),
        ("Füge eine Migration für die neue Rabattspalte hinzu", False),
    ],
)
def test_texts_of_other_languages_are_told_from_english(embedder: OfflineEmbedder, text: str, can_read: bool) -> None:
    """The model gives unrelated prompts of a language it cannot read nearly the same vector."""
    assert embedder.can_read(text) is can_read


@pytest.mark.parametrize("text", ["yes", "a word " * 5_000, "Grüße, 世界!", "fix " + "x" * 50_000])
def test_vectors_have_unit_length_and_the_columns_width(embedder: OfflineEmbedder, text: str) -> None:
    """The column has 1536 numbers; this model fills the first 384."""
    [vector] = embedder.embed([text * 2])

    assert len(vector) == 1536
    assert math.hypot(*vector) == pytest.approx(1)
    assert not any(vector[384:])


def test_a_vector_does_not_depend_on_the_batch(embedder: OfflineEmbedder) -> None:
    """A trigger stored in a batch must match the same prompt embedded alone."""
    texts = ["fix the test", "a much longer prompt " * 50, "fix the test"]

    first, _, third = embedder.embed(texts)

    assert first == third == embedder.embed(texts[:1])[0]


def test_the_rewritten_model_is_the_packaged_one(embedder: OfflineEmbedder) -> None:
    """Vectors that were stored before the model was rewritten are compared with new ones."""
    packaged = onnxruntime.InferenceSession(offline.packaged_model(), providers=["CPUExecutionProvider"])
    tokenizer = BertWordPieceTokenizer(str(offline.VOCABULARY), lowercase=True, strip_accents=True)
    for text in ("fix it", "fix the failing login test and push it", "a longer prompt of many words " * 20):
        ids = numpy.array([tokenizer.encode(text).ids], dtype=numpy.int64)
        kinds = {"attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)}
        [states] = packaged.run(None, {"input_ids": ids, **kinds})
        mean = states[0].mean(axis=0)

        assert embedder.embed([text])[0][:384] @ mean / numpy.linalg.norm(mean) > 0.999


def test_case_and_accents_do_not_matter(embedder: OfflineEmbedder) -> None:
    """The model was trained on lower-case text without accents."""
    one, other = embedder.embed(["Résumé THE build", "resume the build"])

    assert one == other


def test_only_the_beginning_of_a_long_text_counts(embedder: OfflineEmbedder) -> None:
    """A prompt usually begins with its request and quotes logs after it."""
    head = "fix the failing login test " * 60

    one, other = embedder.embed([head + "first log", head + "second log"])

    assert one == other


@pytest.mark.parametrize("text", ["", " \n\t", "\u200b", "\N{PARTY POPPER}\N{ROCKET}"])
def test_a_text_without_words_is_rejected(embedder: OfflineEmbedder, text: str) -> None:
    """Its vector would be zero, or the same for all such texts."""
    with pytest.raises(EmbedError, match="no words"):
        embedder.embed(["fix the test", text])


def test_no_texts_give_no_vectors(embedder: OfflineEmbedder) -> None:
    assert embedder.embed([]) == []


def test_it_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the default so that no text leaves the machine before the user agrees."""

    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)

    embedder = open_embedder("offline")

    assert embedder is not None
    assert len(embedder.embed(["fix the test"])) == 1


def test_another_model_file_is_rejected(tmp_path: Path) -> None:
    """Its vectors would be stored under the wrong model's name."""
    file = tmp_path / "model.onnx"
    file.write_bytes(b"not the model")

    with pytest.raises(EmbedError, match="not the model"):
        OfflineEmbedder(file)


def test_a_missing_model_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(EmbedError, match="cannot be read"):
        OfflineEmbedder(tmp_path / "model.onnx")


def test_a_full_disk_costs_memory_only(embedder: OfflineEmbedder) -> None:
    """The rewritten model goes through a temporary file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        found = OfflineEmbedder().embed(["fix the test"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert found == embedder.embed(["fix the test"])


def test_a_missing_onnxruntime_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some machines have no build of it; there the plugin searches by words."""
    monkeypatch.setitem(sys.modules, "behavior_plugin.embed.offline", None)

    with pytest.raises(EmbedError, match="cannot run here"):
        open_embedder("offline")


def test_none_means_no_embedder() -> None:
    assert open_embedder("none") is None
