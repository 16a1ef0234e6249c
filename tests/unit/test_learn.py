"""Learning, from the events of a session to the rows of the store."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedError, StoreError, StoreUnavailableError
from behavior_plugin.learn import learn, save, save_new, session_patterns
from behavior_plugin.model import Event, Outcome, Pattern, Saved
from tests.factories import make_call, make_event, make_pattern, make_prompt
from tests.fakes import FakeEmbedder, FakeStore

SECRET = "ghp_" + "A1b2C3d4E5" * 3 + "F6g7H8"


class RefusingStore(FakeStore):
    """Refuses one trigger and every lookup, as a real store does with text that is not UTF-8."""

    def __init__(self, refused: str, error: type[StoreError] = StoreError) -> None:
        super().__init__()
        self._refused = refused
        self._error = error

    def save(self, pattern: Pattern, embedding: Sequence[float] | None, model: str | None) -> Saved:
        if pattern.trigger == self._refused:
            raise self._error("refused")
        return super().save(pattern, embedding, model)

    def known(self, patterns: Sequence[Pattern], *, with_embedding: bool) -> set[str]:
        raise self._error("refused")


class BrokenEmbedder(FakeEmbedder):
    """Embeds nothing, as a service that is down."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        raise EmbedError("down")


def work(outcome: Outcome = Outcome.SUCCESS, *, prompt: str = "fix the login test") -> list[Event]:
    """A session of one piece of work."""
    return [make_prompt(prompt, prompt_key=prompt), make_call(outcome=outcome), make_event("turn_end")]


def learn_one(events: Sequence[Event], *, embedder: Embedder | None = None, follows: str | None = None) -> Pattern:
    """The only pattern that the store has after these events."""
    store = FakeStore()
    learn(events, embedder=embedder, store=store, follows=follows)
    [stored] = store.patterns
    return stored


@pytest.mark.parametrize(
    ("outcome", "expected"), [(Outcome.SUCCESS, 0.60), (Outcome.PARTIAL, 0.39), (Outcome.FAILED, 0.22)]
)
def test_confidence_follows_from_the_outcome(outcome: Outcome, expected: float) -> None:
    """One observation moves the prior, and the store gets the value."""
    stored = learn_one(work(outcome))

    assert stored.final_outcome is outcome
    assert stored.confidence == pytest.approx(expected, abs=0.01)


def test_trigger_is_embedded_and_stored_with_its_model() -> None:
    """Vectors of different models cannot be compared, so each row names its own."""
    embedder, store = FakeEmbedder(), FakeStore()

    learn(work(prompt="fix the login test"), embedder=embedder, store=store)

    assert embedder.texts == ["fix the login test"]
    [(_, embedding, model)] = store.rows
    assert embedding == FakeEmbedder().embed(["fix the login test"])[0]
    assert model == embedder.model


def test_redaction_comes_before_embedding_and_storing() -> None:
    """An embedder may be a service on the network."""
    embedder, store = FakeEmbedder(), FakeStore()

    learned = learn(work(prompt=f"deploy with the token {SECRET} now"), embedder=embedder, store=store)

    assert SECRET not in " ".join(embedder.texts)
    assert SECRET not in repr(store.rows)
    assert SECRET not in repr(learned)
    assert store.count() == 1


def test_pattern_names_the_session_that_it_follows() -> None:
    """After /clear the same work goes on in another session."""
    assert learn_one(work(), follows="earlier").provenance.follows == "earlier"
    assert learn_one(work()).provenance.follows is None


def test_learning_again_stores_nothing_new() -> None:
    """A worker that dies after storing learns the session again."""
    store, events = FakeStore(), work()

    first, again = (learn(events, embedder=FakeEmbedder(), store=store) for _ in range(2))

    assert first == again
    assert store.count() == 1


def test_store_that_refuses_a_pattern_fails_the_session() -> None:
    """The session stays in the spool, with the store's reason."""
    with pytest.raises(StoreError, match="refused"):
        learn(work(prompt="fix the login test"), embedder=None, store=RefusingStore("fix the login test"))


def test_without_an_embedder_patterns_are_stored_without_a_vector() -> None:
    """Word search finds them."""
    store = FakeStore()

    learn(work(), embedder=None, store=store)

    assert [row[1:] for row in store.rows] == [(None, None)]


def test_text_that_cannot_be_embedded_is_stored_without_a_vector() -> None:
    """A lone sign has no words; the patterns beside it get their vectors."""
    store = FakeStore()
    patterns = [make_pattern(trigger=" "), make_pattern(trigger="fix the login test")]

    saved = save(patterns, embedder=FakeEmbedder(), store=store)

    assert saved == [Saved.ADDED, Saved.ADDED]
    assert [embedding is None for _, embedding, _ in store.rows] == [True, False]


def test_embedder_that_is_down_fails_the_session() -> None:
    """Stored without their vectors, the patterns of an outage would never be found by meaning."""
    store = FakeStore()

    with pytest.raises(EmbedError, match="down"):
        save([make_pattern()], embedder=BrokenEmbedder(), store=store)

    assert store.count() == 0


def test_refused_pattern_does_not_stop_the_others() -> None:
    """Each gets its own result, in order."""
    store = RefusingStore("bad")
    patterns = [make_pattern(trigger=trigger) for trigger in ("good", "bad", "better")]

    first, refused, last = save(patterns, embedder=None, store=store)

    assert (first, last) == (Saved.ADDED, Saved.ADDED)
    assert isinstance(refused, StoreError)


def test_store_that_is_down_stops_saving() -> None:
    """Nothing after it could be saved either, and all of it is tried again."""
    with pytest.raises(StoreUnavailableError):
        save([make_pattern(trigger="bad")], embedder=None, store=RefusingStore("bad", StoreUnavailableError))


def test_known_patterns_are_not_embedded_again() -> None:
    """An import that runs again costs no embedding."""
    store, embedder = FakeStore(), FakeEmbedder()
    known, new = make_pattern(trigger="fix the login test"), make_pattern(trigger="add a dark theme")
    store.save(known, None, None)

    saved = save_new([known, new], embedder=embedder, store=store)

    assert set(saved) == {Saved.UNCHANGED, Saved.ADDED}
    assert len(saved) == 2
    assert embedder.texts == ["add a dark theme"]


def test_patterns_that_cannot_be_looked_up_are_saved_one_by_one() -> None:
    """Saving then names the pattern that the store refuses."""
    store = RefusingStore("bad")

    good, bad = save_new([make_pattern(trigger="good"), make_pattern(trigger="bad")], embedder=None, store=store)

    assert good is Saved.ADDED
    assert isinstance(bad, StoreError)


def test_lookup_of_known_patterns_reports_a_store_that_is_down() -> None:
    """An outage is not a refusal."""
    with pytest.raises(StoreUnavailableError):
        save_new([make_pattern()], embedder=None, store=RefusingStore("", StoreUnavailableError))


def test_session_patterns_leave_without_secrets() -> None:
    """An import hands them to another process."""
    [pattern] = session_patterns(work(prompt=f"deploy with the token {SECRET} now"), follows="earlier")

    assert SECRET not in pattern.model_dump_json()
    assert pattern.provenance.follows == "earlier"
