"""The user sees suggestions: a line in the session, `behavior why`, and a warning at a session's start."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin import api
from behavior_plugin.capture import paths, trouble, unanswered, wake
from behavior_plugin.simulator import HookRun
from behavior_plugin.worker import decisions
from behavior_plugin.worker.client import start_worker
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import (
    OTHER_TASK,
    SAME_TASK,
    TASK,
    Session,
    drain,
    json_of,
    output_of,
    running_worker,
    worker_pid,
)
from tests.settings import configure
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending")


def remember(project: Path, prompt: str = TASK) -> None:
    Session(project).work(prompt).end()
    assert drain()


def answered(session: Session, prompt: str) -> dict[str, Any]:
    """The whole answer to a prompt, which is repeated because a busy machine rightly gives none."""
    run: HookRun = wait_for(lambda: run if (run := session.ask(prompt)).stdout else None, "a suggestion")
    answer = json.loads(run.stdout)
    assert isinstance(answer, dict)
    return answer


def decision_on(session: Session, prompt: str) -> dict[str, Any]:
    """The decision on a prompt that is asked until it is answered in time; it is written after the answer."""

    def found() -> dict[str, Any] | None:
        session.ask(prompt)
        decision: dict[str, Any] = wait_for(newest, "the decision")
        return decision if decision["verdict"] not in ("too late", "not ready") else None

    def newest() -> dict[str, Any] | None:
        found = json_of("why", "--session", session.id)["prompts"]
        return found[0] if found and found[0]["prompt"] == prompt else None

    return wait_for(found, "an answer")


def message(run: HookRun) -> str:
    """The warning at a session's start; empty if there is none."""
    return str(json.loads(run.stdout)["systemMessage"]) if run.stdout else ""


def test_a_note_is_shown_to_the_user_in_one_line(project: Path) -> None:
    """Otherwise only the assistant knows where its next steps come from."""
    remember(project)

    answer = answered(Session(project), SAME_TASK)

    line = answer["systemMessage"]
    assert line.startswith(f'behavior: shown how "{TASK[:60]}')
    assert line.endswith("%)")
    assert len(line) <= 120
    assert line not in answer["hookSpecificOutput"]["additionalContext"]


def test_the_line_is_switched_off_by_a_setting(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The assistant still gets the note."""
    configure(show_notes=False)
    remember(project)

    answer = answered(Session(project), SAME_TASK)

    assert list(answer) == ["hookSpecificOutput"]


def test_the_reasons_outlive_the_worker(project: Path) -> None:
    """A user wonders about a note long after the session."""
    remember(project)
    session = Session(project)

    decision = decision_on(session, SAME_TASK)
    stop_worker()
    text = output_of("why", cwd=project)

    assert decision == json_of("why", cwd=project)["prompts"][0]
    assert (decision["verdict"], decision["session_id"]) == ("shown", session.id)
    assert decision["note"].startswith("<past-workflow")
    [shown] = decision["considered"]
    assert (shown["fate"], shown["candidate"]["trigger"]) == ("shown", TASK)
    assert {factor["name"] for factor in shown["candidate"]["factors"]} == {"cosine", "words", "age", "same_command"}
    assert decision["min_odds"] < decision["ranking"]["odds"] == shown["candidate"]["odds"]
    assert f"{decision['ranking']['odds']:.0%}" in text
    assert "alike in meaning" in text
    assert shown["pattern_id"][:8] in text
    assert decision["note"].splitlines()[2] in text


@pytest.mark.usefixtures("no_embedder")
def test_silence_has_a_reason(project: Path) -> None:
    """Each kind of silence is another, and has another remedy."""
    start_worker()
    worker_pid()
    assert decision_on(Session(project), TASK)["verdict"] == "nothing known"
    remember(project)
    session = Session(project)
    answered(session, TASK)

    verdicts = [decision_on(session, prompt)["verdict"] for prompt in (f"{TASK} ", "ok", OTHER_TASK)]

    assert verdicts[:2] == ["already shown", "no task"]
    assert verdicts[2] in ("below the threshold", "nothing like it")
    assert "No note: this session has been shown it already." in output_of("why", "-n", "3", cwd=project)
    assert "--all" in output_of("why")
    assert json_of("why")["prompts"] == []
    assert json_of("why", "--all")["prompts"][0]["prompt"] == OTHER_TASK


@pytest.mark.usefixtures("no_embedder")
def test_the_file_is_private_and_holds_no_secret(project: Path) -> None:
    """The user's prompts are in it."""
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    start_worker()
    worker_pid()

    Session(project).ask(f"Deploy with the token {secret} now")

    decision = wait_for(decisions.read, "a decision")[0]
    file = decisions.file()
    assert decision.prompt == "Deploy with the token [REDACTED] now"
    assert secret not in file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.parent == Path(paths.data_folder())


@pytest.mark.usefixtures("no_embedder")
def test_a_forgotten_session_leaves_no_reasons(project: Path) -> None:
    """It includes the prompts that were not learned from."""
    start_worker()
    worker_pid()
    forgotten, kept = Session(project), Session(project)
    for session in (forgotten, kept):
        decision_on(session, TASK)

    running_worker().forget_session(api.ForgetSession(session_id=forgotten.id))

    assert {each.session_id for each in decisions.read()} == {kept.id}
    assert forgotten.id not in decisions.file().read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_embedder")
def test_a_note_comes_again_after_compaction_and_not_after_a_restart(project: Path) -> None:
    """A compacted conversation has lost it; a worker that was restarted has not."""
    remember(project)
    session = Session(project)
    session.send("SessionStart", source="startup")
    assert decision_on(session, TASK)["verdict"] == "shown"

    restart()
    assert decision_on(session, f"{TASK} ")["verdict"] == "already shown"

    session.send("SessionStart", source="resume")
    assert decision_on(session, f"{TASK}  ")["verdict"] == "already shown"

    session.send("SessionStart", source="compact")
    wait_for(lambda: not any(each.shown for each in decisions.read()), "the compaction")
    assert decision_on(session, TASK)["verdict"] == "shown"

    # The next worker reads the events of the open session again, the compaction among them.
    restart()
    assert decision_on(session, f"{TASK}   ")["verdict"] == "already shown"


def restart() -> None:
    stop_worker()
    start_worker()
    worker_pid()


@pytest.mark.usefixtures("no_embedder")
def test_prompts_without_an_answer_are_counted(project: Path) -> None:
    """A frozen worker, and then none that can be started."""
    session = Session(project)
    start_worker()
    os.kill(pid := worker_pid(), signal.SIGSTOP)
    try:
        assert session.ask(TASK).stdout == ""
    finally:
        os.kill(pid, signal.SIGCONT)
    first = unanswered.read()
    stop_worker()
    wake.record("/nonexistent")
    session.ask(TASK)

    found = json_of("status")["unanswered"]
    assert first
    assert (first[0], first[3]) == (1, "the worker took too long")
    assert (found["prompts"], found["reason"]) == (2, "no worker was running")
    assert "2 prompts got no answer in time since" in output_of("status")
    assert "2 prompts got no answer in time since" in output_of("why", cwd=project)
    assert json_of("why", cwd=project)["unanswered"] == found


def test_a_degraded_embedder_is_reported_at_the_start_of_the_next_session(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in a session, and no more when it is repaired. It starts without a worker, as most do."""
    configure(embedder="openai")
    start_worker()
    wait_for(trouble.read, "the trouble")
    stop_worker()

    shown = [message(Session(project).send("SessionStart", source=source)) for source in ("startup", "clear")]
    going_on = [message(Session(project).send("SessionStart", source=source)) for source in ("resume", "compact")]
    worker_pid()
    stop_worker()
    configure(embedder="none")
    start_worker()
    wait_for(lambda: not trouble.read(), "the repair")

    for line in shown:
        assert line.startswith("behavior: prompts are compared by their letters only: ")
        assert "`behavior doctor` says what to do." in line
    assert going_on == ["", ""]
    assert message(Session(project).send("SessionStart", source="startup")) == ""


@pytest.mark.usefixtures("no_embedder")
def test_a_worker_that_cannot_learn_is_reported(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its database is not there, or its settings are not valid."""
    configure(database_url="postgresql://user:hidden-word@127.0.0.1:9/none")
    start_worker()
    wait_for(trouble.read, "the trouble")
    no_store = message(Session(project).send("SessionStart"))
    stop_worker()
    configure(suggestions="often")

    def starts_and_fails() -> bool:
        Session(project).send("SessionStart")
        return "suggestions" in trouble.read()

    # The last worker's start may be a moment ago, and is not tried again so soon.
    wait_for(starts_and_fails, "the other trouble")

    assert no_store.startswith("behavior: nothing new is learned: ")
    assert "hidden-word" not in no_store
    assert message(Session(project).send("SessionStart")).startswith("behavior: the worker cannot run: ")


@pytest.mark.usefixtures("no_embedder")
def test_uninstalling_leaves_nothing_outside_of_the_data_folder(project: Path, own_home: Path) -> None:
    """The files of this part are in it, and only there."""
    remember(project)
    answered(Session(project), TASK)
    wait_for(decisions.read, "a decision")
    unanswered.count("a test")

    output_of("uninstall")

    made = {
        file.name for file in own_home.rglob("*") if file.is_file() and Path(paths.data_folder()) not in file.parents
    }
    assert made == set()
