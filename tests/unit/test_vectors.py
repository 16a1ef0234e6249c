"""Which model makes the vectors of a project, and makes them anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from behavior_plugin.embed import E5, MINILM, Embedder, Embedders, LazyEmbedder
from behavior_plugin.errors import EmbedError
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.model import Context
from behavior_plugin.vectors import Outdated, embed_anew, survey
from tests.factories import make_action, make_turn
from tests.fakes import FakeEmbedder, FakeStore

KOREAN = "쇼핑몰을 스테이징에 배포해줘"


class English(FakeEmbedder):
    """Stands for MiniLM: it can read ASCII only."""

    model = MINILM

    def can_read(self, text: str) -> bool:
        return text.isascii()


class Multilingual(FakeEmbedder):
    """Stands for e5."""

    model = E5


def by_default(other: Callable[[], Embedder] = Multilingual, *, is_installed: bool = True) -> Embedders:
    """The embedders of the default settings."""
    return Embedders(English(), {E5: LazyEmbedder(other, lambda: is_installed)}, fallback=E5)


def without_extra() -> Embedders:
    return by_default(is_installed=False)


def work(store: FakeStore, embedder: Embedder, *prompts: str, project: str = "/p") -> None:
    """Learn a piece of work for each prompt, one after the other."""
    for prompt in prompts:
        turn = make_turn(prompt, make_action(parameters={"command": "make test"}), context=Context(project=project))
        save_turns([turn.model_copy(update={"session_id": turn.source_key})], store)
        compute_patterns(embedder=embedder, store=store)


def models(store: FakeStore, project: str = "/p") -> dict[str, int]:
    return dict(Counter(model for name, model, count in store.embedded() for _ in range(count) if name == project))


def test_a_new_project_is_embedded_by_the_model_that_can_read_the_prompt() -> None:
    """There is nothing else to see its language by."""
    store = FakeStore()

    work(store, by_default(), KOREAN, "fix the tests", project="/new")

    assert models(store, "/new") == {MINILM: 1, E5: 1}


def test_a_project_is_embedded_by_the_model_that_can_read_it() -> None:
    """One English prompt in a Korean project is embedded like the others, and the other way round."""
    store, embedders = FakeStore(), by_default()

    work(store, embedders, *[f"{KOREAN} {number}" for number in range(6)], "fix the tests")
    work(store, embedders, *[f"fix the tests {number}" for number in range(6)], KOREAN, project="/english")

    assert models(store) == {E5: 7}
    assert models(store, "/english") == {MINILM: 7}


def test_without_the_extra_all_is_embedded_by_one_model() -> None:
    """Such vectors are not compared; they are made anew once the extra is there."""
    store = FakeStore()

    work(store, without_extra(), *[f"{KOREAN} {number}" for number in range(6)])

    assert models(store) == {MINILM: 6}


def test_an_extra_that_cannot_run_stops_no_learning() -> None:
    """The first try fails; the next knows that."""

    def broken() -> Embedder:
        raise EmbedError("It needs another processor.")

    store, embedders = FakeStore(), by_default(broken)

    with pytest.raises(EmbedError):
        work(store, embedders, KOREAN)
    compute_patterns(embedder=embedders, store=store)

    assert models(store) == {MINILM: 1}
    assert "another processor" in embedders.problem


def test_an_extra_that_came_later_makes_the_vectors_anew() -> None:
    store = FakeStore()
    work(store, without_extra(), *[f"{KOREAN} {number}" for number in range(40)])
    work(store, without_extra(), *[f"fix the tests {number}" for number in range(6)], project="/english")

    [rows] = survey(by_default(), store).outdated
    batches = list(embed_anew(by_default(), store, rows))

    assert rows == Outdated("/p", MINILM, E5, 40, is_unreadable=True)
    assert batches == [16, 16, 8]
    assert (models(store), models(store, "/english")) == ({E5: 40}, {MINILM: 6})
    assert store.unfolded_projects() == ["/p"]
    assert survey(by_default(), store).outdated == ()


def test_projects_that_nothing_installed_can_read_are_told() -> None:
    """So that the extra can be offered."""
    store = FakeStore()
    embedders = without_extra()
    work(store, embedders, *[f"{KOREAN} {number}" for number in range(6)])
    work(store, embedders, *[f"fix the tests {number}" for number in range(6)], project="/english")
    work(store, embedders, *[KOREAN] * 3, project="/new")

    assert survey(embedders, store).unreadable == ("/p",)
    assert survey(by_default(), store).unreadable == ()
    assert survey(FakeEmbedder(), store).unreadable == ()


def test_an_interrupted_run_goes_on_where_it_was() -> None:
    """Each row is saved by itself."""
    store = FakeStore()
    work(store, without_extra(), *[f"{KOREAN} {number}" for number in range(40)])
    [rows] = survey(by_default(), store).outdated

    next(embed_anew(by_default(), store, rows))
    left = models(store)
    [again] = survey(by_default(), store).outdated
    made = sum(embed_anew(by_default(), store, again))

    assert left == {MINILM: 24, E5: 16}
    assert (made, models(store)) == (24, {E5: 40})


def test_the_newest_are_made_first() -> None:
    """They are asked for most."""
    store = FakeStore()
    work(store, without_extra(), *[f"{KOREAN} {number}" for number in range(20)])
    [rows] = survey(by_default(), store).outdated

    next(embed_anew(by_default(), store, rows))

    left = store.embedded_by(MINILM, project="/p", limit=99)
    assert [each.text for each in left] == [f"{KOREAN} {number}" for number in (3, 2, 1, 0)]


def test_each_is_made_once_also_if_another_machine_changes_it_back() -> None:
    """Two machines would otherwise be at it for ever."""
    store = FakeStore()
    work(store, without_extra(), *[f"{KOREAN} {number}" for number in range(20)])
    [rows] = survey(by_default(), store).outdated

    made = 0
    for count in embed_anew(by_default(), store, rows):
        made += count
        store.vectors = {key: ([1.0], MINILM) for key in store.vectors}

    assert made == 20


def test_a_text_that_the_model_fails_on_has_no_vector() -> None:
    """It is not asked for again."""

    class Crashing(Multilingual):
        def embed(self, texts: Sequence[str]) -> list[list[float]]:
            if any("crash" in text for text in texts):
                raise EmbedError("The model failed on a text.")
            return super().embed(texts)

    store = FakeStore()
    work(store, by_default(Crashing), *[f"{KOREAN} {number}" for number in range(6)], f"{KOREAN} crash")

    assert models(store) == {E5: 7}
    assert sum(vector is None for vector, _ in store.vectors.values()) == 1


def test_a_language_is_not_judged_again_as_long_as_nothing_is_new() -> None:
    """A survey comes after each session, over all projects."""

    class Counting(FakeStore):
        reads = 0

        def newest_triggers(self, project: str, *, limit: int) -> list[str]:
            self.reads += 1
            return super().newest_triggers(project, limit=limit)

    store, embedders = Counting(), by_default()
    work(store, embedders, *[f"fix the tests {number}" for number in range(6)])

    reads = []
    for _ in range(2):
        survey(embedders, store)
        reads.append(store.reads)

    assert reads[0] == reads[1]
