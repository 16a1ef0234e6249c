"""Learning, from the events of a session to evidence, vectors and patterns."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedError, StoreError, StoreUnavailableError
from behavior_plugin.learn import (
    compute_all_possible,
    compute_patterns,
    learn,
    save_all_possible,
    save_turns,
    session_turns,
    take_over,
)
from behavior_plugin.model import Context, Event, Outcome, Turn
from behavior_plugin.patterns.evidence import DIGEST_VERSION, episodes_of
from behavior_plugin.store import Computed, Run
from behavior_plugin.vectors import PROBE_TEXT
from behavior_plugin.workflow import Digest, Episode, Occurrence, Remark, RemarkKind, Saved, StoredPattern, Workflow
from tests.factories import START, make_action, make_call, make_event, make_pattern, make_prompt
from tests.fakes import FakeEmbedder, FakeStore

SECRET = "ghp_" + "A1b2C3d4E5" * 3 + "F6g7H8"


class RefusingStore(FakeStore):
    """Refuses a session with one prompt, as a real store does with text that is not UTF-8."""

    def __init__(self, refused: str, error: type[StoreError] = StoreError) -> None:
        super().__init__()
        self._refused = refused
        self._error = error

    def replace_sessions(self, session_ids: Any, episodes: Sequence[Episode]) -> None:
        if any(turn.prompt == self._refused for episode in episodes for turn in episode.turns):
            raise self._error("refused")
        super().replace_sessions(session_ids, episodes)


class PatternRefusingStore(FakeStore):
    """Refuses the patterns of one project, as a real store does with rows that are too large."""

    def __init__(self, error: type[StoreError] = StoreError) -> None:
        super().__init__()
        self._error = error

    def replace_patterns(self, project: str, patterns: Sequence[Computed], pattern_keys: Mapping[str, str]) -> None:
        if project == "a-refused":
            raise self._error("refused")
        super().replace_patterns(project, patterns, pattern_keys)


class NewerStore(FakeStore):
    """Has runs that only a newer version can read."""

    def runs(self, source_keys: Iterable[str]) -> list[Run]:
        return []


class BrokenEmbedder(FakeEmbedder):
    """Embeds nothing, as a service that is down."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        raise EmbedError("down")


class FadingEmbedder(FakeEmbedder):
    """A service that refuses a batch, may answer once more, and is down from then on."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = 0

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self._calls += 1
        if self._calls == 2 and list(texts) == [PROBE_TEXT]:
            return super().embed(texts)
        raise EmbedError("down")


def work(
    outcome: Outcome = Outcome.SUCCESS, *, prompt: str = "fix the login test", command: str = "make test"
) -> list[Event]:
    """A session of one piece of work."""
    call = make_call(outcome=outcome, parameters={"command": command})
    return [make_prompt(prompt), call, make_event("turn_end")]


def turn(
    key: str, prompt: str = "fix the login test", *commands: str, session: str = "session", **changes: Any
) -> Turn:
    """A turn that ran these commands, by default the tests."""
    at = START + timedelta(seconds=len(key))
    actions = tuple(
        make_action(id=f"{key}-{number}", parameters={"command": command}, timestamp=at)
        for number, command in enumerate(commands or ("make test",))
    )
    fields = {
        "source_key": key,
        "session_id": session,
        "prompt": prompt,
        "started_at": at,
        "context": {"project": "shop"},
    }
    return Turn(**{**fields, "actions": actions, **changes})


def learn_whole(
    events: Sequence[Event], *, embedder: Embedder | None, store: FakeStore, follows: str | None = None
) -> list[Turn]:
    """Learn from a session as the worker does when no other waits."""
    turns = learn(events, store=store, follows=follows)
    compute_all_possible(embedder=embedder, store=store)
    return turns


def learn_one(
    events: Sequence[Event], *, embedder: Embedder | None = None, follows: str | None = None
) -> StoredPattern:
    """The only pattern that the store has after these events."""
    store = FakeStore()
    learn_whole(events, embedder=embedder, store=store, follows=follows)
    [stored] = store.patterns
    return stored


def workflow_of(store: FakeStore) -> Workflow:
    [pattern] = store.patterns
    assert pattern.workflow
    return pattern.workflow


def test_trigger_is_embedded_and_stored_with_its_model() -> None:
    """Vectors of different models cannot be compared, so each row names its own."""
    embedder, store = FakeEmbedder(), FakeStore()

    learn_whole(work(prompt="fix the login test"), embedder=embedder, store=store)

    assert embedder.texts == ["fix the login test"]
    [(_, embedding, model)] = store.rows
    assert embedding == FakeEmbedder().embed(["fix the login test"])[0]
    assert model == embedder.model


def test_redaction_comes_before_embedding_and_storing() -> None:
    """An embedder may be a service on the network."""
    embedder, store = FakeEmbedder(), FakeStore()

    learned = learn_whole(work(prompt=f"deploy with the token {SECRET} now"), embedder=embedder, store=store)

    assert SECRET not in " ".join(embedder.texts)
    assert SECRET not in repr([store.rows, store.told, learned])
    assert store.count() == 1


def test_evidence_names_the_session_that_it_follows() -> None:
    """After /clear the same work goes on in another session."""
    assert learn_one(work(), follows="earlier").provenance.follows == "earlier"
    assert learn_one(work()).provenance.follows is None


def test_learning_again_stores_nothing_new() -> None:
    """A worker that dies after storing learns the session again."""
    store, events, embedder = FakeStore(), work(), FakeEmbedder()

    first, again = (learn_whole(events, embedder=embedder, store=store) for _ in range(2))

    assert first == again
    assert store.count() == 1
    assert workflow_of(store).times == 1
    assert embedder.texts == ["fix the login test"]


def test_same_job_in_two_sessions_is_one_pattern_with_two_triggers() -> None:
    """Five times "commit" is one way of working."""
    store, embedder = FakeStore(), FakeEmbedder()

    save_turns([turn("a", session="one"), turn("bb", "run the tests once more", session="two")], store)
    compute_patterns(embedder=embedder, store=store)

    workflow = workflow_of(store)
    assert (workflow.times, workflow.worked, workflow.sessions) == (2, 2, 2)
    assert set(workflow.triggers) == {"fix the login test", "run the tests once more"}
    assert set(embedder.texts) == set(workflow.triggers)


def test_any_order_and_any_repetition_of_sessions_gives_the_same_patterns() -> None:
    """Sessions are learned live, imported in parallel, and imported again."""
    turns = [
        turn("a", session="one"),
        turn("bb", "run the tests once more", session="two"),
        turn("ccc", "commit it", "git commit -m x", session="two"),
        turn("dddd", "write the release notes", "git tag v1", "git push", session="three"),
        turn("eeeee", "fix the login test again", session="four", is_ended=False),
    ]
    known: list[list[dict[str, Any]]] = []

    for seed in range(10):
        order = random.Random(seed).sample(turns, len(turns))
        store = FakeStore()
        for each in [*order, *order[:2]]:
            save_turns([each], store)
            if seed % 2:
                compute_patterns(embedder=None, store=store)
        compute_patterns(embedder=None, store=store)
        patterns = sorted(store.patterns, key=lambda pattern: pattern.source_key)
        known.append([pattern.model_dump(exclude={"id"}) for pattern in patterns])

    assert len(known[0]) > 1
    assert all(each == known[0] for each in known)


def test_forgetting_a_session_takes_back_what_it_taught() -> None:
    """Its lessons and its odds go too, and a pattern that stood on it alone."""
    store = FakeStore()
    save_turns([turn("a", session="one")], store)
    compute_patterns(embedder=None, store=store)
    before = [pattern.model_dump(exclude={"id"}) for pattern in store.patterns]
    save_turns([turn("bb", session="two"), turn("ccc", "tag it", "git tag v1", session="two")], store)
    compute_patterns(embedder=None, store=store)
    assert len(store.patterns) == 2

    store.forget_session("two")
    compute_patterns(embedder=None, store=store)

    assert [pattern.model_dump(exclude={"id"}) for pattern in store.patterns] == before


def test_row_of_a_caller_survives_every_computation() -> None:
    """The guide's insert and SDKs write rows of their own."""
    store = FakeStore()
    written = make_pattern(context={"project": "shop"})
    store.add(written)

    save_turns([turn("a")], store)
    compute_patterns(embedder=None, store=store)
    store.forget_session("session")
    compute_patterns(embedder=None, store=store)

    assert [pattern.source_key for pattern in store.patterns] == [written.source_key]


def test_store_that_refuses_a_session_fails_it() -> None:
    """The session stays in the spool, with the store's reason."""
    with pytest.raises(StoreError, match="refused"):
        learn(work(prompt="fix the login test"), store=RefusingStore("fix the login test"))


def test_without_an_embedder_patterns_are_stored_without_a_vector() -> None:
    """Word search finds them."""
    store = FakeStore()

    learn_whole(work(), embedder=None, store=store)

    assert [row[1:] for row in store.rows] == [(None, None)]


def test_text_that_cannot_be_embedded_is_stored_without_a_vector_and_not_tried_again() -> None:
    """A lone sign has no words; the triggers beside it get their vectors."""
    store, embedder = FakeStore(), FakeEmbedder()
    save_turns([turn("a", " \u2603 ".strip() + " ", session="one"), turn("bb", session="two")], store)
    store.told["a"] = store.told["a"].model_copy(
        update={"turns": (store.told["a"].turns[0].model_copy(update={"prompt": " "}),)}
    )

    compute_patterns(embedder=embedder, store=store)
    tried = len(embedder.texts)
    compute_patterns(embedder=embedder, store=store)

    assert {key: vector is None for key, (vector, _) in store.vectors.items()} == {"a": True, "bb": False}
    assert len(embedder.texts) == tried


def test_embedder_that_is_down_loses_no_evidence() -> None:
    """The patterns are found by their words, and get their vectors when it is back."""
    store = FakeStore()

    with pytest.raises(EmbedError, match="down"):
        learn_whole(work(), embedder=BrokenEmbedder(), store=store)
    assert store.count() == 1
    compute_patterns(embedder=FakeEmbedder(), store=store)

    assert all(vector for vector, _ in store.vectors.values())


def test_failure_of_the_service_is_not_blamed_on_the_text() -> None:
    """It may fail in the middle of a batch; a text marked as unfit would never be embedded again."""
    store = FakeStore()

    with pytest.raises(EmbedError, match="down"):
        learn_whole(work(), embedder=FadingEmbedder(), store=store)

    assert store.vectors == {}


def test_refused_patterns_stop_no_others_and_fail_no_session() -> None:
    """The evidence of the session is saved: it would be lost to nobody, and a dead letter all the same."""
    store = PatternRefusingStore()
    other = [each.model_copy(update={"context": Context(project="b"), "session_id": "b"}) for each in work()]
    refused = [each.model_copy(update={"context": Context(project="a-refused")}) for each in work()]

    learn_whole(refused, embedder=None, store=store)
    learn_whole(other, embedder=None, store=store)

    assert len(store.told) == 2
    assert [pattern.context.project for pattern in store.patterns] == ["b"]
    with pytest.raises(StoreError, match="refused"):
        compute_patterns(embedder=None, store=store)


def test_a_store_that_goes_away_before_the_patterns_is_reported() -> None:
    """They are computed when it is back."""
    refused = [each.model_copy(update={"context": Context(project="a-refused")}) for each in work()]

    with pytest.raises(StoreUnavailableError):
        learn_whole(refused, embedder=None, store=PatternRefusingStore(StoreUnavailableError))


def test_a_run_of_a_newer_version_fails_no_session() -> None:
    """Its pattern stays as the newer version has computed it."""
    store = NewerStore()

    learn_whole(work(), embedder=None, store=store)

    assert len(store.told) == 1
    assert store.patterns == []
    assert store.unfolded_projects() == []


def test_refused_turn_does_not_stop_the_others() -> None:
    """Each gets its own result, in order."""
    turns = [turn("a", "good", session="one"), turn("bb", "bad", session="two"), turn("ccc", "better", session="three")]

    first, refused, last = save_all_possible(turns, RefusingStore("bad"))

    assert (first, last) == (Saved.ADDED, Saved.ADDED)
    assert isinstance(refused, StoreError)


def test_store_that_is_down_stops_saving() -> None:
    """Nothing after it could be saved either, and all of it is tried again."""
    with pytest.raises(StoreUnavailableError):
        save_all_possible([turn("a", "bad")], RefusingStore("bad", StoreUnavailableError))


def test_session_turns_leave_without_secrets() -> None:
    """An import hands them to another process."""
    [turned] = session_turns(work(prompt=f"deploy with the token {SECRET} now"), follows="earlier")

    assert SECRET not in turned.model_dump_json()
    assert turned.provenance.follows == "earlier"


# Follow-through


def shown(pattern: StoredPattern, *, session: str, second: int) -> Remark:
    assert pattern.workflow
    return Remark(
        pattern_key=pattern.source_key,
        kind=RemarkKind.SHOWN,
        made_at=START + timedelta(seconds=second),
        session_id=session,
        steps=("make test",),
    )


def test_suggestion_that_was_followed_is_counted_with_its_outcome() -> None:
    """It is known when the session is learned."""
    store = FakeStore()
    save_turns([turn("a", session="one")], store)
    compute_patterns(embedder=None, store=store)
    store.add_remark(shown(store.patterns[0], session="two", second=60))

    later = turn("bb", session="two", started_at=START + timedelta(seconds=59))
    save_turns([later], store)
    compute_patterns(embedder=None, store=store)

    workflow = workflow_of(store)
    assert (workflow.shown, workflow.followed) == (1, 1)


def test_a_withheld_suggestion_is_judged_and_changes_no_pattern() -> None:
    """It is the other half of a comparison, and says nothing about the pattern."""
    store = FakeStore()
    save_turns([turn("a", session="one")], store)
    compute_patterns(embedder=None, store=store)
    before = store.patterns[0]
    withheld = shown(store.patterns[0], session="two", second=60).model_copy(update={"kind": RemarkKind.WITHHELD})
    store.add_remark(withheld)

    save_turns([turn("bb", session="two", started_at=START + timedelta(seconds=59), context={"project": "b"})], store)
    compute_patterns(embedder=None, store=store)

    assert [(each.is_followed, each.outcome) for each in store.said] == [(True, Outcome.SUCCESS)]
    assert [each for each in store.patterns if each.source_key == before.source_key] == [before]


def test_suggestions_that_are_ignored_weaken_a_pattern() -> None:
    """Noise fades by itself."""
    store = FakeStore()
    save_turns([turn("a", session="one")], store)
    compute_patterns(embedder=None, store=store)
    before = store.patterns[0].confidence

    for number in range(8):
        session = f"other {number}"
        store.add_remark(shown(store.patterns[0], session=session, second=100 * number + 60))
        at = START + timedelta(seconds=100 * number + 59)
        save_turns([turn(f"key {number}", "move it", "git push", session=session, started_at=at)], store)
    compute_patterns(embedder=None, store=store)

    pattern = next(each for each in store.patterns if each.workflow and each.workflow.shown)
    assert pattern.confidence < before


# Evidence of earlier versions


def test_evidence_of_an_earlier_version_is_computed_again() -> None:
    """Better rules serve old work too; bare replies that once were tasks begin no pattern any more."""
    store = FakeStore()
    save_turns([turn("a", session="one"), turn("bb", "no, do it differently", "make lint", session="two")], store)
    for key, episode in store.told.items():
        store.told[key] = episode.model_copy(update={"digest": Digest(version=1, job="old")})

    take_over(store)
    compute_patterns(embedder=None, store=store)

    assert {each.digest.version for each in store.told.values()} == {DIGEST_VERSION}
    assert [pattern.trigger for pattern in store.patterns] == ["fix the login test"]


class BuggyStore(PatternRefusingStore):
    """A project that a rule of ours cannot compute."""

    def occurrences(self, project: str) -> list[Occurrence]:
        if project == "a-refused":
            raise IndexError("tuple index out of range")
        return super().occurrences(project)


def test_a_mistake_of_ours_about_one_project_stops_no_others() -> None:
    """It would keep all of them from being computed, at each try again."""
    store = BuggyStore()
    for project in ("a-refused", "b"):
        events = [
            each.model_copy(update={"context": Context(project=project), "session_id": project}) for each in work()
        ]
        learn(events, store=store)

    compute_all_possible(embedder=None, store=store)

    assert [pattern.context.project for pattern in store.patterns] == ["b"]


def test_a_turn_that_no_rule_can_read_is_refused_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of an import are learned."""
    store, good, bad = FakeStore(), turn("good", session="one"), turn("bad", "poison", session="two")

    def compute(turns: Sequence[Turn]) -> list[Episode]:
        if any(each.prompt == "poison" for each in turns):
            raise IndexError("tuple index out of range")
        return episodes_of(turns)

    monkeypatch.setattr("behavior_plugin.learn.episodes_of", compute)

    kept, refused = save_all_possible([good, bad], store)

    assert kept is Saved.ADDED
    assert str(refused) == "The turn cannot be learned from (IndexError)."
