"""A worker without a process of its own: the test runs it step by step, with an open store."""

from __future__ import annotations

import psycopg

from behavior_plugin.config import Settings
from behavior_plugin.embed import Embedder
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.worker import dead_letters
from behavior_plugin.worker.inbox import Inbox
from behavior_plugin.worker.learner import Learner
from behavior_plugin.worker.pending_session import SILENCE_S
from behavior_plugin.worker.resources import Resources
from behavior_plugin.worker.turn_rows import turn_rows
from behavior_plugin.workflow import StoredPattern

EVERYTHING = 100_000


class OpenResources(Resources):
    """Resources with an open store, which is retried without a pause."""

    def __init__(self, store: PostgresStore, embedder: Embedder | None) -> None:
        super().__init__(Settings(embedder="none"))
        self._embedder.set_result(embedder)
        self._opened = store

    def store(self, within_s: float) -> PostgresStore:
        return self._opened

    def open_store(self) -> None:
        pass

    def close_store(self) -> None:
        pass

    def can_store(self) -> bool:
        return True


class Worker:
    """One worker. Discard it after its death."""

    def __init__(self, store: PostgresStore, embedder: Embedder | None = None) -> None:
        self.inbox = Inbox()
        self.resources = OpenResources(store, embedder)
        self.learner = Learner(self.inbox, self.resources)

    def file(self) -> None:
        self.inbox.file_new()

    def learn(self) -> None:
        self.learner.learn_from_what_is_over(0)

    def compute(self) -> None:
        self.learner.compute()

    def drain(self) -> None:
        self.learner.drain()

    def reap(self) -> None:
        self.learner.reap(0)

    def wait(self) -> None:
        """Let half an hour pass for the sessions."""
        for session in self.inbox.sessions.values():
            session.seen -= SILENCE_S

    def retry(self) -> None:
        for letter in dead_letters.letters():
            dead_letters.retry(letter)


# The parts of a worker's life, with everything that moves records.
LIFE = (
    Worker.file,
    Worker.learn,
    Worker.compute,
    Worker.drain,
    Worker.reap,
    Worker.retry,
    Worker.drain,
    Worker.reap,
)


def stored_turns(store: PostgresStore) -> list[StoredPattern]:
    """All turns with work in them, once for each time that they are stored."""
    return turn_rows(store.newest_episodes(project=None, limit=EVERYTHING))


def clear(owner: psycopg.Connection) -> None:
    """Delete what everybody has stored."""
    owner.execute("truncate public.behavior_patterns, behavior.episodes, behavior.remarks")
