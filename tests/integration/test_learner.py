"""Sessions are saved one by one, and the patterns of a project are computed once for all that wait."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence

import pytest

from behavior_plugin.capture import spool
from behavior_plugin.embed import DIMENSIONS
from behavior_plugin.embed.paced import PacedEmbedder
from behavior_plugin.embed.remote import RETRIES, RemoteEmbedder
from behavior_plugin.errors import EmbedError, WorkerError
from behavior_plugin.model import Event
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.worker.inbox import UnreadableForNowError
from behavior_plugin.worker.pending_session import PendingSession
from tests.embedding_stub import EmbeddingStub
from tests.factories import payload
from tests.fakes import FakeEmbedder
from tests.integration.working import Worker, stored_turns


def play(session: str) -> None:
    """A session with one prompt and one call, from its start to its end."""
    prompt_id = str(uuid.uuid4())
    named = {"session_id": session, "transcript_path": f"/home/dev/{session}.jsonl"}
    for event in ("SessionStart", "UserPromptSubmit", "PostToolUse", "SessionEnd"):
        changes = {"tool_use_id": f"call-{session}"} if event == "PostToolUse" else {}
        spool.put(event, json.dumps(payload(event, **named, prompt_id=prompt_id, **changes)).encode())


@pytest.fixture(autouse=True)
def ended_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of them wait for the worker."""
    monkeypatch.setenv("CLAUDE_PID", str(os.getpid()))
    for _ in range(3):
        play(str(uuid.uuid4()))


class UnreliableEmbedder(FakeEmbedder):
    """An embedder whose service can be down."""

    is_down = True

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.is_down:
            raise EmbedError("The service is down.")
        return [[1.0, *([0.0] * (DIMENSIONS - 1))] for _ in texts]


def test_waiting_sessions_are_saved_before_the_patterns_are_computed(store: PostgresStore) -> None:
    """A project's patterns come from all its evidence: computed after each of many sessions, a backlog never ends."""
    worker = Worker(store)
    worker.file()

    worker.learn()
    saved, computed = stored_turns(store), store.count()
    worker.compute()

    assert (len(saved), computed) == (3, 0)
    assert store.count() == 1
    assert store.unfolded_projects() == []


def test_embedder_that_is_down_delays_only_the_vectors(store: PostgresStore) -> None:
    """The sessions leave the spool, the patterns are found by their words, and the worker tries again by itself."""
    embedder = UnreliableEmbedder()
    worker = Worker(store, embedder)
    worker.file()

    worker.learn()
    worker.compute()
    waiting, computed, unembedded = worker.inbox.sessions, store.count(), len(store.unembedded(9))
    while_down = worker.resources.last_error
    embedder.is_down = False
    worker.compute()

    assert (waiting, computed, unembedded) == ({}, 1, 3)
    assert store.unembedded(9) == []
    assert (while_down, worker.resources.last_error) == ("The service is down.", "")


@pytest.mark.parametrize("fault", ["401", "429", "500", "html", "half json", "zero"])
def test_a_sick_service_is_asked_once_however_many_sessions_wait(
    fault: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hammering costs the user a ban or money; and nobody could see from the answer what is wrong."""
    stub = EmbeddingStub(*[fault] * 500)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-stub")
    with stub.serving() as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        remote = RemoteEmbedder()
        worker = Worker(store, PacedEmbedder(remote))
        for _ in range(9):
            play(str(uuid.uuid4()))

        first = worker.learner.drain()
        asked = len(stub.requests)
        play(str(uuid.uuid4()))
        second = worker.learner.drain()
        worker.compute()
        remote._client.close()

    assert (first.learned, second.learned, second.open_sessions) == (12, 1, 0)
    assert asked <= 1 + RETRIES
    assert len(stub.requests) == asked
    assert "127.0.0.1" in first.not_computed
    assert second.not_computed == first.not_computed


def test_a_session_that_cannot_be_read_is_tried_once_in_a_drain(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is in the answer; it may also have waited before."""
    worker = Worker(store)
    worker.file()
    [session, *_] = worker.inbox.sessions.values()
    session.delays = 3
    tries = []

    def read(each: PendingSession) -> list[Event]:
        tries.append(each.key)
        raise UnreadableForNowError("it cannot be read: Input/output error")

    monkeypatch.setattr(worker.inbox, "events", read)

    with pytest.raises(WorkerError, match="Input/output error"):
        worker.drain()

    assert sorted(tries) == sorted(worker.inbox.sessions)
    assert len(tries) == 3
