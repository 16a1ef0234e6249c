"""The remote embedder against a local stub: good answers pass, every other one is refused in plain words."""

from __future__ import annotations

import logging
import math
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from behavior_plugin.embed.remote import TEXTS_A_REQUEST, RemoteEmbedder
from behavior_plugin.errors import EmbedError
from tests.embedding_stub import EmbeddingStub, vector

KEY = "sk-stub-" + "secret"
Connect = Callable[..., RemoteEmbedder]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Give a function that starts a stub and an embedder that talks to it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ExitStack() as stack:

        def connected(stub: EmbeddingStub, timeout_s: float = 5) -> RemoteEmbedder:
            monkeypatch.setenv("OPENAI_BASE_URL", stack.enter_context(stub.serving()))
            embedder = RemoteEmbedder(timeout_s=timeout_s)
            stack.callback(embedder._client.close)
            return embedder

        yield connected


def test_vectors_have_unit_length_and_the_key_is_sent(connect: Connect) -> None:
    """The store compares by direction only, so lengths must not differ between services."""
    stub = EmbeddingStub()

    [given] = connect(stub).embed(["fix it"])

    assert math.hypot(*given) == pytest.approx(1)
    assert len(given) == 1536
    assert stub.keys == [f"Bearer {KEY}"]
    assert stub.requests[0]["model"] == "text-embedding-3-small"


def test_answers_are_put_in_the_order_of_the_texts(connect: Connect) -> None:
    """A vector under the wrong text would recall the wrong workflow for ever."""
    texts = ["a", "bbb", "cc"]

    given = connect(EmbeddingStub("shuffled")).embed(texts)

    assert [round(one[0] / one[1]) for one in given] == [vector(text)[0] for text in texts]


def test_many_texts_go_in_several_requests(connect: Connect) -> None:
    """A service limits what one request may hold."""
    stub = EmbeddingStub()

    given = connect(stub).embed(["text"] * (TEXTS_A_REQUEST + 1))

    assert len(given) == TEXTS_A_REQUEST + 1
    assert [len(request["input"]) for request in stub.requests] == [TEXTS_A_REQUEST, 1]


@pytest.mark.parametrize("faults", [["429"], ["500"], ["429", "500"]])
def test_a_passing_fault_is_retried(connect: Connect, faults: list[str]) -> None:
    """A busy service is the most common fault, and goes away by itself."""
    assert len(connect(EmbeddingStub(*faults)).embed(["text"])) == 1


@pytest.mark.parametrize(
    ("fault", "tries", "words"),
    [
        ("400", 1, "status 400"),
        ("401", 1, "does not accept the key"),
        ("403", 1, "does not accept the key"),
        ("429", 3, "no more requests"),
        ("500", 3, "status 500"),
        ("redirect", 1, "status 307"),
    ],
)
def test_a_lasting_refusal_is_told_after_few_tries(connect: Connect, fault: str, tries: int, words: str) -> None:
    """A refused key must not be hammered, and nobody should wait for ever."""
    stub = EmbeddingStub(*[fault] * 9)

    with pytest.raises(EmbedError, match=words) as caught:
        connect(stub).embed(["text"])

    assert len(stub.requests) == tries
    assert caught.value.hint


UNUSABLE = ["fewer", "more", "doubled", "wrong dimension", "nan", "infinity", "zero", "null", "no data"]


@pytest.mark.parametrize("fault", [*UNUSABLE, "html", "half json", "deep json"])
def test_an_unusable_answer_is_refused(connect: Connect, fault: str) -> None:
    """One zero or NaN vector in the store would match every prompt."""
    with pytest.raises(EmbedError, match="usable vectors"):
        connect(EmbeddingStub(fault)).embed(["one", "two"])


def test_a_hanging_service_is_given_up(connect: Connect) -> None:
    """The worker has other sessions to store."""
    with pytest.raises(EmbedError, match="cannot be reached"):
        connect(EmbeddingStub("hang", "hang", "hang"), timeout_s=0.05).embed(["text"])


def test_an_empty_text_is_refused_before_it_is_sent(connect: Connect) -> None:
    """It has no meaning, and the service would refuse the whole request for it."""
    stub = EmbeddingStub()

    with pytest.raises(EmbedError, match="empty"):
        connect(stub).embed(["text", " \n"])

    assert stub.requests == []


@pytest.mark.parametrize("key", ["", "  ", "sk-with a space", "sk-\N{GREEK SMALL LETTER ALPHA}", "sk-a\nb"])
def test_a_missing_or_broken_key_is_told_at_once(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The person should hear of it from `behavior doctor`, not from the first lost vector."""
    monkeypatch.setenv("OPENAI_API_KEY", key)

    with pytest.raises(EmbedError, match=r"key|OPENAI_API_KEY"):
        RemoteEmbedder()


@pytest.mark.parametrize("fault", ["401", "429", "500", "html", "hang"])
def test_the_key_is_in_no_error_and_no_log(connect: Connect, caplog: pytest.LogCaptureFixture, fault: str) -> None:
    """Logs are pasted into bug reports; the stub repeats the key as the real service does."""
    caplog.set_level(logging.DEBUG)

    with pytest.raises(EmbedError) as caught:
        connect(EmbeddingStub(*[fault] * 9), timeout_s=0.2).embed(["text"])

    assert KEY not in "".join(traceback.format_exception(caught.value)) + caplog.text
