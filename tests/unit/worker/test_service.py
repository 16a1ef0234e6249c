"""The worker's operations and their HTTP interface, without a database, a socket or a process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy
import pytest
from pydantic import ValidationError

from behavior_plugin import __version__, api, errors
from behavior_plugin.capture import ask, handlers, wake
from behavior_plugin.config import Settings
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import EmbedError, NotFoundError, RequestError, StoreError, StoreUnavailableError
from behavior_plugin.learn import compute_patterns, save_turns
from behavior_plugin.model import Action, Context, Outcome, PromptKind, Turn
from behavior_plugin.recall import gate
from behavior_plugin.redact import redact_turn
from behavior_plugin.store import Selection
from behavior_plugin.worker import handshake
from behavior_plugin.worker.precedence import Precedence
from behavior_plugin.worker.routes import FAILURE, PROMPT, Request, Response, Routes, hook_answer
from behavior_plugin.worker.service import Service
from behavior_plugin.worker.waiting import Waiting
from behavior_plugin.workflow import Episode, Pattern, RemarkKind, StoredPattern, Workflow
from tests.factories import START, make_action, make_turn, payload
from tests.fakes import FakeEmbedder, FakeStore
from tests.waiting import wait_for

T = TypeVar("T")
TASK = "fix the parser of the invoice"
OPEN = api.Backlog(new_events=0, open_sessions=1, dead_letters=0)


@dataclass
class FakeLoop:
    """A main loop that runs tasks at once."""

    is_stopping: bool = False
    has_new_evidence: bool = False
    needed: list[float] = field(default_factory=list)

    def ping(self) -> api.Pong:
        return api.Pong(version=__version__, pid=7)

    def status(self) -> api.Status:
        raise StoreUnavailableError("no status", hint="Wait.")

    def stop(self) -> None:
        self.is_stopping = True

    def is_leaving(self) -> bool:
        return self.is_stopping

    def need_store(self, within_s: float) -> None:
        self.needed.append(within_s)

    def compute_soon(self) -> None:
        self.has_new_evidence = True

    def run(self, task: Callable[[], T], within_s: float) -> T:
        return task()


@dataclass
class FakeLearner:
    """A learner that finds nothing to learn."""

    discarded: list[str] = field(default_factory=list)
    idle_s: list[float | None] = field(default_factory=list)
    # What was forgotten: whether in a dry run, and only letters.
    forgot: list[tuple[bool, bool]] = field(default_factory=list)
    # The turns of open sessions.
    open: dict[str, list[Turn]] = field(default_factory=dict)

    def drain(self, probe: str = "") -> api.Drained:
        return api.Drained(learned=len(probe), **OPEN.model_dump())

    def reap(self, idle_s: float | None) -> api.Reaped:
        self.idle_s.append(idle_s)
        return api.Reaped(closed=1, learned=0, **OPEN.model_dump())

    def turns_so_far(self, session_id: str) -> list[Turn]:
        return self.open.get(session_id, [])

    def discard(self, session_id: str) -> None:
        self.discarded.append(session_id)

    def forget_waiting(self, selection: Selection, *, is_dry_run: bool, only_letters: bool) -> Waiting:
        self.forgot.append((is_dry_run, only_letters))
        return Waiting()


class FakeResources:
    """Open resources, or the error that opening them raises."""

    def __init__(self, store: FakeStore, error: Exception | None = None) -> None:
        self._store, self._error = store, error
        self.embedding: Embedder = FakeEmbedder()

    def store(self, within_s: float) -> FakeStore:
        if self._error:
            raise self._error
        return self._store

    def embedder(self, within_s: float) -> Embedder | None:
        return self.embedding

    def rewrite_files(self) -> str:
        return ""


@dataclass
class FakeCaller:
    """A client that waits or has disconnected."""

    has_gone: bool = False
    then: list[Callable[[], None]] = field(default_factory=list)

    def is_waiting(self) -> bool:
        return not self.has_gone

    def afterwards(self, do: Callable[[], None]) -> None:
        self.then.append(do)


class Worker:
    """A service with its HTTP interface, built of fakes."""

    def __init__(self, settings: Settings | None = None, error: Exception | None = None) -> None:
        self.settings = settings or Settings()
        self.db, self.loop, self.learner = FakeStore(), FakeLoop(), FakeLearner()
        self.resources = FakeResources(self.db, error)
        self.service = Service(self.settings, resources=self.resources, learner=self.learner, loop=self.loop)
        self.routes = Routes(self.service, self.settings, self.loop)

    def knows(self, trigger: str, *, project: str = "/p", session_id: str = "earlier", key: str = "") -> None:
        """Add a row as another program writes it."""
        pattern = make_pattern(trigger, project=project, session_id=session_id, key=key)
        self.db.add(pattern, FakeEmbedder().embed([trigger])[0], FakeEmbedder.model)

    def learns(self, *turns: Turn) -> StoredPattern:
        """Learn these turns; returns the pattern of the last."""
        save_turns(turns, self.db)
        compute_patterns(embedder=FakeEmbedder(), store=self.db)
        return next(each for each in self.db.patterns if each.source_key == self.db.keys[turns[-1].source_key])

    def remarks(self, pattern: StoredPattern, kind: RemarkKind, **fields: Any) -> StoredPattern:
        """Make a remark; returns the pattern after it."""
        return self.service.add_remark(api.AddRemark(id=str(pattern.id), kind=kind, **fields)).pattern

    def send(self, path: str, body: Any = None, *, method: str = "POST", **headers: str) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        response = self.routes.answer(Request(method, path, headers, raw), FakeCaller())
        return response.status, json.loads(response.body)


def make_pattern(trigger: str, *, project: str = "/p", session_id: str = "earlier", key: str = "") -> Pattern:
    return Pattern(
        source_key=key or trigger,
        trigger=trigger,
        context=Context(directory=project, root=project, project=project),
        actions=(make_action(),),
        final_outcome=Outcome.SUCCESS,
        started_at=START,
        session_id=session_id,
    )


def did(command: str = "make test", prompt: str = TASK, *, outcome: str = "success", **changes: Any) -> Turn:
    """A turn with one command, in a session of its own by default."""
    action = make_action(outcome=Outcome(outcome), parameters={"command": command}, error=changes.pop("error", None))
    made = make_turn(prompt, action, context=Context(directory="/p", root="/p", project="/p"))
    return made.model_copy(update={"session_id": f"session of {made.source_key}", **changes})


def did_in_turn(*commands: str) -> Turn:
    """A turn with several commands."""
    actions = tuple(action for command in commands for action in did(command).actions)
    return did().model_copy(update={"actions": actions})


def workflow(pattern: StoredPattern) -> Workflow:
    assert pattern.workflow
    return pattern.workflow


def suggest(prompt: str = TASK, *, kind: PromptKind | None = PromptKind.TASK, session_id: str = "now") -> api.Suggest:
    context = Context(directory="/p", root="/p", project="/p")
    return api.Suggest(session_id=session_id, prompt=prompt, kind=kind, context=context)


# Suggestions


def test_a_session_gets_each_suggestion_once() -> None:
    """The next prompt of the session gets the next best pattern, and the third none."""
    worker = Worker()
    worker.knows(TASK)
    worker.knows(f"{TASK} again")

    notes = [worker.service.suggest(suggest(prompt=TASK + "." * number)).text for number in range(3)]

    assert [note.count("<past-workflow") for note in notes] == [1, 1, 0]
    assert f'"{TASK}"' in notes[0]
    assert f'"{TASK} again"' in notes[1]


def test_a_prompt_whose_hook_is_registered_twice_gets_one_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the plugin, and in the settings too. Whoever types it again later gets another one."""
    worker = Worker()
    worker.knows(TASK)
    worker.knows(f"{TASK} again")

    notes = [worker.service.suggest(suggest()).text for _ in range(2)]
    monkeypatch.setattr(gate, "AGAIN_AFTER", timedelta(0))
    later = worker.service.suggest(suggest()).text

    assert [bool(note) for note in (*notes, later)] == [True, False, True]


@pytest.mark.parametrize("kind", [None, PromptKind.FOLLOW_UP, PromptKind.MACHINE, PromptKind.BUILT_IN])
def test_other_prompts_than_tasks_get_no_suggestion(kind: PromptKind | None) -> None:
    """The store is not even queried."""
    worker = Worker()
    worker.knows(TASK)

    assert worker.service.suggest(suggest(kind=kind)).text == ""
    assert worker.loop.needed == []


def test_a_suggestion_is_noted_after_the_answer() -> None:
    """The agent should not wait for it. The steps are noted too, since the work that comes next is compared to them."""
    worker, caller = Worker(), FakeCaller()
    pattern = worker.learns(did("make test"), did("make test"))

    worker.service.suggest(suggest(), caller)
    before = list(worker.db.said)
    for do in caller.then:
        do()

    [shown] = worker.db.said
    assert before == []
    assert (shown.kind, shown.pattern_key, shown.session_id) == (RemarkKind.SHOWN, pattern.source_key, "now")
    assert (shown.is_followed, shown.outcome) == (None, None)
    assert shown.steps == ("make test",)


def test_a_share_of_the_suggestions_is_withheld_and_noted() -> None:
    """Work without a suggestion shows how much one helps. Whoever asks by hand gets every answer."""
    worker = Worker(Settings(holdout=0.5))
    pattern = worker.learns(did("make test"), did("make test"))
    sessions = [f"session {number}" for number in range(40)]

    notes = {each: worker.service.suggest(suggest(session_id=each)).text for each in sessions}
    again = [worker.service.suggest(suggest(session_id=each)).text for each in sessions]

    kinds = {each.session_id: each.kind for each in worker.db.said}
    assert kinds == {each: RemarkKind.SHOWN if text else RemarkKind.WITHHELD for each, text in notes.items()}
    assert 10 < list(kinds.values()).count(RemarkKind.WITHHELD) < 30
    assert again == [""] * len(sessions)
    assert {(each.pattern_key, each.steps, each.holdout) for each in worker.db.said} == {
        (pattern.source_key, ("make test",), 0.5)
    }
    manual = suggest(f"/behavior:recall {TASK}", kind=PromptKind.OWN_COMMAND)
    for each in sessions:
        assert "<past-workflow" in worker.service.suggest(manual.model_copy(update={"session_id": each})).text
    assert worker.service.recall(api.Recall(text=TASK, directory="/p"))


def test_a_suggestion_that_cannot_be_noted_was_made_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is read-only for now still serves."""
    worker = Worker()
    worker.knows(TASK)

    def refuse(*_: Any) -> None:
        raise StoreUnavailableError("read-only")

    monkeypatch.setattr(FakeStore, "add_remark", refuse)

    assert worker.service.suggest(suggest()).text


def test_a_late_suggestion_counts_as_not_made() -> None:
    """Nobody read it, so it is not noted and the next prompt may get it."""
    worker, gone = Worker(), FakeCaller(has_gone=True)
    worker.knows(TASK)

    assert worker.service.suggest(suggest(), gone).text == ""

    assert gone.then == []
    assert worker.service.suggest(suggest()).text


def test_our_own_command_gets_several_answers_every_time() -> None:
    """A person asks, so no answer is noted as a suggestion."""
    worker = Worker()
    for number in range(5):
        worker.knows(f"{TASK} {number}", key=str(number))
    request = suggest(f"/behavior:recall {TASK}", kind=PromptKind.OWN_COMMAND)

    notes = [worker.service.suggest(request).text for _ in range(2)]

    assert [note.count("<past-workflow") for note in notes] == [3, 3]
    assert worker.db.said == []
    assert "no earlier work" in worker.service.suggest(suggest("/behavior:recall xyz", kind=request.kind)).text


@pytest.mark.parametrize(
    ("known", "answering"),
    [
        (TASK, ["eager", "normal", "quiet"]),
        ("send the bill for the invoice", ["eager", "normal"]),
        ("fix a lexer", ["eager"]),
        ("write a haiku", []),
    ],
)
def test_a_setting_says_how_sure_a_suggestion_has_to_be(known: str, answering: list[str]) -> None:
    """The same words are sure, some of them are likely, and one may be enough for the eager."""
    answers = {}
    for setting in ("eager", "normal", "quiet"):
        worker = Worker(Settings(suggestions=setting))
        worker.knows(known)
        answers[setting] = worker.service.suggest(suggest()).text

    assert [setting for setting, text in answers.items() if text] == answering


def test_other_projects_work_is_suggested_only_by_setting() -> None:
    """It may be wrong or confidential here."""
    for scope, is_answered in (("project", False), ("all", True)):
        worker = Worker(Settings(recall_scope=scope))
        worker.knows(TASK, project="/another")

        assert bool(worker.service.suggest(suggest()).text) is is_answered


def test_a_hidden_pattern_is_never_suggested() -> None:
    """Not even to a person who asks; it stays in the list, and can be shown again."""
    worker = Worker()
    pattern = worker.learns(did())
    manual = suggest(f"/behavior:recall {TASK}", kind=PromptKind.OWN_COMMAND)

    hidden = worker.remarks(pattern, RemarkKind.HIDE)
    while_hidden = [worker.service.suggest(request).text for request in (suggest(), manual)]
    listed = worker.service.list_patterns(api.ListPatterns())
    found = worker.service.recall(api.Recall(text=TASK, directory="/p"))
    worker.remarks(pattern, RemarkKind.SHOW)

    assert workflow(hidden).is_hidden
    assert "<past-workflow" not in "".join(while_hidden)
    assert ([each.id for each in listed], found) == ([pattern.id], [])
    assert "<past-workflow" in worker.service.suggest(suggest()).text


def test_failed_work_is_only_for_those_who_ask_and_as_tried() -> None:
    """Somebody who asks wants to know what did not work, but no prompt gets it as a way."""
    worker = Worker()
    worker.learns(did("git push", outcome="failed", error="no upstream branch"))

    answer = worker.service.suggest(suggest(f"/behavior:recall {TASK}", kind=PromptKind.OWN_COMMAND)).text

    assert worker.service.suggest(suggest()).text == ""
    assert "This was tried and was not finished (" in answer
    assert "git push" in answer
    assert "no upstream branch" in answer
    assert "Done last" not in answer


# Recall, list, show, save, forget


def test_manual_recall_has_limits_of_its_own() -> None:
    """A person also sees less similar work, and other projects' work on request."""
    worker = Worker(Settings(suggestions="quiet"))
    for number in range(7):
        worker.knows(f"{TASK} {number}", key=str(number))
    worker.knows(TASK, project="/another")

    def count(**changes: Any) -> int:
        return len(worker.service.recall(api.Recall(text=TASK, directory="/p", **changes)))

    assert (count(), count(limit=7), count(limit=50, everywhere=True)) == (5, 7, 8)
    assert count(min_odds=1.0) == 0


def test_manual_recall_takes_the_name_of_a_project() -> None:
    """From wherever one is."""
    worker = Worker()
    worker.learns(did("git push", context=Context(project="github.com/acme/shop")))
    worker.learns(did("make test", context=Context(project="github.com/acme/web")))

    def projects(name: str) -> list[str]:
        found = worker.service.recall(api.Recall(text=TASK, directory="/p", project=name))
        return [each.pattern.context.project for each in found]

    assert projects("shop") == ["github.com/acme/shop"]
    assert projects("acme/web") == ["github.com/acme/web"]
    with pytest.raises(NotFoundError, match="named nope") as unknown:
        projects("nope")
    assert "github.com/acme/shop" in unknown.value.hint
    worker.learns(did("make test", context=Context(project="gitlab.com/other/shop")))
    with pytest.raises(RequestError, match="several") as unclear:
        projects("shop")
    assert "gitlab.com/other/shop" in unclear.value.hint
    assert "web" not in unclear.value.hint


def test_manual_recall_takes_an_outcome_and_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it leaves out does not keep the rest from being found, however unlikely that is."""
    worker = Worker()
    worker.learns(did("git push", outcome="failed"))
    for number in range(30):
        worker.learns(did("make test", session_id=f"later-{number}"))

    def found(**changes: Any) -> list[Outcome | None]:
        request = api.Recall(text=TASK, directory="/p", **changes)
        return [each.trigger_outcome for each in worker.service.recall(request)]

    assert found()[:1] == [Outcome.SUCCESS]
    assert found(outcome=Outcome.PARTIAL) == [Outcome.PARTIAL]
    assert found(outcome=Outcome.FAILED) == []
    assert found(since=START + timedelta(days=9_999)) == []
    assert found(since=START - timedelta(days=1))
    assert worker.service.recall(api.Recall(text="zebra", directory="/p")) == []
    monkeypatch.setattr(gate, "MANUAL_MIN_ODDS", 0.999)
    assert found() == []
    assert found(outcome=Outcome.PARTIAL) == [Outcome.PARTIAL]
    assert found(outcome=Outcome.PARTIAL, min_odds=0.999) == []


def test_manual_recall_is_explained_on_request() -> None:
    worker = Worker()
    worker.learns(did("git push"))
    request = api.Recall(text=TASK, directory="/p")

    [plain] = worker.service.recall(request)
    [explained] = worker.service.recall(request.model_copy(update={"explain": True}))

    assert plain.explanation == ()
    assert "words in common" in explained.explanation[0]


def test_next_steps_come_from_the_project_and_the_steps_done() -> None:
    worker = Worker(Settings())
    worker.learns(did_in_turn("make lint", "make test", "git push"))

    def ask(**changes: Any) -> list[str]:
        request = api.NextSteps(**{"prompt": TASK, "directory": "/p", **changes})
        return [each.step.text for each in worker.service.next_steps(request)]

    assert ask()[0] == "make lint"
    assert ask(done=("make lint",))[0] == "make test"
    assert len(ask(limit=2)) == 2
    assert ask(directory="/elsewhere") == []
    assert ask(directory="/elsewhere", everywhere=True)[0] == "make lint"
    assert Worker(Settings(recall_scope="all")).service.next_steps(api.NextSteps(prompt=TASK)) == []


def test_next_steps_of_an_open_session_begin_with_what_it_has_done() -> None:
    worker = Worker()
    worker.learns(did_in_turn("make lint", "make test", "git push"))
    worker.learner.open["live"] = [did("git push"), did_in_turn("make lint", "make test")]
    request = api.NextSteps(session_id="live", directory="/p")

    assert worker.service.next_steps(request)[0].step.text == "git push"
    done = request.model_copy(update={"done": ("make lint",)})
    assert worker.service.next_steps(done)[0].step.text == "make test"
    with pytest.raises(NotFoundError, match="No open session with a prompt has the id gone"):
        worker.service.next_steps(api.NextSteps(session_id="gone"))


def test_list_takes_one_directory_or_all() -> None:
    """A directory stands for its project."""
    worker = Worker()
    worker.knows(TASK)
    worker.knows("write the notes", project="/another")

    assert len(worker.service.list_patterns(api.ListPatterns())) == 2
    [here] = worker.service.list_patterns(api.ListPatterns(directory="/another"))
    assert here.trigger == "write the notes"


def test_show_needs_the_beginning_of_exactly_one_id() -> None:
    """An ambiguous id might show the wrong pattern."""
    worker = Worker()
    worker.knows(TASK)
    [pattern] = worker.db.patterns

    shown = worker.service.show_pattern(api.ShowPattern(id=str(pattern.id)[:8]))

    assert shown == api.Shown(pattern=pattern, episodes=())
    with pytest.raises(NotFoundError, match="No pattern has an id that begins with x"):
        worker.service.show_pattern(api.ShowPattern(id="x"))
    worker.knows("write the notes")
    worker.db.rows = [(pattern, None, None), (pattern, None, None)]
    with pytest.raises(NotFoundError, match="More than one"):
        worker.service.show_pattern(api.ShowPattern(id=str(pattern.id)))


def test_show_has_the_episodes_that_a_pattern_stands_on() -> None:
    """They are its evidence, newest first; one may be a part of another piece of work."""
    worker = Worker()
    first = did(session_id="a", actions=(make_action("Edit", parameters={"file_path": "app.py"}),))
    pattern = worker.learns(first, did("git commit -m x", "commit it", session_id="a"))

    shown = worker.service.show_pattern(api.ShowPattern(id=str(pattern.id)))

    assert workflow(shown.pattern).job == "commit"
    assert [(each.trigger, each.part_of) for each in shown.episodes] == [("commit it", first.source_key)]


def test_patterns_are_up_to_date_when_a_person_asks() -> None:
    """An import leaves evidence whose patterns nobody has computed yet."""
    for ask_for in (
        lambda service: service.list_patterns(api.ListPatterns()),
        lambda service: service.recall(api.Recall(text=TASK, directory="/p")),
    ):
        worker = Worker()
        save_turns([did()], worker.db)

        assert len(ask_for(worker.service)) == 1


def test_old_patterns_are_shown_while_they_cannot_be_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody needs the embedding service, or a store that can be written, to list patterns or to rate one."""

    class Down(FakeEmbedder):
        def embed(self, texts: Any) -> Any:
            raise EmbedError("down")

    def refuse(*_: Any) -> None:
        raise StoreUnavailableError("read-only")

    worker = Worker()
    pattern = worker.learns(did())
    worker.resources.embedding = Down()
    save_turns([did("git push", "publish it")], worker.db)

    assert workflow(worker.remarks(pattern, RemarkKind.GOOD)).good == 1
    assert len(worker.service.list_patterns(api.ListPatterns())) == 2
    assert worker.loop.has_new_evidence
    monkeypatch.setattr(FakeStore, "unfolded_projects", refuse)
    assert len(worker.service.list_patterns(api.ListPatterns())) == 2


def test_turns_are_listed_newest_first_with_their_judged_outcomes() -> None:
    """The next prompt says how a turn ended, and turns without work were none."""
    worker = Worker()
    turns = [
        did("make test", "fix the parser", session_id="a"),
        did("make test", "no, that is wrong, fix the lexer", session_id="a"),
        make_turn("thanks", session_id="a", context=Context(project="/p")),
        did("make test", "another project", context=Context(project="/another")),
    ]
    save_turns(turns, worker.db)

    def listed(**fields: Any) -> list[tuple[str, str]]:
        rows = worker.service.list_turns(api.ListTurns(**fields))
        return [(row.trigger, row.final_outcome.value) for row in rows]

    here = [("no, that is wrong, fix the lexer", "success"), ("fix the parser", "failed")]
    assert listed() == [("another project", "success"), *here]
    assert listed(limit=2) == [("another project", "success"), here[0]]
    assert listed(directory="/p") == here


def test_a_turn_has_the_same_id_in_every_list() -> None:
    """A person quotes it."""
    worker = Worker()
    save_turns([did()], worker.db)

    first, again = (worker.service.list_turns(api.ListTurns()) for _ in range(2))

    assert first == again
    assert first[0].actions


def test_saving_counts_turns_with_work_and_reports_refused_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import continues and reports the work it lost; words without work are evidence, but no piece of work."""
    worker, replace = Worker(), FakeStore.replace_sessions

    def picky(self: FakeStore, session_ids: Any, episodes: Sequence[Episode]) -> None:
        if any(turn.prompt == "bad" for episode in episodes for turn in episode.turns):
            raise StoreError("the store refuses it")
        replace(self, session_ids, episodes)

    monkeypatch.setattr(FakeStore, "replace_sessions", picky)
    one = did(prompt="one", session_id="a")
    words = make_turn("thanks", session_id="a")

    report = worker.service.save_turns(api.SaveTurns(turns=(one, words, did(prompt="bad"), did(prompt="two"))))
    again = worker.service.save_turns(api.SaveTurns(turns=(one, words)))

    assert report == api.SaveReport(kept={"new": 2}, refused=["the store refuses it"])
    assert again == api.SaveReport(kept={"known": 1}, refused=[])


def test_more_work_of_a_known_turn_counts_as_grown() -> None:
    """A session that goes on after an import is imported again."""
    worker = Worker()
    turn = did()
    more = turn.model_copy(update={"actions": (*turn.actions, make_action(id="more"))})

    kept = [worker.service.save_turns(api.SaveTurns(turns=(each,))).kept for each in (turn, more)]

    assert kept == [{"new": 1}, {"grown": 1}]


def test_saving_embeds_but_leaves_the_patterns_for_later() -> None:
    """A large import would compute them a thousand times."""
    worker = Worker()

    worker.service.save_turns(api.SaveTurns(turns=(did(),)))

    assert len(worker.db.vectors) == 1
    assert (worker.db.patterns, worker.db.unfolded) == ([], {"/p"})
    assert worker.loop.has_new_evidence


def test_forget_empties_the_spool_even_if_the_store_fails() -> None:
    """A person who wants data deleted should not have to wait for a database."""
    worker = Worker(error=StoreUnavailableError())

    with pytest.raises(StoreUnavailableError):
        worker.service.forget_session(api.ForgetSession(session_id="s"))

    assert worker.learner.discarded == ["s"]


@pytest.mark.parametrize("is_asked", [True, False])
def test_only_a_person_forgets_what_waits(is_asked: bool) -> None:
    """An open session may have begun before what the settings keep, and what it does today is to be learned."""
    worker = Worker()

    worker.service.forgetter.run(Selection(until=START), worker.db, is_marked=is_asked)

    assert worker.learner.forgot == [(True, not is_asked), (False, not is_asked)]


def test_forgetting_needs_a_session() -> None:
    """Feedback has no session, and an empty id would mean all of it."""
    with pytest.raises(ValidationError):
        api.ForgetSession(session_id="")


def test_forgetting_a_session_takes_it_out_of_the_patterns_at_once() -> None:
    """A pattern that other sessions have as well would go on quoting the forgotten one."""
    worker = Worker()
    worker.learns(did(session_id="kept"), did(prompt="fix the secret parser", session_id="s"))

    deleted = worker.service.forget_session(api.ForgetSession(session_id="s"))

    assert deleted == api.Deleted(patterns=1)
    assert "secret" not in repr(worker.db.rows)
    assert workflow(worker.db.patterns[0]).times == 1


@pytest.mark.parametrize("ask", [lambda worker: worker.service.suggest(suggest()), lambda worker: failure(worker)])
def test_learning_waits_while_a_hook_is_answered(
    ask: Callable[[Worker], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python runs one thread at a time, and a hook waits for the answer."""
    worker = Worker()
    monkeypatch.setattr("behavior_plugin.worker.precedence.PATIENCE_S", 60.0)
    learning = threading.Thread(target=worker.service.precedence.wait, daemon=True)
    was_alive: list[bool] = []

    def store(_: float) -> FakeStore:
        if not was_alive:
            learning.start()
            learning.join(0.1)
            was_alive.append(learning.is_alive())
        return worker.db

    monkeypatch.setattr(worker.resources, "store", store)
    ask(worker)

    assert was_alive == [True]
    wait_for(lambda: not learning.is_alive(), "learning")


def test_a_large_project_is_read_while_no_prompt_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds, and a hook waits for the answer."""
    monkeypatch.setattr("behavior_plugin.recall.indexes.MAX_AT_ONCE", 1)
    waits: list[Precedence] = []
    monkeypatch.setattr(Precedence, "wait", lambda self: waits.append(self))
    worker = Worker()
    worker.knows(TASK)
    worker.knows("write the docs")

    worker.service.suggest(suggest())

    wait_for(lambda: waits == [worker.service.precedence], "the reader")


def test_a_forgotten_session_is_not_found_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even once in a large project, whose triggers are read again in the background."""
    monkeypatch.setattr("behavior_plugin.recall.indexes.MAX_AT_ONCE", 1)
    worker, secret = Worker(), "fix the secret parser"
    worker.learns(did(session_id="kept"), did(prompt=secret, session_id="s"))
    request = api.Recall(text=secret, directory="/p", min_odds=0)
    wait_for(lambda: secret in repr(worker.service.recall(request)), "the trigger")

    worker.service.forget_session(api.ForgetSession(session_id="s"))

    assert secret not in repr(worker.service.recall(request))


# Remarks


def test_feedback_is_counted_and_changes_the_confidence() -> None:
    """The answer shows the effect at once."""
    worker = Worker()
    pattern = worker.learns(did())

    bad = worker.remarks(pattern, RemarkKind.BAD, note="it is run by just now")
    good = worker.remarks(pattern, RemarkKind.GOOD)

    assert (workflow(bad).good, workflow(bad).bad, workflow(good).good) == (0, 1, 1)
    assert bad.confidence < pattern.confidence
    assert bad.confidence < good.confidence
    assert worker.db.said[0].note == "it is run by just now"


def test_a_note_and_edited_steps_are_redacted() -> None:
    """They are typed by hand, and stored like everything else."""
    worker = Worker()
    pattern = worker.learns(did())
    token = "ghp_" + "0123456789abcdefABCD56789abcdef0123"

    edited = worker.remarks(pattern, RemarkKind.EDIT, note=token, steps=(f"curl -H {token}",))

    assert token not in repr([worker.db.said, worker.db.rows, edited])
    assert workflow(edited).steps[0].text.startswith("curl -H ")


def test_edited_steps_stay_when_work_is_learned() -> None:
    """No computation may lose them, and an empty edit gives the computed steps back."""
    worker = Worker()
    pattern = worker.learns(did())

    worker.remarks(pattern, RemarkKind.EDIT, steps=("just test",))
    edited = workflow(worker.learns(did()))
    computed = workflow(worker.remarks(pattern, RemarkKind.EDIT))

    assert ([step.text for step in edited.steps], edited.is_edited, edited.times) == (["just test"], True, 2)
    assert ([step.text for step in computed.steps], computed.is_edited) == (["make test"], False)


def test_a_merge_answers_with_the_pattern_that_has_both() -> None:
    """The other one is gone from the list, and later work of its kind counts for the whole."""
    worker = Worker()
    pushes = worker.learns(did("git push", "publish it"))
    commits = worker.learns(did("git commit -m x", "commit it"))

    whole = worker.remarks(pushes, RemarkKind.MERGE, into=str(commits.id)[:8])
    worker.learns(did("git push", "publish it again"))

    assert (whole.id, workflow(whole).times) == (commits.id, 2)
    [listed] = worker.service.list_patterns(api.ListPatterns())
    assert (listed.id, workflow(listed).times) == (commits.id, 3)


def test_a_row_of_another_program_takes_no_remark() -> None:
    """Nothing computes it, so a remark would have no effect."""
    worker = Worker()
    worker.knows(TASK)
    commits = worker.learns(did("git commit -m x", "commit it"))
    row = next(each for each in worker.db.patterns if each.workflow is None)

    for kind in (RemarkKind.GOOD, RemarkKind.BAD, RemarkKind.HIDE, RemarkKind.SHOW, RemarkKind.EDIT):
        with pytest.raises(RequestError, match="written by another program") as caught:
            worker.remarks(row, kind)
        assert caught.value.hint
    with pytest.raises(RequestError, match="Only two computed patterns"):
        worker.remarks(commits, RemarkKind.MERGE, into=str(row.id))

    assert worker.db.said == []


def test_only_other_patterns_of_the_same_project_can_be_merged() -> None:
    """Projects differ in their workflows, and a pattern is no part of itself."""
    worker = Worker()
    here = worker.learns(did())
    there = worker.learns(did(context=Context(directory="/another", root="/another", project="/another")))

    with pytest.raises(RequestError, match="of one project"):
        worker.remarks(here, RemarkKind.MERGE, into=str(there.id))
    with pytest.raises(RequestError, match="into itself"):
        worker.remarks(here, RemarkKind.MERGE, into=str(here.id))
    with pytest.raises(NotFoundError):
        worker.remarks(here, RemarkKind.MERGE, into="nothing")

    assert worker.db.said == []


def test_remarks_that_only_the_worker_makes_or_that_lack_a_half_are_refused() -> None:
    """A request could invent suggestions, and a merge needs exactly two patterns."""
    worker = Worker()
    commits = worker.learns(did("git commit -m x", "commit it"))
    pushes = worker.learns(did("git push", "publish it"))

    for kind, into in (
        (RemarkKind.SHOWN, ""),
        (RemarkKind.WITHHELD, ""),
        (RemarkKind.MERGE, ""),
        (RemarkKind.GOOD, str(pushes.id)),
    ):
        with pytest.raises(RequestError, match="cannot be added this way"):
            worker.remarks(commits, kind, into=into)

    assert worker.db.said == []


# HTTP


def test_operations_take_and_return_json() -> None:
    """curl is enough to call them."""
    worker = Worker()
    worker.knows(TASK)

    status, [found] = worker.send("/v1/recall", {"text": TASK, "directory": "/p"})

    assert (status, found["pattern"]["trigger"]) == (200, TASK)
    assert worker.send("/v1/ping", method="GET") == (200, {"version": __version__, "pid": 7})
    assert worker.send("/v1/drain") == (200, {"learned": 0, **OPEN.model_dump(), "not_computed": ""})
    assert worker.send("/v1/reap", {"idle_s": 5})[1]["closed"] == 1
    assert worker.learner.idle_s == [5]


def test_stop_returns_the_pid_of_the_worker() -> None:
    """The client waits until that process is gone."""
    worker = Worker()

    assert worker.send("/v1/stop") == (200, {"version": __version__, "pid": 7})
    assert worker.loop.is_stopping


@pytest.mark.parametrize(
    ("path", "body", "method", "status", "kind"),
    [
        ("/v1/nothing", {}, "POST", 404, "NotFoundError"),
        ("/v1/__class__", {}, "POST", 404, "NotFoundError"),
        ("/v1/status", {}, "POST", 405, "RequestError"),
        ("/v1/stop", {}, "GET", 405, "RequestError"),
        ("/v1/recall", b"{{{", "POST", 400, "RequestError"),
        ("/v1/recall", b"[]", "POST", 400, "RequestError"),
        ("/v1/recall", b"[" * 100_000, "POST", 400, "RequestError"),
        ("/v1/recall", {"text": TASK, "limit": 0}, "POST", 400, "RequestError"),
        ("/v1/recall", {"text": TASK, "limit": 51}, "POST", 400, "RequestError"),
        ("/v1/recall", {"text": TASK, "min_odds": 2}, "POST", 400, "RequestError"),
        ("/v1/recall", {"text": TASK, "floor": 1}, "POST", 400, "RequestError"),
        ("/v1/list_patterns", {"limit": 10_001}, "POST", 400, "RequestError"),
        ("/v1/list_turns", {"limit": 0}, "POST", 400, "RequestError"),
        ("/v1/add_remark", {"id": "x", "kind": "great"}, "POST", 400, "RequestError"),
        ("/v1/add_remark", {"id": "x", "kind": "good", "note": 2001 * "x"}, "POST", 400, "RequestError"),
        ("/v1/add_remark", {"id": "x", "kind": "good"}, "POST", 404, "NotFoundError"),
        ("/v1/reap", {"idle_s": -1}, "POST", 400, "RequestError"),
        ("/v1/show_pattern", {"id": " "}, "POST", 400, "RequestError"),
        ("/v1/show_pattern", {"id": "x"}, "POST", 404, "NotFoundError"),
        ("/v1/status", {}, "GET", 503, "StoreUnavailableError"),
    ],
)
def test_an_error_is_json_with_a_fitting_status(path: str, body: Any, method: str, status: int, kind: str) -> None:
    """Kind, message and hint let a client raise the same error."""
    found, answer = Worker().send(path, body, method=method)

    assert (found, answer["error"]["kind"]) == (status, kind)
    assert answer["error"]["message"]
    assert answer["error"]["hint"]
    assert issubclass(getattr(errors, kind), errors.BehaviorError)


def test_an_error_does_not_repeat_the_request() -> None:
    """An error may be logged, or pasted into a bug report."""
    _, answer = Worker().send("/v1/recall", {"text": 7, "canary-field": "canary-value"})

    assert "canary-value" not in json.dumps(answer)
    assert "text" in answer["error"]["message"]


def test_an_unexpected_error_is_reported_by_type_only() -> None:
    """Its message may quote a prompt or a row."""
    status, answer = Worker(error=RuntimeError("canary")).send("/v1/list_patterns")

    assert (status, answer["error"]["kind"]) == (500, "WorkerError")
    assert "RuntimeError" in answer["error"]["message"]
    assert "canary" not in json.dumps(answer)


def test_lone_surrogates_in_a_request_survive() -> None:
    """The name of a folder need not be valid text."""
    worker = Worker()
    body = json.dumps({"text": "fix \udcff", "directory": "/p/\udcff"}, ensure_ascii=False)

    assert worker.send("/v1/recall", body.encode("utf-8", "surrogatepass")) == (200, [])


# The prompts of hooks


def prompt(worker: Worker, *, caller: FakeCaller | None = None, **headers: str) -> Response:
    raw = json.dumps(payload("UserPromptSubmit", prompt=TASK, session_id="now", cwd="/elsewhere")).encode()
    request = Request("POST", PROMPT, {name.replace("_", "-"): value for name, value in headers.items()}, raw)
    return worker.routes.answer(request, caller or FakeCaller())


def test_the_hooks_context_of_the_directory_is_used() -> None:
    """So the directory is read once for each prompt, by the hook."""
    worker = Worker()
    worker.knows(TASK)

    response = prompt(worker, behavior_context='{"directory":"/p/sub","root":"/p","project":"/p"}')

    answer = json.loads(response.body)["hookSpecificOutput"]
    assert answer["hookEventName"] == "UserPromptSubmit"
    assert TASK in answer["additionalContext"]


@pytest.mark.parametrize(
    ("agent", "is_shown"), [(None, True), ('"claude-code"', True), ('"codex"', False), ('"unknown"', False)]
)
def test_only_an_agent_that_shows_messages_gets_the_users_line(agent: str | None, is_shown: bool) -> None:
    """Another one may refuse the whole answer, or give the line to the model."""
    worker = Worker()
    worker.knows(TASK, project="/elsewhere")

    headers: dict[str, Any] = {"behavior_agent": agent} if agent else {}
    answer = json.loads(prompt(worker, **headers).body)

    assert list(answer) == ["hookSpecificOutput", *(["systemMessage"] if is_shown else [])]


def test_an_answer_too_long_for_the_line_is_sent_without_it() -> None:
    """A hook passes on 8,000 bytes, and drops a longer answer."""
    line = "behavior: " + "ж" * 100
    for text in ("x", "x" * 7_650, "x" * 7_800):
        answer = hook_answer("UserPromptSubmit", api.Note(text=text, line=line), has_messages=True)

        assert len(answer) <= handlers.ANSWER_LIMIT
        assert json.loads(answer)["hookSpecificOutput"]["additionalContext"] == text
        assert ("systemMessage" in json.loads(answer)) is (len(text) < 7_800)
    assert hook_answer("UserPromptSubmit", api.Note(line=line), has_messages=True) == b""


@pytest.mark.parametrize("notes", ["", "{{{", "[]", "[" * 20_000, '"text"', "{}"])
def test_without_a_context_the_worker_reads_the_directory(notes: str, tmp_path: Path) -> None:
    """An older hook sends none, and a long path is left out."""
    worker = Worker()
    worker.knows(TASK, project="/elsewhere")

    assert TASK in prompt(worker, behavior_context=notes).body.decode()


def test_a_secret_in_the_hooks_context_is_redacted_before_the_search() -> None:
    """A stored project is redacted too, so the two still match."""
    worker = Worker()
    token = "ghp_0123456789abcdefABCD56789abcdef0123"
    projects: list[str | None] = []
    state = worker.db.state

    def spy(*, models: Sequence[str], project: str | None) -> Any:
        projects.append(project)
        return state(models=models, project=project)

    worker.db.state = spy  # type: ignore[method-assign]
    prompt(worker, behavior_context=json.dumps({"directory": "/p", "project": f"https://{token}@host/repo"}))

    assert len(projects) == 1
    assert token not in str(projects)


def test_a_prompt_of_a_codex_subagent_gets_no_suggestion() -> None:
    """Codex reports a prompt from one agent to another like a prompt of a person."""
    worker = Worker()
    worker.knows(TASK)

    def answer(**changes: str) -> bytes:
        raw = json.dumps(payload("UserPromptSubmit", prompt=TASK, cwd="/p", **changes)).encode()
        return worker.routes.answer(Request("POST", PROMPT, {ask.AGENT: '"codex"'}, raw), FakeCaller()).body

    assert answer(agent_id="sub") == b""
    assert answer() != b""


def test_an_answer_to_a_hook_is_not_escaped() -> None:
    """Escaped Cyrillic text is three times as long, and a hook limits the length of an answer."""
    worker = Worker()
    worker.knows("почини парсер счёта")
    raw = json.dumps(payload("UserPromptSubmit", prompt="почини парсер счёта", cwd="/p")).encode()

    response = worker.routes.answer(Request("POST", PROMPT, {}, raw), FakeCaller())

    assert "почини" in response.body.decode()


def test_a_failed_request_yields_no_suggestion() -> None:
    """A hook passes on the body of successful answers only."""
    assert prompt(Worker(error=StoreUnavailableError())).status == 503


# The failed calls of hooks

NOT_FOUND = "Exit code 127\nsh: 1: pytest: command not found"


def taught(worker: Worker, failed: str = "pytest", worked: str = "uv run pytest", **changes: Any) -> StoredPattern:
    """Let the worker learn that one command failed and another one helped."""
    made = did(worked, **changes)
    lost = make_action(outcome=Outcome.FAILED, parameters={"command": failed}, error=NOT_FOUND)
    return worker.learns(made.model_copy(update={"actions": (lost, *made.actions)}))


def failure(worker: Worker, command: str = "pytest", *, caller: FakeCaller | None = None, **changes: Any) -> Response:
    call = {"tool_input": {"command": command}, "error": NOT_FOUND, "session_id": "now", "cwd": "/p", **changes}
    raw = json.dumps(payload("PostToolUseFailure-Bash", **call)).encode()
    return worker.routes.answer(Request("POST", FAILURE, {}, raw), caller or FakeCaller())


def test_a_call_that_failed_before_is_answered_with_what_helped() -> None:
    worker = Worker()
    taught(worker)

    answer = json.loads(failure(worker).body)

    specific = answer.pop("hookSpecificOutput")
    assert answer == {}
    assert specific.pop("hookEventName") == "PostToolUseFailure"
    assert specific.pop("additionalContext") == (
        '<past-workflow source="behavior plugin">'
        "Here `pytest` failed like this once before; `uv run pytest` worked.</past-workflow>"
    )
    assert specific == {}


def test_a_session_gets_each_lesson_once() -> None:
    """Whoever has read it and fails again knows better."""
    worker = Worker()
    taught(worker)
    taught(worker, "npm ci", "pnpm install")

    lines = [failure(worker, command).body for command in ("pytest", "pytest", "npm ci", "npm ci")]

    assert [bool(line) for line in lines] == [True, False, True, False]
    assert failure(worker, session_id="another").body


@pytest.mark.parametrize(
    "changes",
    [
        {"command": "pytest -q"},
        {"error": "Exit code 1\n1 failed"},
        {"error": ""},
        {"error": None},
        {"error": ["a list"]},
        {"error": 7},
        {"is_interrupt": True},
        {"cwd": "/another"},
        {"cwd": ""},
        {"cwd": None},
        {"tool_name": "Edit"},
        {"tool_name": None},
        {"tool_name": "mcp__pytest__run"},
        {"tool_input": "pytest"},
        {"tool_input": {"command": ["pytest"]}},
        {"tool_input": None},
    ],
)
def test_other_failures_get_no_answer(changes: dict[str, Any]) -> None:
    worker = Worker()
    taught(worker)

    response = failure(worker, **changes)

    assert (response.status, response.body) == (200, b"")
    assert failure(worker).body


def test_a_late_lesson_counts_as_not_told() -> None:
    """Nobody read it, so the next failure may get it."""
    worker = Worker()
    taught(worker)

    assert failure(worker, caller=FakeCaller(has_gone=True)).body == b""
    assert failure(worker).body


def test_quiet_wants_a_lesson_from_two_sessions() -> None:
    worker = Worker(Settings(suggestions="quiet"))
    taught(worker)
    assert failure(worker).body == b""

    taught(worker)

    assert b"2 times before" in failure(worker).body


def test_a_lesson_of_a_hidden_pattern_is_not_told() -> None:
    worker = Worker()
    worker.remarks(taught(worker), RemarkKind.HIDE)

    assert failure(worker).body == b""


def test_a_secret_in_a_failed_call_does_not_hide_its_lesson() -> None:
    """The stored lesson is redacted, so the call is redacted before they are compared."""
    worker = Worker()
    token = "ghp_0123456789abcdefABCD56789abcdef0123"
    learned, now = (f"tool push alpha --token {token}{number}" for number in "12")
    lost = make_action(outcome=Outcome.FAILED, parameters={"command": learned}, error=f"unknown option: {learned}")
    turn = did("tool push alpha")
    worker.learns(redact_turn(turn.model_copy(update={"actions": (lost, *turn.actions)})))

    answer = failure(worker, now, error=f"unknown option: {now}").body.decode()

    assert "`tool push alpha` worked" in answer
    assert token not in answer


def test_an_error_of_a_megabyte_is_read_in_parts() -> None:
    worker = Worker()
    taught(worker)

    assert failure(worker, error=NOT_FOUND + "\n" + "x" * 1_000_000).body
    assert failure(worker, error="x" * 1_000_000).body == b""


@pytest.mark.parametrize("raw", [b"", b"{{{", b"[]", b"[" * 100_000, b"{}", b'{"session_id": ""}', b"\xff\xfe"])
def test_an_unreadable_failed_call_is_refused(raw: bytes) -> None:
    """It may also name no session, to which nothing could be told once."""
    worker = Worker()
    taught(worker)

    response = worker.routes.answer(Request("POST", FAILURE, {}, raw), FakeCaller())

    assert response.status == 400
    assert worker.routes.answer(Request("GET", FAILURE, {}, raw), FakeCaller()).status == 405


def test_a_failed_call_without_a_store_gets_no_answer() -> None:
    assert failure(Worker(error=StoreUnavailableError())).status == 503


# The handshake


def headers(**changes: str) -> dict[str, str]:
    return {**dict(handshake.headers(Settings())), **changes}


def refusal(worker: Worker, headers: dict[str, str]) -> tuple[int, Any] | None:
    response = worker.routes.refusal(headers)
    return (response.status, json.loads(response.body)["error"]) if response else None


def test_a_client_with_the_same_settings_or_no_handshake_is_accepted() -> None:
    """curl sends no handshake."""
    assert refusal(Worker(), headers()) is None
    assert refusal(Worker(), {}) is None


def test_different_settings_are_reported_by_name_without_values() -> None:
    """A worker that served both would fill two stores, and only the user knows which settings are right."""
    worker = Worker(Settings(recall_scope="all", suggestions="quiet"))

    refused = refusal(worker, headers())

    assert refused is not None
    status, problem = refused
    assert (status, problem["kind"]) == (409, "OtherSettingsError")
    assert problem["names"] == ["recall_scope", "suggestions"]
    assert "recall_scope, suggestions" in problem["message"]
    assert "--config" in problem["hint"]
    assert "quiet" not in json.dumps(headers()) + json.dumps(problem)


def test_settings_unknown_to_the_client_are_not_compared() -> None:
    """An older command has fewer settings."""
    sent = headers()
    sent[handshake.SETTINGS] = sent[handshake.SETTINGS].partition(" ")[0]

    assert refusal(Worker(Settings(recall_scope="all")), sent) is None


@pytest.mark.parametrize(
    ("version", "plugin", "is_leaving"),
    [
        ("999.0", "/another", True),
        ("0.0.1", "/another", False),
        (__version__, "/another", False),
        ("0.0.1", wake.ROOT, False),
        ("999.0", wake.ROOT, True),
        (__version__, wake.ROOT, False),
    ],
)
def test_a_worker_leaves_to_a_plugin_that_replaced_its_own(version: str, plugin: str, is_leaving: bool) -> None:
    """A newer plugin replaces it; an older one does not, nor a process from before an update in place."""
    worker = Worker()

    refused = refusal(worker, {ask.VERSION: version, ask.PLUGIN: json.dumps(plugin)})

    assert worker.loop.is_stopping is is_leaving
    assert (refused is not None) is is_leaving
    if refused:
        assert (refused[0], refused[1]["kind"]) == (503, "WorkerLeavingError")


def test_a_worker_leaves_to_the_version_that_its_folder_has_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The plugin may also be set back to an older version, in place."""
    monkeypatch.setattr(wake, "ROOT", str(tmp_path))
    (tmp_path / "behavior_plugin").mkdir()
    (tmp_path / "behavior_plugin" / "__init__.py").write_text('"""Title."""\n\n__version__ = "0.0.1"\n')

    assert refusal(Worker(), {ask.VERSION: "0.0.2", ask.PLUGIN: json.dumps(wake.ROOT)}) is None
    assert refusal(Worker(), {ask.VERSION: "0.0.1", ask.PLUGIN: '"/another"'}) is None
    assert refusal(Worker(), {ask.VERSION: "0.0.1", ask.PLUGIN: json.dumps(wake.ROOT)}) is not None


def test_a_worker_without_its_folder_leaves_to_any_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its next import would fail."""
    monkeypatch.setattr(wake, "ROOT", str(tmp_path / "gone"))

    assert refusal(Worker(), {ask.VERSION: __version__, ask.PLUGIN: '"/another"'}) is not None


def test_a_leaving_worker_refuses_only_handshakes() -> None:
    """A client without a handshake cannot start a successor, so the worker still answers it."""
    worker = Worker()
    worker.loop.stop()

    refused = refusal(worker, headers())

    assert refused is not None
    assert refused[1]["kind"] == "WorkerLeavingError"
    assert refusal(worker, {}) is None


def test_a_malformed_handshake_is_a_bad_request() -> None:
    """It must not count as a missing one."""
    for broken in ({ask.PLUGIN: "{{{"}, {ask.PLUGIN: "[" * 60_000}, {handshake.SETTINGS: "no-equals-sign"}):
        refused = refusal(Worker(), headers(**broken))
        assert refused is not None
        assert refused[0] == 400


def test_a_turn_survives_json_unchanged() -> None:
    """An import sends turns to the worker as JSON."""
    turn = did(closing="Готово: 🧵", is_interjected=True)

    request = api.SaveTurns.model_validate(json.loads(api.SaveTurns(turns=(turn,)).model_dump_json()))

    assert request.turns == (turn,)
    assert isinstance(request.turns[0].actions[0], Action)


def test_a_pattern_and_its_episodes_survive_json_unchanged() -> None:
    """Commands get them as JSON, with everything that was computed."""
    worker = Worker()
    pattern = worker.learns(did())

    _, answer = worker.send("/v1/show_pattern", {"id": str(pattern.id)})

    assert api.Shown.model_validate(answer) == worker.service.show_pattern(api.ShowPattern(id=str(pattern.id)))
    assert answer["episodes"]


# Measuring


def test_work_is_listed_by_the_page_with_all_that_a_replay_compares() -> None:
    """Prompts that nothing was learned from get their vectors here: they might have got a suggestion too."""
    worker = Worker()
    looked = make_turn(
        "find out why the build is red", make_action("Read"), session_id="b", context=Context(project="/p")
    )
    save_turns([did(), did("git push", "publish it", outcome="failed", error="no upstream"), looked], worker.db)

    first = worker.service.list_work(api.ListWork(limit=2))
    rest = worker.service.list_work(api.ListWork(after=first[-1].source_key))

    works = {each.prompt: each for each in (*first, *rest)}
    assert set(works) == {TASK, "publish it", "find out why the build is red"}
    assert [each.source_key for each in (*first, *rest)] == sorted(each.source_key for each in works.values())
    assert worker.db.keys[works[TASK].source_key] == works[TASK].pattern_key != ""
    assert works[TASK].names == ("make test",)
    assert (works["find out why the build is red"].names, works["find out why the build is red"].pattern_key) == (
        (),
        "",
    )
    assert [each.parameters["command"] for each in works["publish it"].failed] == ["git push"]
    expected = FakeEmbedder().embed(["find out why the build is red"])[0]
    assert works["find out why the build is red"].vector == numpy.array(expected, dtype=numpy.float32).tobytes()
    assert all(each.vector and each.is_readable and each.is_task for each in works.values())
    assert worker.service.list_work(api.ListWork(after=rest[-1].source_key)) == []
    assert worker.service.list_work(api.ListWork(directory="/nowhere")) == []


def test_a_session_is_over_when_its_last_call_has_ended() -> None:
    worker = Worker()
    action = make_action(timestamp=START + timedelta(hours=2), duration_ms=60_000)
    save_turns([make_turn(TASK, action, started_at=START), did()], worker.db)

    [first, _] = sorted(worker.service.list_work(api.ListWork()), key=lambda each: each.started_at)

    assert (first.started_at, first.ended_at) == (START, START + timedelta(hours=2, minutes=1))


def test_suggestions_are_summed_up() -> None:
    worker = Worker(Settings(holdout=0.5))
    worker.learns(did(), did())
    for number in range(20):
        worker.service.suggest(suggest(session_id=f"session {number}"))

    found = worker.service.summarize(api.Summarize())

    assert found.totals.model_dump() == {"patterns": 1, "episodes": 2, "sessions": 2, "projects": 1}
    assert found.shown.suggestions + found.comparison.withheld.suggestions == 20
    assert found.comparison.shown.suggestions == found.shown.suggestions
    later = worker.service.summarize(api.Summarize(since=datetime.now(UTC) + timedelta(days=1)))
    assert (later.shown.suggestions, later.periods) == (0, ())
