"""The remote embedder against a local stub: it accepts good answers and rejects all others with a clear error."""

from __future__ import annotations

import logging
import math
import sys
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
    """Start a stub and return an embedder connected to it."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ExitStack() as stack:

        def connected(stub: EmbeddingStub, timeout_s: float = 5) -> RemoteEmbedder:
            monkeypatch.setenv("OPENAI_BASE_URL", stack.enter_context(stub.serving()))
            embedder = RemoteEmbedder(timeout_s=timeout_s)
            stack.callback(embedder._client.close)
            return embedder

        yield connected


def test_vectors_have_unit_length_and_the_key_is_sent(connect: Connect) -> None:
    """The store compares directions only, so lengths must not differ between services."""
    stub = EmbeddingStub()

    [given] = connect(stub).embed(["fix it"])

    assert math.hypot(*given) == pytest.approx(1)
    assert len(given) == 1536
    assert stub.keys == [f"Bearer {KEY}"]
    assert stub.requests[0]["model"] == "text-embedding-3-small"


def test_without_the_package_the_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most users never need it, so it is an extra."""
    monkeypatch.setitem(sys.modules, "openai", None)

    with pytest.raises(EmbedError, match="not installed") as caught:
        RemoteEmbedder()

    assert caught.value.hint.endswith("-m pip install 'openai>=1.60'")
    assert "`behavior worker stop`" in caught.value.hint  # a worker opens its embedder once


def test_vectors_are_returned_in_the_order_of_the_texts(connect: Connect) -> None:
    """A vector stored for the wrong text would always recall the wrong workflow."""
    texts = ["a", "bbb", "cc"]

    given = connect(EmbeddingStub("shuffled")).embed(texts)

    assert [round(one[0] / one[1]) for one in given] == [vector(text)[0] for text in texts]


def test_many_texts_are_split_into_requests(connect: Connect) -> None:
    """A service limits the size of one request."""
    stub = EmbeddingStub()

    given = connect(stub).embed(["text"] * (TEXTS_A_REQUEST + 1))

    assert len(given) == TEXTS_A_REQUEST + 1
    assert [len(request["input"]) for request in stub.requests] == [TEXTS_A_REQUEST, 1]


@pytest.mark.parametrize("faults", [["429"], ["500"], ["429", "500"]])
def test_a_transient_error_is_retried(connect: Connect, faults: list[str]) -> None:
    """A busy service is the most common error, and soon recovers."""
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
def test_a_permanent_error_is_reported_after_few_tries(connect: Connect, fault: str, tries: int, words: str) -> None:
    """A rejected key must not be sent again and again, and the caller must not wait forever."""
    stub = EmbeddingStub(*[fault] * 9)

    with pytest.raises(EmbedError, match=words) as caught:
        connect(stub).embed(["text"])

    assert len(stub.requests) == tries
    assert caught.value.hint


UNUSABLE = ["fewer", "more", "doubled", "wrong dimension", "nan", "infinity", "zero", "null", "no data"]


@pytest.mark.parametrize("fault", [*UNUSABLE, "html", "half json", "deep json"])
def test_an_unusable_answer_is_rejected(connect: Connect, fault: str) -> None:
    """One zero or NaN vector in the store would match every prompt."""
    with pytest.raises(EmbedError, match="usable vectors"):
        connect(EmbeddingStub(fault)).embed(["one", "two"])


def test_a_hanging_service_times_out(connect: Connect) -> None:
    """The worker must go on to store other sessions."""
    with pytest.raises(EmbedError, match="cannot be reached"):
        connect(EmbeddingStub("hang", "hang", "hang"), timeout_s=0.05).embed(["text"])


def test_an_empty_text_is_rejected_without_a_request(connect: Connect) -> None:
    """One empty text would make the service reject the whole request."""
    stub = EmbeddingStub()

    with pytest.raises(EmbedError, match="empty"):
        connect(stub).embed(["text", " \n"])

    assert stub.requests == []


@pytest.mark.parametrize("key", ["", "  ", "sk-with a space", "sk-\N{GREEK SMALL LETTER ALPHA}", "sk-a\nb"])
def test_a_missing_or_malformed_key_is_reported_at_once(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """`behavior doctor` can then report the key before the first vector is lost."""
    monkeypatch.setenv("OPENAI_API_KEY", key)

    with pytest.raises(EmbedError, match=r"key|OPENAI_API_KEY"):
        RemoteEmbedder()


@pytest.mark.parametrize("fault", ["401", "429", "500", "html", "hang"])
def test_the_key_is_in_no_error_and_no_log(connect: Connect, caplog: pytest.LogCaptureFixture, fault: str) -> None:
    """People paste logs into bug reports; the stub repeats the key, as the real service does."""
    caplog.set_level(logging.DEBUG)

    with pytest.raises(EmbedError) as caught:
        connect(EmbeddingStub(*[fault] * 9), timeout_s=0.2).embed(["text"])

    assert KEY not in "".join(traceback.format_exception(caught.value)) + caplog.text
