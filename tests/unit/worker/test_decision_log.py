"""The decision on each prompt, as the service makes it after the answer."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from behavior_plugin import api
from behavior_plugin.capture import paths
from behavior_plugin.config import Settings
from behavior_plugin.errors import StoreUnavailableError
from behavior_plugin.model import Context, PromptKind
from behavior_plugin.recall.decision import Decision, Fate, Verdict
from behavior_plugin.worker import decisions
from behavior_plugin.workflow import StoredPattern
from tests.fakes import FakeStore
from tests.unit.worker.test_service import TASK, FakeCaller, Worker, did, suggest

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(autouse=True)
def data() -> None:
    paths.make_private(paths.data_folder())


@pytest.fixture
def worker() -> Worker:
    """It knows one piece of work."""
    made = Worker()
    made.knows(TASK)
    return made


def decision(worker: Worker, prompt: str = TASK, **changes: Any) -> Decision:
    """The decision on a prompt that was just asked."""
    worker.service.suggest(suggest(prompt, **changes))
    return decisions.read()[0]


def test_a_note_is_logged_after_the_answer(worker: Worker) -> None:
    """The prompt waits neither for the explanation nor for the disk."""
    caller = FakeCaller()

    note = worker.service.suggest(suggest(), caller)
    before = decisions.read()
    for do in caller.then:
        do()

    [found] = decisions.read()
    assert before == []
    assert (found.verdict, found.note, found.prompt, found.session_id) == (Verdict.SHOWN, note.text, TASK, "now")
    assert (found.setting, found.min_odds, found.embedder, found.project) == ("normal", 1 / 3, "bag-of-words", "/p")
    [shown] = found.considered
    assert (shown.fate, shown.candidate.trigger, shown.pattern_id) == (Fate.SHOWN, TASK, found.shown)
    assert found.ranking
    assert (found.ranking.known, found.ranking.odds) == (1, shown.candidate.odds)


@pytest.mark.parametrize(
    ("prompt", "kind", "verdict"),
    [
        ("ok", PromptKind.FOLLOW_UP, Verdict.NO_TASK),
        ("/clear", PromptKind.BUILT_IN, Verdict.NO_TASK),
        ("write eight haiku on rain and one on a parser", PromptKind.TASK, Verdict.BELOW),
        ("xyz", PromptKind.TASK, Verdict.NOTHING_LIKE_IT),
        (" ", PromptKind.TASK, Verdict.NOTHING_LIKE_IT),
        (f"/behavior:recall {TASK}", PromptKind.OWN_COMMAND, Verdict.ASKED),
    ],
)
def test_silence_and_answers_to_a_person_have_their_verdicts(
    worker: Worker, prompt: str, kind: PromptKind, verdict: Verdict
) -> None:
    found = decision(worker, prompt, kind=kind)

    assert (found.verdict, found.kind, found.shown) == (verdict, kind, None)
    if verdict is Verdict.ASKED:
        assert [each.fate for each in found.considered] == [Fate.SHOWN]
        assert found.min_odds < 0.1


def test_a_new_project_has_nothing_to_say() -> None:
    """The user need not wonder about the threshold."""
    found = decision(Worker())

    assert (found.verdict, found.considered) == (Verdict.NOTHING_KNOWN, ())


@pytest.mark.parametrize("kind", [None, PromptKind.MACHINE])
def test_machine_text_is_not_logged(worker: Worker, kind: PromptKind | None) -> None:
    """It would hide the last prompt of the user."""
    worker.service.suggest(suggest("<task-notification>", kind=kind))

    assert decisions.read() == []


def test_a_late_answer_is_logged_at_once(worker: Worker) -> None:
    """Nothing runs after an answer that nobody received."""
    caller = FakeCaller(has_gone=True)

    worker.service.suggest(suggest(), caller)

    [found] = decisions.read()
    assert (found.verdict, found.note, found.shown) == (Verdict.LATE, "", None)
    assert caller.then == []


def test_a_store_that_is_not_there_is_the_reason() -> None:
    """The error is passed on all the same."""
    worker = Worker(error=StoreUnavailableError("The store is still starting."))

    with pytest.raises(StoreUnavailableError):
        worker.service.suggest(suggest())

    [found] = decisions.read()
    assert (found.verdict, found.problem) == (Verdict.NOT_READY, "The store is still starting.")


def test_a_decision_that_fails_costs_no_answer(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store may be gone right after the answer."""

    calls: list[object] = []
    original = FakeStore.patterns_with

    def fails_later(self: FakeStore, keys: Iterable[str]) -> list[StoredPattern]:
        calls.append(keys)
        if len(calls) > 1:
            raise StoreUnavailableError("gone")
        return original(self, keys)

    monkeypatch.setattr(FakeStore, "patterns_with", fails_later)

    assert worker.service.suggest(suggest()).text
    assert len(calls) == 2
    assert decisions.read() == []


def test_the_next_worker_shows_nothing_twice_and_compaction_rearms(worker: Worker) -> None:
    """A session outlives the worker, and a compacted conversation has lost the note."""
    assert worker.service.suggest(suggest()).text
    following = Worker()
    following.db = worker.db
    following.resources._store = worker.db

    again = following.service.suggest(suggest()).text
    other = following.service.suggest(suggest(session_id="other")).text
    following.service.rearm("now", LATER)

    assert again == ""
    assert other
    assert following.service.suggest(suggest()).text
    assert decisions.read()[0].verdict is Verdict.SHOWN


def test_a_forgotten_session_is_forgotten_here_too(worker: Worker) -> None:
    """Even if nothing of it was learned."""
    for session in ("now", "other"):
        worker.service.suggest(suggest(session_id=session))

    worker.service.forget_session(api.ForgetSession(session_id="now"))

    assert [each.session_id for each in decisions.read()] == ["other"]


def test_notes_that_may_quote_a_forgotten_session_are_deleted() -> None:
    """Those of other projects stay: `behavior doctor` forgets a session of its own each time."""
    worker = Worker()
    turn = did(prompt=TASK)
    worker.learns(turn, did("make lint", prompt=f"{TASK} once more"))
    decision(worker)
    decision(worker, "ok", kind=PromptKind.FOLLOW_UP)
    probe = did(prompt="the probe").model_copy(update={"context": Context(directory="/tmp/x", project="/tmp/x")})
    worker.learns(probe)

    worker.service.forget_session(api.ForgetSession(session_id=probe.session_id))
    before = decisions.read()
    worker.service.forget_session(api.ForgetSession(session_id=turn.session_id))

    assert [each.prompt for each in before] == ["ok", TASK]
    assert [each.prompt for each in decisions.read()] == ["ok"]
    assert TASK not in decisions.file().read_text(encoding="utf-8")


def test_the_line_for_the_user_comes_with_a_note_only(worker: Worker) -> None:
    """A person who asked has the answer before them."""
    asked = worker.service.suggest(suggest(f"/behavior:recall {TASK}", kind=PromptKind.OWN_COMMAND))
    first, again = (worker.service.suggest(suggest()) for _ in range(2))
    quiet = Worker(Settings(show_notes=False))
    quiet.knows(TASK)

    assert (asked.line, again.line) == ("", "")
    assert first.line.startswith(f'behavior: shown how "{TASK}" was done (odds ')
    unseen = quiet.service.suggest(suggest(session_id="another"))
    assert (bool(unseen.text), unseen.line) == (True, "")
