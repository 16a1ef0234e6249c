"""A real worker neither learns from pauses, exclusions and private text, nor suggests anything in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from behavior_plugin import api
from behavior_plugin.capture import ignore_file, paths, trouble
from behavior_plugin.exclude import pauses
from behavior_plugin.worker.client import Client, start_worker
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import TASK, Session, drain, in_spool, json_of, output_of, patterns, status, turns
from tests.settings import configure
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending", "no_embedder")
CANARY = "kestrel-4711"


def work() -> list[tuple[str, list[str]]]:
    """Each turn that was learned from, oldest first, with the commands of its calls."""
    Client().drain(api.Drain())
    return [(each.trigger, [call.parameters["command"] for call in each.actions]) for each in turns()][::-1]


def files_with(text: str) -> list[Path]:
    """The files of the data folder that hold a text, the database's among them, once the worker has ended."""
    assert text not in str([*turns(), *patterns()])  # a database may compress a row
    stop_worker()
    return [file for file in files_of_data() if text.encode() in file.read_bytes()]


def files_of_data() -> list[Path]:
    return [file for file in Path(paths.data_folder()).rglob("*") if file.is_file()]


def test_a_search_of_the_data_folder_finds_what_is_stored(project: Path) -> None:
    """Otherwise the tests below could not fail."""
    Session(project).work(f"Fix {CANARY} in the parser").end()
    assert len(work()) == 1

    assert CANARY in str(turns())
    stop_worker()
    assert any("postgres" in str(file) for file in files_of_data() if CANARY.encode() in file.read_bytes())


def test_private_text_and_private_turns_are_not_learned_from(project: Path) -> None:
    session = Session(project).work(f"Fix the parser <private>for {CANARY}</private> and run its tests")
    session.ask(f"<private>Sell {CANARY}</private>")
    session.call(f"sell {CANARY}")
    session.ask("yes, do it")
    session.call(f"sell it {CANARY}")
    session.ask("Write the release notes")
    session.call("make notes")
    session.end()

    assert work() == [("Fix the parser  and run its tests", ["make test"]), ("Write the release notes", ["make notes"])]
    assert json_of("why", "-n", "10", cwd=project)["prompts"]
    assert files_with(CANARY) == []


def test_a_pause_in_the_middle_of_a_session_leaves_no_trace(project: Path) -> None:
    """The agent's log has all of it, and is read when the session ends."""
    session = Session(project).work("Fix the parser")
    output_of("pause", cwd=project)
    session.ask(f"Sell {CANARY}")
    session.call(f"sell {CANARY}")
    output_of("resume", cwd=project)
    session.call(f"sell the rest, {session.prompt_id}")
    session.ask("Write the release notes")
    session.call("make notes")
    write_log(session, f"Sell {CANARY}", f"sell {CANARY}")
    session.end()

    assert work() == [("Fix the parser", ["make test"]), ("Write the release notes", ["make notes"])]
    assert in_spool("dead") == []
    assert files_with(CANARY) == []


def write_log(session: Session, prompt: str, command: str) -> None:
    """The agent's log of the session, with a prompt and its call in the pause."""
    [pause] = pauses.read()
    common = {"sessionId": session.id, "timestamp": pause.since.isoformat(), "cwd": str(session.directory)}
    use = {"type": "tool_use", "id": "log-1", "name": "Bash", "input": {"command": command}}
    records = [
        {"type": "user", "uuid": "u1", "promptId": "log-p1", "message": {"role": "user", "content": prompt}},
        {"type": "assistant", "uuid": "a1", "message": {"role": "assistant", "content": [use]}},
    ]
    session.transcript.write_text("".join(json.dumps({**common, **record}) + "\n" for record in records))


@pytest.mark.parametrize("how", ["setting", "file"])
def test_an_excluded_project_gets_no_suggestion_and_is_not_learned_from(how: str, project: Path) -> None:
    """Its earlier patterns stay; `behavior forget` would delete them."""
    Session(project).work(TASK).end()
    assert len(drain()) == 1
    assert Session(project).ask(TASK).stdout

    exclude(how, project)
    session = Session(project)
    session.send("SessionStart")
    assert session.ask(f"{TASK} {CANARY}").stdout == ""
    session.call(f"make {CANARY}")
    session.end()

    assert len(drain()) == 1
    assert "This project is excluded" in output_of("why", cwd=project)
    assert files_with(CANARY) == []


def exclude(how: str, project: Path) -> None:
    """Exclude a project, and wait until the running worker has noticed."""
    if how == "file":
        (project / ignore_file.NAME).write_text("*\n")
        return
    configure(exclude_projects=[str(project)])
    wait_for(Path(paths.in_data("skip")).exists, "the worker to read the setting")


def test_the_worker_leaves_out_what_hooks_could_not_know_of(project: Path) -> None:
    """The setting was changed after the hooks had recorded."""
    session = Session(project).work(f"Fix {CANARY}")
    configure(exclude_projects=[str(project)])
    session.end()

    assert work() == []
    assert wait_for(lambda: status().left_out, "the count") == 1
    assert in_spool("open") == in_spool("dead") == []


def test_calls_of_excluded_files_are_left_out_and_counted(project: Path) -> None:
    configure(exclude_paths=["*.env"])
    session = Session(project).work("Fix the parser")
    session.call(f"cat {CANARY}.env")
    session.call("make check")
    session.end()

    assert work() == [("Fix the parser", ["make test", "make check"])]
    assert status().left_out == 1
    assert files_with(CANARY) == []


def test_a_settings_file_that_cannot_be_read_keeps_sessions_waiting(project: Path) -> None:
    """Any project may be excluded then; a dead letter would be a loss."""
    start_worker()
    session = Session(project).work("Fix the parser")
    config = Path(paths.in_data("config.toml"))
    before = config.read_text() if config.exists() else ""
    config.write_text("exclude_projects = [")
    session.end()
    wait_for(lambda: "config.toml cannot be read" in trouble.read(), "the worker to report it")
    assert in_spool("open") or in_spool("new")
    assert in_spool("dead") == []

    config.write_text(before)

    assert wait_for(turns, "the turn")
