"""The worker's operations and their HTTP interface, without a database, a socket or a process."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from behavior_plugin import __version__, api, errors
from behavior_plugin.capture import ask, wake
from behavior_plugin.config import Settings
from behavior_plugin.embed import Embedder
from behavior_plugin.errors import NotFoundError, StoreError, StoreUnavailableError
from behavior_plugin.model import Action, Context, Outcome, Pattern, PromptKind, Saved
from behavior_plugin.worker import handshake
from behavior_plugin.worker.routes import PROMPT, Request, Response, Routes
from behavior_plugin.worker.service import Service
from tests.factories import START, make_action, payload
from tests.fakes import FakeEmbedder, FakeStore

T = TypeVar("T")
TASK = "fix the parser of the invoice"
OPEN = api.Backlog(new_events=0, open_sessions=1, dead_letters=0)


@dataclass
class FakeLoop:
    """A main loop that runs tasks at once."""

    is_stopping: bool = False
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

    def run(self, task: Callable[[], T], within_s: float) -> T:
        return task()


@dataclass
class FakeLearner:
    """A learner that finds nothing to learn."""

    discarded: list[str] = field(default_factory=list)
    idle_s: list[float | None] = field(default_factory=list)

    def drain(self, probe: str = "") -> api.Drained:
        return api.Drained(learned=len(probe), **OPEN.model_dump())

    def reap(self, idle_s: float | None) -> api.Reaped:
        self.idle_s.append(idle_s)
        return api.Reaped(closed=1, learned=0, **OPEN.model_dump())

    def discard(self, session_id: str) -> None:
        self.discarded.append(session_id)


class FakeResources:
    """Open resources, or the error that opening them raises."""

    def __init__(self, store: FakeStore, error: Exception | None = None) -> None:
        self._store, self._error = store, error
        self._embedder = FakeEmbedder()

    def store(self, within_s: float) -> FakeStore:
        if self._error:
            raise self._error
        return self._store

    def embedder(self, within_s: float) -> Embedder | None:
        return self._embedder


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
        resources = FakeResources(self.db, error)
        self.service = Service(self.settings, resources=resources, learner=self.learner, loop=self.loop)
        self.routes = Routes(self.service, self.settings, self.loop)

    def knows(self, trigger: str, *, project: str = "/p", session_id: str = "earlier", key: str = "") -> None:
        pattern = make_pattern(trigger, project=project, session_id=session_id, key=key)
        self.db.save(pattern, FakeEmbedder().embed([trigger])[0], FakeEmbedder.model)

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


def suggest(prompt: str = TASK, *, kind: PromptKind | None = PromptKind.TASK, session_id: str = "now") -> api.Suggest:
    context = Context(directory="/p", root="/p", project="/p")
    return api.Suggest(session_id=session_id, prompt=prompt, kind=kind, context=context)


# Suggestions


def test_a_session_gets_each_suggestion_once() -> None:
    """The next prompt of the session gets the next best pattern, and the third none."""
    worker = Worker()
    worker.knows(TASK)
    worker.knows(f"{TASK} again")

    notes = [worker.service.suggest(suggest()).text for _ in range(3)]

    assert [note.count("<past-workflow") for note in notes] == [1, 1, 0]
    assert f'"{TASK}"' in notes[0]
    assert f'"{TASK} again"' in notes[1]


@pytest.mark.parametrize("kind", [None, PromptKind.FOLLOW_UP, PromptKind.MACHINE, PromptKind.BUILT_IN])
def test_other_prompts_than_tasks_get_no_suggestion(kind: PromptKind | None) -> None:
    """The store is not even queried."""
    worker = Worker()
    worker.knows(TASK)

    assert worker.service.suggest(suggest(kind=kind)).text == ""
    assert worker.loop.needed == []


def test_a_suggestion_is_counted_after_the_answer() -> None:
    """The agent should not wait for the count."""
    worker, caller = Worker(), FakeCaller()
    worker.knows(TASK)

    worker.service.suggest(suggest(), caller)
    before = list(worker.db.used)
    for do in caller.then:
        do()

    assert before == []
    assert worker.db.used == [worker.db.patterns[0].id]


def test_a_late_suggestion_counts_as_not_made() -> None:
    """Nobody read it, so it is not counted and the next prompt may get it."""
    worker, gone = Worker(), FakeCaller(has_gone=True)
    worker.knows(TASK)

    assert worker.service.suggest(suggest(), gone).text == ""

    assert gone.then == []
    assert worker.service.suggest(suggest()).text


def test_our_own_command_gets_several_answers_every_time() -> None:
    """A person asks, so no answer is counted as a suggestion."""
    worker = Worker()
    for number in range(5):
        worker.knows(f"{TASK} {number}", key=str(number))
    request = suggest(f"/behavior:recall {TASK}", kind=PromptKind.OWN_COMMAND)

    notes = [worker.service.suggest(request).text for _ in range(2)]

    assert [note.count("<past-workflow") for note in notes] == [3, 3]
    assert worker.db.used == []
    assert "no earlier work" in worker.service.suggest(suggest("/behavior:recall xyz", kind=request.kind)).text


def test_a_setting_raises_the_minimum_similarity_of_suggestions() -> None:
    """Six words of seven are alike, which is enough by default."""
    for setting, is_answered in ((None, True), (0.99, False)):
        worker = Worker(Settings(min_similarity=setting))
        worker.knows(f"{TASK} again")

        assert bool(worker.service.suggest(suggest()).text) is is_answered


def test_other_projects_work_is_suggested_only_by_setting() -> None:
    """It may be wrong or confidential here."""
    for scope, is_answered in (("project", False), ("all", True)):
        worker = Worker(Settings(recall_scope=scope))
        worker.knows(TASK, project="/another")

        assert bool(worker.service.suggest(suggest()).text) is is_answered


# Recall, list, show, save, forget


def test_manual_recall_has_limits_of_its_own() -> None:
    """A person also sees less similar work, and other projects' work on request."""
    worker = Worker(Settings(min_similarity=0.99))
    for number in range(7):
        worker.knows(f"{TASK} {number}", key=str(number))
    worker.knows(TASK, project="/another")

    def count(**changes: Any) -> int:
        return len(worker.service.recall(api.Recall(text=TASK, directory="/p", **changes)))

    assert (count(), count(limit=7), count(limit=50, everywhere=True)) == (5, 7, 8)
    assert count(min_similarity=1.0) == 0


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

    assert worker.service.show_pattern(api.ShowPattern(id=str(pattern.id)[:8])) == pattern
    with pytest.raises(NotFoundError, match="No pattern has an id that begins with x"):
        worker.service.show_pattern(api.ShowPattern(id="x"))
    worker.knows("write the notes")
    worker.db.rows = [(pattern, None, None), (pattern, None, None)]
    with pytest.raises(NotFoundError, match="More than one"):
        worker.service.show_pattern(api.ShowPattern(id=str(pattern.id)))


def test_a_refused_pattern_is_reported_and_the_others_are_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    """An import continues and reports the patterns it lost."""
    worker, save = Worker(), FakeStore.save

    def picky(self: FakeStore, pattern: Pattern, *rest: Any) -> Saved:
        if pattern.trigger == "bad":
            raise StoreError("the store refuses it")
        return save(self, pattern, *rest)

    monkeypatch.setattr(FakeStore, "save", picky)
    patterns = tuple(make_pattern(trigger) for trigger in ("one", "bad", "two", "one"))

    report = worker.service.save_patterns(api.SavePatterns(patterns=patterns))

    assert report == api.SaveReport(kept={"new": 2, "known": 1}, refused=["the store refuses it"])


def test_forget_empties_the_spool_even_if_the_store_fails() -> None:
    """A person who wants data deleted should not have to wait for a database."""
    worker = Worker(error=StoreUnavailableError())

    with pytest.raises(StoreUnavailableError):
        worker.service.forget_session(api.ForgetSession(session_id="s"))

    assert worker.learner.discarded == ["s"]


# HTTP


def test_operations_take_and_return_json() -> None:
    """curl is enough to call them."""
    worker = Worker()
    worker.knows(TASK)

    status, [found] = worker.send("/v1/recall", {"text": TASK, "directory": "/p"})

    assert (status, found["pattern"]["trigger"]) == (200, TASK)
    assert worker.send("/v1/ping", method="GET") == (200, {"version": __version__, "pid": 7})
    assert worker.send("/v1/drain") == (200, {"learned": 0, **OPEN.model_dump()})
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
        ("/v1/recall", {"text": TASK, "min_similarity": 2}, "POST", 400, "RequestError"),
        ("/v1/recall", {"text": TASK, "floor": 1}, "POST", 400, "RequestError"),
        ("/v1/list_patterns", {"limit": 10_001}, "POST", 400, "RequestError"),
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
    nearest = worker.db.nearest

    def spy(*words: Any, project: str | None, **rest: Any) -> Any:
        projects.append(project)
        return nearest(*words, project=project, **rest)

    worker.db.nearest = spy  # type: ignore[method-assign]
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
    worker = Worker(Settings(recall_scope="all", min_similarity=0.123))

    refused = refusal(worker, headers())

    assert refused is not None
    status, problem = refused
    assert (status, problem["kind"]) == (409, "OtherSettingsError")
    assert problem["names"] == ["min_similarity", "recall_scope"]
    assert "min_similarity, recall_scope" in problem["message"]
    assert "`behavior worker stop`" in problem["hint"]
    assert "0.123" not in json.dumps(headers()) + json.dumps(problem)


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


def test_a_pattern_survives_json_unchanged() -> None:
    """An import sends patterns to the worker as JSON."""
    pattern = make_pattern(TASK)

    request = api.SavePatterns.model_validate(json.loads(api.SavePatterns(patterns=(pattern,)).model_dump_json()))

    assert request.patterns == (pattern,)
    assert isinstance(request.patterns[0].actions[0], Action)
