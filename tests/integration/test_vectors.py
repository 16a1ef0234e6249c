"""Vectors in a real database: which model made them, and how another one makes them anew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import psycopg
import pytest

from behavior_plugin.embed import DIMENSIONS, E5, MINILM, Embedder, Embedders, LazyEmbedder
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.model import Context
from behavior_plugin.recall import Recaller
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.store.postgres import PostgresStore
from behavior_plugin.vectors import embed_anew, survey
from tests.database import member
from tests.factories import make_action, make_turn
from tests.fakes import FakeEmbedder

KOREAN = "쇼핑몰을 스테이징에 배포해줘"
HERE = Context(directory="/p", project="/p")


class Padded(FakeEmbedder):
    """With as many numbers as the column has."""

    numbers = 384

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        vectors = super().embed(texts)
        return [[*vector[:384], *[0.0] * (DIMENSIONS - 385), 0.1] for vector in vectors]


class English(Padded):
    model = MINILM

    def can_read(self, text: str) -> bool:
        return text.isascii()


class Multilingual(Padded):
    model = E5


def embedders(*, is_installed: bool = True) -> Embedders:
    return Embedders(English(), {E5: LazyEmbedder(Multilingual, lambda: is_installed)}, fallback=E5)


def learn(store: PostgresStore, embedder: Embedder, *prompts: str) -> None:
    for prompt in prompts:
        turn = make_turn(prompt, make_action(parameters={"command": "make test"}), context=HERE)
        save_turns([turn.model_copy(update={"session_id": turn.source_key})], store)
    compute_patterns(embedder=embedder, store=store)


@pytest.fixture
def others_store(server: Server, database: str, owner: psycopg.Connection) -> Iterator[PostgresStore]:
    """The store of another member of the same database."""
    member(owner, server, "behavior_neighbour")
    opened = PostgresStore(server.conninfo("behavior_neighbour", database))
    yield opened
    opened.close()


@pytest.fixture(params=["behavior_patterns", "memories"])
def storage(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_project_is_made_anew_with_its_patterns(store: PostgresStore) -> None:
    """The extra came later. Until the vectors are made, work is found by its letters."""
    learn(store, embedders(is_installed=False), *[f"{KOREAN} {number}" for number in range(20)])
    before = survey(embedders(is_installed=False), store)

    def asked() -> list[str]:
        recaller = Recaller()
        found = recaller.recall(KOREAN, HERE, embedder=embedders(), store=store, min_odds=0.3)
        return [each.reason for each in found]

    by_letters = asked()
    [rows] = survey(embedders(), store).outdated
    run = embed_anew(embedders(), store, rows)
    made = [next(run)]
    half, while_changing = store.embedded(), asked()
    made += run
    compute_patterns(embedder=embedders(), store=store)

    assert (before.outdated, before.unreadable) == ((), ("/p",))
    assert (made, half) == ([16, 4], [("/p", MINILM, 4), ("/p", E5, 16)])
    assert store.embedded() == [("/p", E5, 20)]
    assert len(by_letters) == len(while_changing) == len(asked()) == 1
    [trigger, *_] = store.triggers(models={E5: 384}, project="/p")
    assert (trigger.model, trigger.embedding is not None) == (E5, True)
    assert survey(embedders(), store).outdated == ()


def test_patterns_get_the_new_vectors(store: PostgresStore, owner: psycopg.Connection) -> None:
    """Another program searches their table."""
    learn(store, embedders(is_installed=False), *[f"{KOREAN} {number}" for number in range(6)])
    [rows] = survey(embedders(), store).outdated

    list(embed_anew(embedders(), store, rows))
    compute_patterns(embedder=embedders(), store=store)

    column = {
        "behavior_patterns": "select distinct embedding_model from public.behavior_patterns",
        "memories": "select distinct metadata ->> 'embedding_model' from public.memories",
    }[store._storage]
    assert owner.execute(column.encode()).fetchall() == [(E5,)]


def test_the_work_of_others_is_left_alone(store: PostgresStore, others_store: PostgresStore, storage: str) -> None:
    """It is not even counted."""
    if storage == "memories":
        others_store._storage = "memories"
    korean = [f"{KOREAN} {number}" for number in range(6)]
    learn(others_store, embedders(is_installed=False), *korean)
    learn(store, embedders(is_installed=False), *korean)

    [rows] = survey(embedders(), store).outdated
    made = sum(embed_anew(embedders(), store, rows))

    assert (rows.count, made) == (6, 6)
    assert store.newest_triggers("/p", limit=3) == korean[-3:]
    assert store.embedded() == [("/p", E5, 6)]
    assert others_store.embedded() == [("/p", MINILM, 6)]


def test_rows_of_the_same_moment_are_all_found(store: PostgresStore) -> None:
    """An import may have hundreds of them."""
    turns = [make_turn(f"{KOREAN} {number}", make_action(), context=HERE) for number in range(40)]
    same = [
        each.model_copy(update={"session_id": each.source_key, "started_at": turns[0].started_at}) for each in turns
    ]
    save_turns(same, store)
    compute_patterns(embedder=embedders(is_installed=False), store=store)

    [rows] = survey(embedders(), store).outdated
    made = sum(embed_anew(embedders(), store, rows))

    assert made == sum(count for _, _, count in store.embedded())
    assert {model for _, model, _ in store.embedded()} == {E5}


def test_state_changes_with_each_vector_that_is_made_anew(store: PostgresStore) -> None:
    """Another worker makes them, and this one has read the former ones."""
    learn(store, embedders(is_installed=False), *[f"{KOREAN} {number}" for number in range(20)])

    def state() -> tuple[object, ...]:
        return store.state(models=[MINILM, E5], project="/p")

    [rows] = survey(embedders(), store).outdated
    states = [state()]
    for _ in embed_anew(embedders(), store, rows):
        states.append(state())

    assert len({str(each) for each in states}) == 3
