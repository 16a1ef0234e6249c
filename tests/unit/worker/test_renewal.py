"""The worker makes vectors anew by itself, and two workers do not undo each other's."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from behavior_plugin.backoff import MAX_S
from behavior_plugin.capture import paths
from behavior_plugin.embed import E5, MINILM, Embedder, Embedders, LazyEmbedder
from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.store import StoredTrigger
from behavior_plugin.worker import renewal
from behavior_plugin.worker.renewal import Renewal
from tests.fakes import FakeEmbedder, FakeStore
from tests.unit.test_vectors import KOREAN, English, Multilingual, by_default, models, without_extra, work

ENGLISH = [f"fix the tests {number}" for number in range(20)]


class Resources:
    """An open store, and an embedder that is there."""

    def __init__(self, store: FakeStore, embedder: Embedder | None) -> None:
        self._store, self._embedder = store, embedder
        self.is_loaded = True

    def store(self, within_s: float) -> FakeStore:
        return self._store

    def can_store(self) -> bool:
        return True

    def has_embedder(self) -> bool:
        return self.is_loaded

    def embedder(self, within_s: float) -> Embedder | None:
        return self._embedder


class Machine:
    """A data folder with its setting; its worker is started again for each run."""

    def __init__(self, folder: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._store, self._monkeypatch = folder, store, monkeypatch

    def run(self, embedder: Embedder | None, *, rounds: int = 100) -> Renewal:
        """Start a worker with this embedder, and let it work as long as there is something to do."""
        paths.make_private(str(self._folder))
        self._monkeypatch.setenv("BEHAVIOR_HOME", str(self._folder))
        worker = Renewal(Resources(self._store, embedder))  # type: ignore[arg-type]
        for _ in range(rounds):
            if not worker.work():
                break
        return worker


def multilingual_only() -> Embedders:
    return Embedders(Multilingual(), {MINILM: LazyEmbedder(English)})


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def one(tmp_path: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path / "one", store, monkeypatch)


@pytest.fixture
def two(tmp_path: Path, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path / "two", store, monkeypatch)


def test_after_a_change_of_the_setting_the_worker_makes_the_vectors_anew(one: Machine, store: FakeStore) -> None:
    """Nobody has to know that there are vectors."""
    work(store, by_default(), *ENGLISH)
    one.run(by_default())
    before = models(store)

    worker = one.run(multilingual_only())

    assert (before, models(store)) == ({MINILM: 20}, {E5: 20})
    assert (worker.left, worker.others) == (0, 0)


def test_a_former_name_of_a_model_is_found_after_an_update(one: Machine, store: FakeStore) -> None:
    """The new version calls its model otherwise."""

    class Former(English):
        model = "all-MiniLM-L6-v2"

    work(store, Former(), *ENGLISH)
    one.run(Embedders(Former()))

    one.run(by_default())

    assert models(store) == {MINILM: 20}


def test_an_extra_that_came_later_is_used(one: Machine, store: FakeStore) -> None:
    """And what another machine without it adds, too: it cannot read it."""
    work(store, without_extra(), *[f"{KOREAN} {number}" for number in range(6)])
    one.run(by_default())
    first = models(store)
    work(store, without_extra(), f"{KOREAN} 7")

    one.run(by_default())

    assert (first, models(store)) == ({E5: 6}, {E5: 7})


def test_vectors_of_a_model_that_was_never_used_here_stay(one: Machine, two: Machine, store: FakeStore) -> None:
    """They are another machine's, which wants them so; a command can change them."""
    work(store, by_default(), *ENGLISH[:10])
    work(store, multilingual_only(), *ENGLISH[10:])

    for _ in range(3):
        one.run(by_default())
        worker = two.run(multilingual_only())

    assert models(store) == {MINILM: 10, E5: 10}
    assert (worker.left, worker.others) == (0, 10)


def test_two_machines_do_not_undo_each_other(one: Machine, two: Machine, store: FakeStore) -> None:
    """Both change their settings, in opposite directions."""
    work(store, by_default(), *ENGLISH[:10])
    one.run(by_default())
    two.run(multilingual_only())

    found = []
    for _ in range(3):
        one.run(multilingual_only())
        two.run(by_default())
        found.append(models(store))

    assert found[0] == found[1] == found[2]


def test_what_another_machine_adds_after_the_change_stays(one: Machine, store: FakeStore) -> None:
    work(store, by_default(), *ENGLISH[:10])
    one.run(by_default())
    one.run(multilingual_only())
    work(store, by_default(), *ENGLISH[10:])

    one.run(multilingual_only())

    assert models(store) == {E5: 10, MINILM: 10}


def test_a_killed_worker_is_continued(one: Machine, store: FakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one knows what is left to do."""
    work(store, by_default(), *ENGLISH)
    one.run(by_default())

    with monkeypatch.context() as patch:
        patch.setattr(renewal, "SLICE_S", 0)
        killed = one.run(multilingual_only(), rounds=1)
    before = models(store)
    one.run(multilingual_only())

    assert (before, killed.left) == ({MINILM: 4, E5: 16}, 4)
    assert models(store) == {E5: 20}


def test_nothing_that_is_stored_goes_to_a_service_by_itself(one: Machine, store: FakeStore) -> None:
    """The user agreed to send the prompts that come, and not all that there ever were."""

    class Service(FakeEmbedder):
        model = "service"

    work(store, by_default(), *ENGLISH)
    one.run(by_default())

    worker = one.run(Embedders(service := Service(), {MINILM: LazyEmbedder(English)}))

    assert (models(store), service.texts) == ({MINILM: 20}, [])
    assert (worker.left, worker.others) == (0, 20)


def test_after_a_service_the_vectors_are_made_here_again(one: Machine, store: FakeStore) -> None:
    class Service(FakeEmbedder):
        model = "service"

    work(store, Service(), *ENGLISH)
    one.run(Embedders(Service()))

    one.run(by_default())

    assert models(store) == {MINILM: 20}


def test_an_idle_worker_asks_the_database_nothing(one: Machine, store: FakeStore) -> None:
    """It may be a database on the network."""
    work(store, by_default(), *ENGLISH)
    worker = one.run(by_default())
    asked = []
    embedded = store.embedded

    def spy() -> list[tuple[str, str, int]]:
        asked.append("")
        return embedded()

    store.embedded = spy  # type: ignore[method-assign]
    worker.work()
    idle = len(asked)
    worker.look_again()
    worker.work()

    assert (idle, len(asked)) == (0, 1)


def test_a_failure_is_tried_again_later(one: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(FakeStore):
        is_broken = True

        def embedded_by(
            self, model: str, *, project: str, limit: int, before: StoredTrigger | None = None
        ) -> list[StoredTrigger]:
            if self.is_broken:
                raise StoreUnavailableError("It restarts.")
            return super().embedded_by(model, project=project, limit=limit, before=before)

    store = Broken()
    work(store, by_default(), *ENGLISH)
    one.run(by_default())
    one.run(None)
    worker = Renewal(Resources(store, multilingual_only()))  # type: ignore[arg-type]
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)

    tries = [worker.work(), worker.work()]
    store.is_broken = False
    monkeypatch.setattr(time, "monotonic", lambda: now + MAX_S)
    worker.work()
    monkeypatch.undo()
    monkeypatch.setenv("BEHAVIOR_HOME", str(one._folder))
    while worker.work():
        pass

    assert tries == [False, False]
    assert models(store) == {E5: 20}


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"usual": 7}'])
def test_a_damaged_note_costs_no_more_than_itself(one: Machine, store: FakeStore, damage: str) -> None:
    work(store, by_default(), *ENGLISH)
    one.run(by_default())
    (one._folder / "embedders.json").write_text(damage)

    one.run(multilingual_only())
    one.run(by_default())

    assert models(store) == {MINILM: 20}


@pytest.mark.timeout(10)
def test_a_note_that_is_no_file_is_replaced(one: Machine, store: FakeStore) -> None:
    """A worker that opens a pipe would wait for its writer for ever."""
    work(store, by_default(), *ENGLISH)
    one.run(by_default())
    note = one._folder / "embedders.json"
    note.unlink()
    os.mkfifo(note)

    one.run(multilingual_only())

    assert note.is_file()


def test_no_embedder_does_nothing(one: Machine, store: FakeStore) -> None:
    work(store, by_default(), *ENGLISH)

    assert one.run(None).work() is False
    assert models(store) == {MINILM: 20}
