"""The prompt hook's answers, requested as the client requests them."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import paths
from behavior_plugin.simulator import HookRun
from behavior_plugin.worker.client import start_worker
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import (
    OTHER_TASK,
    SAME_TASK,
    TASK,
    Session,
    drain,
    in_spool,
    json_of,
    nothing_left,
    patterns,
    worker_pid,
)
from tests.settings import configure
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending")
# The client allows much more, but a person at the keyboard notices this.
NOTICEABLE_S = 2.0


def remember(project: Path, prompt: str = TASK, **work: Any) -> None:
    Session(project).work(prompt, **work).end()
    assert drain()


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with one worker for all tests of this file that only ask."""
    home = tmp_path_factory.mktemp("shared")
    yield home
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("BEHAVIOR_HOME", str(home / "behavior"))
        with nothing_left(home):
            pass


@pytest.fixture
def shared(shared_home: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a pattern."""
    monkeypatch.setenv("HOME", str(shared_home))
    monkeypatch.setenv("BEHAVIOR_HOME", str(shared_home / "behavior"))
    if not patterns():
        remember(shared_home / "project")
    return shared_home / "project"


def answer(run: HookRun) -> str:
    """The text that the assistant reads; the output must be exactly one JSON object."""
    specific = json.loads(run.stdout)["hookSpecificOutput"]
    assert list(json.loads(run.stdout)) == ["hookSpecificOutput", "systemMessage"]
    assert list(specific) == ["hookEventName", "additionalContext"]
    assert specific["hookEventName"] == "UserPromptSubmit"
    return str(specific["additionalContext"])


def suggestion(session: Session, prompt: str) -> str:
    """The suggestion for a prompt, which is repeated because a busy machine rightly gives no answer."""
    return answer(wait_for(lambda: run if (run := session.ask(prompt)).stdout else None, "a suggestion"))


def test_a_similar_prompt_in_a_new_session_gets_a_suggestion(project: Path) -> None:
    """This is the purpose of the plugin."""
    remember(project, command="python3 -m unittest")

    text = suggestion(Session(project), SAME_TASK)

    assert text.startswith("<past-workflow ")
    assert text.count("</past-workflow>") == 1
    assert TASK in text
    assert "`python3 -m unittest`" in text


def test_a_session_gets_no_suggestion_twice(project: Path) -> None:
    """The assistant has read it already, and each repetition costs context."""
    remember(project)
    session = Session(project)
    first = suggestion(session, TASK)

    again, in_other_words = session.ask(TASK), session.ask(SAME_TASK)

    assert TASK in first
    assert (again.stdout, in_other_words.stdout) == ("", "")
    assert TASK in suggestion(Session(project), TASK)


def test_a_session_gets_no_suggestion_from_its_own_work(project: Path) -> None:
    """A resumed session still has that work in its context."""
    session = Session(project).work(TASK).end()
    assert drain()

    resumed = session.ask(TASK)

    assert resumed.stdout == ""


@pytest.mark.parametrize(
    "prompt",
    [
        OTHER_TASK,
        "yes, go on",
        "ok",
        f"<task-notification>{TASK}</task-notification>",
        f"<command-message>{TASK}</command-message>",
        f"This session is being continued from a previous conversation: {TASK}",
        "[Request interrupted by user]",
        "\N{THUMBS UP SIGN}",
        " ",
    ],
)
def test_other_prompts_and_unfamiliar_tasks_get_no_suggestion(prompt: str, shared: Path) -> None:
    """A wrong suggestion costs more than a missing one."""
    assert Session(shared).ask(prompt).stdout == ""


def test_other_projects_work_is_not_suggested(project: Path, tmp_path: Path) -> None:
    """It may be wrong or confidential here."""
    remember(project)

    assert Session(tmp_path / "another").ask(TASK).stdout == ""


def test_other_projects_work_is_suggested_by_setting(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some users do the same work in many repositories."""
    configure(recall_scope="all")
    remember(project)

    assert TASK in suggestion(Session(tmp_path / "another"), TASK)


def test_a_subfolder_of_the_repository_is_the_same_project(project: Path) -> None:
    """People start the client in any directory."""
    (project / ".git").mkdir(parents=True)
    (project / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    remember(project)

    assert TASK in suggestion(Session(project / "src"), TASK)


def test_failed_work_is_not_suggested(project: Path) -> None:
    """Nobody wants to repeat it."""
    remember(project, event="PostToolUseFailure")

    assert Session(project).ask(TASK).stdout == ""


def shown() -> int:
    """How many suggestions were shown."""
    return int(json_of("stats")["shown"]["suggestions"])


def test_only_shown_suggestions_are_counted(project: Path) -> None:
    """Whether one helped is judged by the work that comes after it, so it must be known which was shown."""
    remember(project)
    remember(project, OTHER_TASK, command="git push")
    session = Session(project)
    suggestion(session, TASK)
    session.ask(TASK)

    wait_for(shown, "the suggestion is noted")

    assert shown() == 1
    assert [pattern.use_count for pattern in patterns()] == [0, 0]


def test_a_frozen_worker_does_not_delay_the_prompt(project: Path) -> None:
    """A hook that hangs makes the client hang."""
    remember(project)
    pid = worker_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        run = Session(project).ask(TASK)
        waiting = in_spool("new")
    finally:
        os.kill(pid, signal.SIGCONT)

    assert run.stdout == ""
    assert run.seconds < NOTICEABLE_S
    assert len(waiting) == 1


def test_a_late_suggestion_counts_as_not_made(project: Path) -> None:
    """The hook has ended, so nobody read the suggestion; the next prompt may get it."""
    remember(project)
    session = Session(project)
    pid = worker_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        session.ask(TASK)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert TASK in suggestion(session, TASK)
    wait_for(shown, "the suggestion is noted")
    assert shown() == 1


def test_a_prompt_without_a_worker_starts_one(project: Path) -> None:
    """The worker may have been killed, or have ended after a long silence."""
    remember(project)
    stop_worker()
    session = Session(project)

    run = session.ask(SAME_TASK)

    assert run.stdout == ""
    assert run.seconds < NOTICEABLE_S
    worker_pid()
    wait_for(lambda: in_spool("open") and not in_spool("new"), "the prompt has been filed")
    assert TASK in suggestion(session, SAME_TASK)


def test_a_prompt_during_the_workers_start_is_answered_in_time(project: Path) -> None:
    """The first prompt often comes with the start of the session, and the server takes longer to start."""
    remember(project)
    stop_worker()
    session = Session(project)
    session.send("SessionStart")

    run = session.ask(TASK)

    assert run.seconds < NOTICEABLE_S
    assert run.stdout == "" or TASK in answer(run)


def test_a_missing_store_yields_no_suggestion(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prompt does not depend on a database."""
    configure(database_url="postgresql://somebody@127.0.0.1:1/none")
    start_worker()

    began = time.monotonic()
    run = Session(project).ask(TASK)

    assert run.stdout == ""
    assert time.monotonic() - began < NOTICEABLE_S
    assert not Path(paths.in_data("lost")).exists()
