"""Sessions are saved one by one, and the patterns of a project are computed once for all that wait."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import spool
from behavior_plugin.embed import DIMENSIONS
from behavior_plugin.embed.paced import PacedEmbedder
from behavior_plugin.embed.remote import RETRIES, RemoteEmbedder
from behavior_plugin.errors import EmbedError, WorkerError
from behavior_plugin.model import Event
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.worker import dead_letters
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


class Agent:
    """A session of an older client: it names neither its process nor its prompts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("CLAUDE_PID")
        self._id = str(uuid.uuid4())
        self._offset_s = 0.0
        wall = time.time_ns
        monkeypatch.setattr(time, "time_ns", lambda: wall() + int(self._offset_s * 1e9))

    def set_clock(self, by_s: float) -> None:
        self._offset_s += by_s

    def send(self, event: str, **changes: Any) -> None:
        named = {"session_id": self._id, "transcript_path": "", **changes}
        told = {name: value for name, value in payload(event, **named).items() if name != "prompt_id"}
        spool.put(event, json.dumps(told).encode())

    def work(self) -> None:
        self.send("SessionStart")
        self.send("UserPromptSubmit", prompt="fix the totals of the invoice")
        self.send("PostToolUse", tool_use_id="toolu_0123456789")
        self.send("UserPromptSubmit", prompt="now write the report")
        self.send("PostToolUse", tool_use_id="toolu_9876543210", duration_ms=0)
        self.send("SessionEnd")


@pytest.fixture
def older_agent(monkeypatch: pytest.MonkeyPatch, ended_sessions: None) -> Agent:
    for record in Path(spool.folder("new")).iterdir():
        record.unlink()
    return Agent(monkeypatch)


@pytest.mark.parametrize("by_s", [-2.0, -3600.0, 3600.0])
def test_a_clock_that_is_set_tears_no_call_from_its_prompt(
    by_s: float, store: PostgresStore, older_agent: Agent
) -> None:
    """The prompt vanished, and the call became a dead letter that no retry could mend."""
    older_agent.send("SessionStart")
    older_agent.send("UserPromptSubmit", prompt="fix the totals of the invoice")
    older_agent.set_clock(by_s)
    older_agent.send("PostToolUse", tool_use_id="toolu_0123456789")
    older_agent.send("SessionEnd")
    worker = Worker(store)

    worker.drain()

    assert [turn.trigger for turn in stored_turns(store)] == ["fix the totals of the invoice"]
    assert dead_letters.letters() == []


def test_a_session_that_is_delivered_again_is_stored_once(store: PostgresStore, older_agent: Agent) -> None:
    """Whole, in part, and in any order of the parts."""
    worker = Worker(store)
    older_agent.work()
    worker.drain()
    before = store.newest_episodes(project=None, limit=99)

    older_agent.work()
    worker.drain()
    older_agent.send("PostToolUse", tool_use_id="toolu_9876543210")
    older_agent.send("SessionEnd")
    worker.drain()

    assert len(stored_turns(store)) == 2
    assert len(store.newest_episodes(project=None, limit=99)) == len(before)
    assert dead_letters.letters() == []


def test_a_prompt_goes_with_the_calls_that_cannot_be_learned_from(store: PostgresStore, older_agent: Agent) -> None:
    """A letter without it could never be mended, and nobody would know that there was one."""
    older_agent.send("SessionStart")
    older_agent.send("PostToolUse", tool_use_id="toolu_0123456789")
    older_agent.send("UserPromptSubmit", prompt="fix the totals of the invoice")
    older_agent.send("SessionEnd")
    worker = Worker(store)

    worker.drain()

    [letter] = dead_letters.letters()
    assert letter.records == 4
    assert worker.learner.dropped == 0


def test_a_stored_call_that_comes_again_is_no_dead_letter(store: PostgresStore) -> None:
    """Each thing is in one place: stored, or a dead letter. A call that is not stored still becomes one."""
    worker = Worker(store)
    worker.drain()
    known = stored_turns(store)[0].session_id
    named = {"session_id": known, "transcript_path": "", "prompt_id": str(uuid.uuid4())}
    for call in (f"call-{known}", "another call"):
        spool.put("PostToolUse", json.dumps(payload("PostToolUse", **named, tool_use_id=call)).encode())
    spool.put("SessionEnd", json.dumps(payload("SessionEnd", **named)).encode())

    worker.drain()
    [letter] = dead_letters.letters()
    assert letter.records == 3

    dead_letters.delete(letter)
    spool.put("PostToolUse", json.dumps(payload("PostToolUse", **named, tool_use_id=f"call-{known}")).encode())
    spool.put("SessionEnd", json.dumps(payload("SessionEnd", **named)).encode())
    worker.drain()

    assert dead_letters.letters() == []
    assert worker.inbox.sessions == {}
    assert len(stored_turns(store)) == 3
