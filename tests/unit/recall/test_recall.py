"""Recall leads from a prompt to suggestions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.embed import Embedder, Embedders, LazyEmbedder
from behavior_plugin.errors import EmbedError
from behavior_plugin.model import Context, Outcome
from behavior_plugin.recall import MAX_PROMPT_CHARS, MIN_CONFIDENCE, Recaller, indexes
from behavior_plugin.workflow import Suggestion
from tests.factories import START, make_pattern, make_workflow
from tests.fakes import FakeEmbedder, FakeStore
from tests.waiting import wait_for

HERE = Context(directory="/home/dev/project", project="/home/dev/project", branch="main")
ELSEWHERE = Context(directory="/home/dev/other", project="/home/dev/other", branch="main")
SECRET = "ghp_" + "A1b2C3d4E5" * 3 + "F6g7H8"
PROMPT = "fix the login test"


def store_with(*patterns: dict[str, Any], embedder: Embedder | None = None) -> FakeStore:
    """A store in which callers wrote these patterns, by default the work of PROMPT."""
    store = FakeStore()
    for changes in patterns:
        pattern = make_pattern(**{"trigger": PROMPT, "started_at": START, "context": HERE, **changes})
        embedding = embedder.embed([pattern.trigger])[0] if embedder else None
        store.add(pattern, embedding, embedder.model if embedder else None)
    return store


def ask(text: str, *patterns: dict[str, Any], min_odds: float = 0.3, **changes: Any) -> list[Suggestion]:
    embedder = FakeEmbedder()
    store = store_with(*patterns, embedder=embedder)
    return Recaller().recall(text, HERE, **{"embedder": embedder, "store": store, "min_odds": min_odds, **changes})


def triggers(found: list[Suggestion]) -> list[str]:
    return [suggestion.pattern.trigger for suggestion in found]


def test_similar_prompt_recalls_the_pattern() -> None:
    """Three words of four are the same, so the cosine is 0.75."""
    [suggestion] = ask("fix the login form", {})

    assert suggestion.pattern.trigger == PROMPT
    assert suggestion.similarity == pytest.approx(0.75)
    assert 0.3 < suggestion.score < 1
    assert suggestion.reason == "the prompts are 75% alike, same project, same branch main"


def test_odds_decide_and_the_caller_says_which_are_enough() -> None:
    """A prompt gets likely work only; a person who asks wants to see near matches too."""
    assert ask("write some release notes", {}) == []
    assert ask("fix the login form", {}, min_odds=0.99) == []
    assert triggers(ask("fix some release notes", {}, min_odds=0.03)) == [PROMPT]


def test_courtesies_do_not_count() -> None:
    """They are the same in all prompts."""
    [plain], [polite] = ask(PROMPT, {}), ask(f"could you please {PROMPT}", {})

    assert plain.score == polite.score


def test_failed_work_is_found_only_on_request() -> None:
    """As a way it would do harm; a person wants to know that it was tried."""
    failed = {"final_outcome": Outcome.FAILED}

    assert ask(PROMPT, failed) == []
    assert triggers(ask(PROMPT, failed, with_failed=True)) == [PROMPT]


@pytest.mark.parametrize(
    ("changes", "is_offered"),
    [
        ({}, True),
        ({"confidence": MIN_CONFIDENCE}, True),
        ({"confidence": MIN_CONFIDENCE - 0.01}, False),
        ({"workflow": make_workflow(worked=0)}, False),
        ({"workflow": make_workflow(is_hidden=True)}, False),
    ],
)
def test_refused_and_hidden_patterns_are_not_offered(changes: dict[str, Any], is_offered: bool) -> None:
    """A pattern that harms fades by itself."""
    embedder, store = FakeEmbedder(), store_with({}, embedder=FakeEmbedder())
    [(stored, vector, model)] = store.rows
    store.rows = [(stored.model_copy(update={"workflow": make_workflow(), **changes}), vector, model)]
    trigger = store_with({"source_key": stored.source_key}, embedder=embedder).triggers
    store.triggers = trigger  # type: ignore[method-assign]

    found = Recaller().recall(PROMPT, HERE, embedder=embedder, store=store, min_odds=0.3)

    assert bool(found) is is_offered


def test_one_suggestion_for_each_pattern_up_to_the_limit() -> None:
    """The best of its triggers counts."""
    patterns = [{"trigger": f"{PROMPT} {number}"} for number in range(4)]

    assert len(ask(PROMPT, *patterns, min_odds=0, limit=3)) == 3
    assert len(ask(PROMPT, *patterns, min_odds=0, limit=9)) == 4


def test_a_session_is_not_shown_its_own_work() -> None:
    """It is in its context already, also after a resume."""
    own = {"session_id": "mine"}

    assert ask(PROMPT, own, session_id="mine") == []
    assert triggers(ask(PROMPT, own, session_id="another")) == [PROMPT]
    assert triggers(ask(PROMPT, {"session_id": ""}, session_id="")) == [PROMPT]


def test_prompt_is_redacted_before_it_is_embedded() -> None:
    """An embedder may be a service on the network."""
    embedder = FakeEmbedder()

    ask(f"deploy with the token {SECRET} now", {}, embedder=embedder)

    [text] = embedder.texts
    assert SECRET not in text
    assert text.startswith("deploy with the token ")


def test_long_prompt_is_cut_before_it_is_embedded() -> None:
    """A pasted log must not slow a prompt down."""
    embedder = FakeEmbedder()

    ask("word " * MAX_PROMPT_CHARS, {}, embedder=embedder)

    assert len(embedder.texts[0]) <= MAX_PROMPT_CHARS


def test_other_projects_are_searched_only_on_request() -> None:
    """Projects differ in their workflows; a branch of the same name in another says nothing."""
    assert ask(PROMPT, {"context": ELSEWHERE}) == []
    [found] = ask(PROMPT, {"context": ELSEWHERE}, everywhere=True)
    assert found.reason == "the prompts are 100% alike"


def test_blank_prompt_recalls_nothing_without_an_embedding() -> None:
    """An embedder rejects texts without words."""
    embedder = FakeEmbedder()

    assert ask(" \n", {}, embedder=embedder) == []
    assert embedder.texts == []


@pytest.mark.parametrize("embedder", [None, "down"])
def test_without_an_embedder_letters_decide(embedder: str | None) -> None:
    """There may be none, and a service may be down."""
    store = store_with({})
    chosen = DownEmbedder() if embedder else None

    def asked(text: str) -> list[str]:
        return triggers(Recaller().recall(text, HERE, embedder=chosen, store=store, min_odds=0.3))

    assert asked("fix the login tests") == [PROMPT]
    assert asked("write a haiku") == []


class DownEmbedder(FakeEmbedder):
    """An embedder whose service is down."""

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        raise EmbedError("down")


class EnglishEmbedder(FakeEmbedder):
    """An embedder that finds all texts of other scripts alike, as MiniLM does, but says which it can read."""

    def __init__(self) -> None:
        super().__init__()
        self.judged = 0

    def can_read(self, text: str) -> bool:
        self.judged += 1
        return text.isascii()

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return super().embed([text if text.isascii() else "unknown" for text in texts])


def test_nobody_gets_a_note_because_two_texts_are_equally_unreadable() -> None:
    """Their vectors are the same, and say nothing."""
    embedder = EnglishEmbedder()
    store = store_with({"trigger": "쇼핑몰을 스테이징에 배포해줘"}, embedder=embedder)

    def asked(text: str) -> list[Suggestion]:
        return Recaller().recall(text, HERE, embedder=embedder, store=store, min_odds=0.3)

    assert asked("가을비에 대한 하이쿠를 써줘") == []
    assert len(asked("쇼핑몰을 스테이징에 배포해")) == 1


@pytest.mark.parametrize(("prompt", "times"), [("쇼핑몰을 배포해줘 {}", 0), ("deploy {}", 1)])
def test_a_projects_language_is_judged_by_its_prompts(prompt: str, times: int) -> None:
    """One English prompt in a Korean project is compared like the others."""
    embedder, recaller = EnglishEmbedder(), Recaller()
    store = store_with(*[{"trigger": prompt.format(number)} for number in range(6)], embedder=embedder)
    recaller.rank("release it", HERE.project, embedder=embedder, store=store)
    embedder.texts.clear()

    recaller.rank("release it", HERE.project, embedder=embedder, store=store)

    assert embedder.texts == ["release it"] * times


def test_a_projects_language_is_judged_once() -> None:
    """Otherwise each prompt would wait until fifty others are judged."""
    embedder, recaller = EnglishEmbedder(), Recaller()
    store = store_with(*[{"trigger": f"deploy {number}"} for number in range(60)], embedder=embedder)

    judged = []
    for _ in range(2):
        recaller.rank("release it", HERE.project, embedder=embedder, store=store)
        judged.append(embedder.judged)

    assert judged == [51, 51]  # the prompt itself, before anything is known of the project


def test_while_a_project_changes_over_the_vectors_of_both_models_are_found() -> None:
    """The user has changed the setting, and not all of the vectors are made anew."""
    old, new = FakeEmbedder(), OtherEmbedder()
    store = store_with({"trigger": "fix the login form"}, embedder=old)
    store.add(make_pattern(trigger="deploy the shop", context=HERE), new.embed(["deploy the shop"])[0], new.model)
    embedders = Embedders(new, {old.model: LazyEmbedder(lambda: old, numbers=old.numbers)})

    def asked(text: str) -> list[str]:
        return triggers(Recaller().recall(text, HERE, embedder=embedders, store=store, min_odds=0.3))

    assert asked("fix the login form now") == ["fix the login form"]
    assert asked("deploy the shop now") == ["deploy the shop"]
    assert old.texts[-2:] == new.texts[-2:] == ["fix the login form now", "deploy the shop now"]


def test_each_project_is_asked_by_the_models_that_can_read_it() -> None:
    """English is not sent to the slow one, and vectors that mean nothing are not compared."""
    english, multilingual = EnglishEmbedder(), OtherEmbedder()
    embedders = Embedders(english, {multilingual.model: LazyEmbedder(lambda: multilingual, numbers=512)})
    korean = [{"trigger": f"쇼핑몰을 배포해줘 {number}"} for number in range(6)]
    store = store_with(*korean, embedder=multilingual)
    store.add(
        make_pattern(trigger="쇼핑몰", context=HERE, started_at=START - timedelta(days=1)),
        english.embed(["쇼핑몰"])[0],
        english.model,
    )
    in_english = store_with(*[{"trigger": f"deploy {number}"} for number in range(6)], embedder=english)
    english.texts, multilingual.texts = [], []

    Recaller().recall("쇼핑몰을 배포해", HERE, embedder=embedders, store=store, min_odds=0.3)
    of_korean = (list(english.texts), list(multilingual.texts))
    Recaller().recall("release it", HERE, embedder=embedders, store=in_english, min_odds=0.3)

    assert of_korean == ([], ["쇼핑몰을 배포해"])
    assert (english.texts, multilingual.texts) == (["release it"], ["쇼핑몰을 배포해"])


def test_a_model_that_cannot_run_costs_its_vectors_only() -> None:
    """The others are compared, and its own work is found by its words."""

    def broken() -> Embedder:
        raise EmbedError("It needs another processor.")

    old = FakeEmbedder()
    store = store_with({"trigger": "fix the login form"}, embedder=old)
    store.add(make_pattern(trigger="deploy the shop", context=HERE), OtherEmbedder().embed(["shop"])[0], "another")
    embedders = Embedders(old, {"another": LazyEmbedder(broken, numbers=512)})

    found = Recaller().recall("fix the login form", HERE, embedder=embedders, store=store, min_odds=0.3)

    assert triggers(found) == ["fix the login form"]


def test_a_mixed_project_keeps_its_language() -> None:
    """Otherwise every other prompt would be compared in another way."""
    embedder, recaller = EnglishEmbedder(), Recaller()
    korean = [{"trigger": "쇼핑몰을 배포해줘", "source_key": str(number)} for number in range(6)]
    store = store_with(*korean, embedder=embedder)
    recaller.rank("release it", HERE.project, embedder=embedder, store=store)  # nothing is known of the project yet

    def is_embedded(*, english: int) -> bool:
        for number in range(english):
            text = f"deploy {number}"
            pattern = make_pattern(trigger=text, context=HERE, source_key=text, started_at=START + timedelta(days=1))
            store.add(pattern, embedder.embed([text])[0], embedder.model)
        embedder.texts = []
        recaller.rank("release it", HERE.project, embedder=embedder, store=store)
        return bool(embedder.texts)

    assert [is_embedded(english=number) for number in (0, 24, 44)] == [False, False, True]


class OtherEmbedder(FakeEmbedder):
    model = "another"


def test_after_a_change_of_the_model_letters_decide() -> None:
    """Vectors of another model cannot be compared."""
    store = store_with({}, embedder=FakeEmbedder())

    def asked(text: str) -> list[str]:
        return triggers(Recaller().recall(text, HERE, embedder=OtherEmbedder(), store=store, min_odds=0.3))

    assert asked("fix the login tests") == [PROMPT]
    assert asked("write a haiku") == []


def test_triggers_are_read_again_only_when_something_has_changed() -> None:
    """They stay in memory, and agree with the database, whoever writes to it."""
    embedder, recaller = FakeEmbedder(), Recaller()
    store = CountingStore()
    store.add(make_pattern(trigger=PROMPT, context=HERE), embedder.embed([PROMPT])[0], embedder.model)

    def asked(text: str) -> list[str]:
        return triggers(recaller.recall(text, HERE, embedder=embedder, store=store, min_odds=0.3))

    assert [asked(PROMPT), asked(PROMPT)] == [[PROMPT]] * 2
    assert store.reads == 1
    store.add(
        make_pattern(trigger="write the docs", context=HERE), embedder.embed(["write the docs"])[0], embedder.model
    )
    assert asked("write the docs") == ["write the docs"]
    assert store.reads == 2


def test_a_large_project_is_read_again_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prompt does not wait for ten thousand triggers."""
    monkeypatch.setattr("behavior_plugin.recall.indexes.MAX_AT_ONCE", 1)
    embedder, recaller, store = FakeEmbedder(), Recaller(), CountingStore()

    def asked(text: str) -> list[str]:
        return triggers(recaller.recall(text, HERE, embedder=embedder, store=store, min_odds=0.3))

    def add(text: str) -> None:
        store.add(make_pattern(trigger=text, context=HERE), embedder.embed([text])[0], embedder.model)

    add(PROMPT)
    assert asked(PROMPT) == [PROMPT]
    wait_for(lambda: store.whole_reads == 1, "all triggers")
    add("write docs")
    first = asked("write docs")

    assert first == []
    wait_for(lambda: asked("write docs") == ["write docs"], "the new triggers")
    assert store.reads - store.whole_reads == 1


def test_the_first_prompt_of_a_large_project_finds_its_newest_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has less than a second, with a worker that is just starting; the next prompt finds older work too."""
    monkeypatch.setattr("behavior_plugin.recall.indexes.MAX_AT_ONCE", 1)
    embedder, recaller, store = FakeEmbedder(), Recaller(), CountingStore()
    for day, text in enumerate(("write docs", PROMPT)):
        pattern = make_pattern(trigger=text, context=HERE, started_at=START + timedelta(days=day))
        store.add(pattern, embedder.embed([text])[0], embedder.model)

    def asked(text: str) -> list[str]:
        return triggers(recaller.recall(text, HERE, embedder=embedder, store=store, min_odds=0.3))

    assert asked(PROMPT) == [PROMPT]
    wait_for(lambda: asked("write docs") == ["write docs"], "the older triggers")


def test_a_search_with_a_filter_is_among_all_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for work of last month waits for its triggers, also where it is not the newest."""
    monkeypatch.setattr("behavior_plugin.recall.indexes.MAX_AT_ONCE", 1)
    embedder, store = FakeEmbedder(), CountingStore()
    for day, text in enumerate((PROMPT, "write docs", "delete the branch")):
        pattern = make_pattern(trigger=text, context=HERE, started_at=START + timedelta(days=day))
        store.add(pattern, embedder.embed(["something else"])[0], embedder.model)

    def asked(recaller: Recaller, *, is_filtered: bool) -> list[str]:
        accepts = (lambda trigger: trigger.text != "write docs") if is_filtered else None
        return triggers(
            recaller.recall(PROMPT, HERE, embedder=embedder, store=store, min_odds=0, limit=9, accepts=accepts)
        )

    assert PROMPT in asked(Recaller(), is_filtered=True)
    assert PROMPT not in asked(Recaller(), is_filtered=False)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The projects that asked last are kept."""
    monkeypatch.setattr("behavior_plugin.recall.indexes.MAX_TRIGGERS", 2)
    embedder, recaller, store = FakeEmbedder(), Recaller(), CountingStore()
    for project in "abc":
        context = Context(directory=project, project=project)
        store.add(make_pattern(trigger=PROMPT, context=context), embedder.embed([PROMPT])[0], embedder.model)

    for project in "abca":
        recaller.rank(PROMPT, project, embedder=embedder, store=store)
    reads = store.reads
    recaller.rank(PROMPT, "c", embedder=embedder, store=store)

    assert (reads, store.reads) == (4, 4)


def test_of_a_huge_project_the_newest_triggers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker has little memory, so that no more are fetched either."""
    monkeypatch.setattr(indexes, "MAX_AT_ONCE", 1)
    monkeypatch.setattr(indexes, "MAX_TRIGGERS", 2)
    embedder, recaller, store = FakeEmbedder(), Recaller(), CountingStore()
    for day in range(3):
        pattern = make_pattern(trigger=f"{PROMPT} {day}", context=HERE, started_at=START + timedelta(days=day))
        store.add(pattern, embedder.embed([PROMPT])[0], embedder.model)

    def found() -> list[str]:
        ranked = recaller.rank(PROMPT, HERE.project, embedder=embedder, store=store)
        return sorted(each.trigger.text for each in ranked)

    wait_for(lambda: found() == [f"{PROMPT} 1", f"{PROMPT} 2"], "the older trigger")
    assert store.fetched == [1, 2]


def test_dropped_triggers_are_never_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large project is read again in the background, and a person who forgets a session does not expect it back."""
    monkeypatch.setattr("behavior_plugin.recall.indexes.MAX_AT_ONCE", 1)
    embedder, recaller, store = FakeEmbedder(), Recaller(), CountingStore()
    for text in (PROMPT, "fix the login form"):
        store.add(make_pattern(trigger=text, context=HERE), embedder.embed([text])[0], embedder.model)
    recaller.rank(PROMPT, HERE.project, embedder=embedder, store=store)
    wait_for(lambda: store.whole_reads == 1, "all triggers")
    del store.rows[0]

    recaller.drop()

    found = recaller.rank(PROMPT, HERE.project, embedder=embedder, store=store)
    assert [each.trigger.text for each in found] == ["fix the login form"]


def test_triggers_that_are_dropped_while_they_are_read_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """They were read before the deletion."""
    monkeypatch.setattr(indexes, "MAX_AT_ONCE", 1)
    embedder, recaller, store = FakeEmbedder(), Recaller(), DroppingStore()
    store.recaller = recaller
    store.add(make_pattern(trigger=PROMPT, context=HERE), embedder.embed([PROMPT])[0], embedder.model)

    recaller.rank(PROMPT, HERE.project, embedder=embedder, store=store)
    wait_for(lambda: store.whole_reads == 1 and not recaller._indexes._reading, "all triggers")
    found = recaller.rank(PROMPT, HERE.project, embedder=embedder, store=store)

    assert found == []


def test_the_project_with_the_oldest_last_prompt_is_dropped_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is asked again and again stays, however early it began."""
    monkeypatch.setattr(indexes, "MAX_TRIGGERS", 2)
    embedder, recaller, store = FakeEmbedder(), Recaller(), CountingStore()
    for project in "abc":
        context = Context(directory=project, project=project)
        store.add(make_pattern(trigger=PROMPT, context=context), embedder.embed([PROMPT])[0], embedder.model)

    for project in "abaca":
        recaller.rank(PROMPT, project, embedder=embedder, store=store)

    assert store.reads == 3


def test_a_large_project_is_read_once_at_a_good_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many prompts come meanwhile."""
    monkeypatch.setattr(indexes, "MAX_AT_ONCE", 1)
    is_good, waiting = threading.Event(), []

    def before() -> None:
        waiting.append(store.whole_reads)
        is_good.wait(10)

    embedder, recaller, store = FakeEmbedder(), Recaller(before), CountingStore()
    for text in (PROMPT, "write docs"):
        store.add(make_pattern(trigger=text, context=HERE), embedder.embed([text])[0], embedder.model)
    for _ in range(3):
        recaller.rank(PROMPT, HERE.project, embedder=embedder, store=store)
    wait_for(lambda: bool(waiting), "the reader")
    is_good.set()
    wait_for(lambda: not recaller._indexes._reading, "all triggers")

    assert (waiting, store.whole_reads) == ([0], 1)


def test_a_thread_that_cannot_be_started_costs_one_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine may have too many processes for a moment."""
    monkeypatch.setattr(indexes, "MAX_AT_ONCE", 1)
    embedder, recaller, store = FakeEmbedder(), Recaller(), CountingStore()
    store.add(make_pattern(trigger=PROMPT, context=HERE), embedder.embed([PROMPT])[0], embedder.model)

    with monkeypatch.context() as patched:
        patched.setattr(threading, "Thread", _no_thread)
        patched.setattr(recaller._asking, "submit", _done)
        first = recaller.rank(PROMPT, HERE.project, embedder=embedder, store=store)
    recaller.rank(PROMPT, HERE.project, embedder=embedder, store=store)

    assert [each.trigger.text for each in first] == [PROMPT]
    wait_for(lambda: store.whole_reads == 1, "all triggers")


def _no_thread(**_: object) -> None:
    raise RuntimeError("can't start new thread")


def _done(call: Callable[..., Any], **values: Any) -> Future[Any]:
    done: Future[Any] = Future()
    done.set_result(call(**values))
    return done


class CountingStore(FakeStore):
    """Counts how often triggers were read, how often all of them, and how many each time."""

    reads = whole_reads = 0

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[int] = []

    def triggers(self, *, newest: int | None = None, **asked: Any) -> Any:
        self.reads += 1
        self.whole_reads += newest == indexes.MAX_TRIGGERS
        found = super().triggers(newest=newest, **asked)
        self.fetched.append(len(found))
        return found

    def state(self, *, models: Sequence[str], project: str | None) -> tuple[object, ...]:
        found = super().triggers(models=dict.fromkeys(models, 1), project=project)
        return tuple(each.source_key for each in found)


class DroppingStore(CountingStore):
    """Has its only trigger deleted, and dropped from memory, while all are read."""

    recaller: Recaller

    def triggers(self, *, newest: int | None = None, **asked: Any) -> Any:
        found = super().triggers(newest=newest, **asked)
        if self.whole_reads:
            self.rows.clear()
            self.recaller.drop()
        return found
