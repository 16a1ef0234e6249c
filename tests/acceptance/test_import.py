"""`behavior import` as a process with a real worker: past sessions become patterns, once, despite interruptions."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from behavior_plugin.capture import paths
from behavior_plugin.importer.pool import MIN_POOL_BYTES
from behavior_plugin.worker.client import start_worker
from behavior_plugin.worker.lifecycle import stop_worker
from behavior_plugin.workflow import StoredPattern
from tests.acceptance.sessions import (
    ROOT,
    TASK,
    Session,
    behavior,
    commands_of,
    drained_turns,
    json_of,
    output_of,
    patterns,
    processes_of,
    turns,
    worker_pid,
)
from tests.factories import SESSIONS, START, TRANSCRIPTS
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending", "no_embedder")
USAGE = 2
SESSIONS_OF_MANY = 500
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.fixture
def history(tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which a client stores the sessions of one directory; `project` creates the database."""
    project.mkdir(exist_ok=True)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "client"))
    folder = tmp_path / "client" / "projects" / "-home-dev-project"
    folder.mkdir(parents=True)
    return folder


def put_recorded(history: Path) -> None:
    """Copy the recorded sessions of the real client, with their subagents."""
    for session in SESSIONS:
        shutil.copy(TRANSCRIPTS / f"{session}.jsonl", history)
    shutil.copytree(TRANSCRIPTS / "print-subagents", history / "print-subagents")


def record(kind: str, content: Any, at: float, **fields: Any) -> str:
    time = (START + timedelta(seconds=at)).isoformat()
    return json.dumps({"type": kind, "timestamp": time, "message": {"role": kind, "content": content}, **fields})


def transcript(
    session_id: str, prompt_id: str, call_id: str, *, prompt: str = TASK, cwd: str = "/home/dev/project"
) -> str:
    """The client's transcript of a session with one prompt and one call."""
    common = {"sessionId": session_id, "cwd": cwd, "version": "2.1.328"}
    use = {"type": "tool_use", "id": call_id, "name": "Bash", "input": {"command": "make test"}}
    result = {"type": "tool_result", "tool_use_id": call_id, "content": "ok"}
    lines = [
        record("user", prompt, 0, promptId=prompt_id, uuid=f"u-{prompt_id}", **common),
        record("assistant", [use], 1, uuid=f"a-{prompt_id}", **common),
        record("user", [result], 2, promptId=prompt_id, uuid=f"r-{prompt_id}", **common),
        record("assistant", [{"type": "text", "text": "Done."}], 3, uuid=f"e-{prompt_id}", **common),
    ]
    return "\n".join(lines) + "\n"


def many_sessions(history: Path, count: int) -> None:
    """So many sessions, large enough that several processes read them."""
    filler = json.dumps({"type": "file-history-snapshot", "padding": "x" * 20_000}) + "\n"
    lines = 1 + 2 * MIN_POOL_BYTES // count // len(filler)
    for number in range(count):
        name = str(uuid.uuid4())
        text = transcript(name, f"p{number}", f"toolu_{number}", prompt=f"Mend the parser of chapter {number}")
        (history / f"{name}.jsonl").write_text(text + filler * lines)


def works(found: list[StoredPattern]) -> list[tuple[str, int]]:
    return sorted((pattern.source_key, len(pattern.actions)) for pattern in found)


def test_past_sessions_become_patterns_that_can_be_recalled(history: Path) -> None:
    """The plugin is useful on the first day, with work from before its installation."""
    put_recorded(history)

    report = json_of("import")

    found = turns()
    assert report["sessions"] == {"claude-code": len(SESSIONS)}
    assert report["new"] == report["patterns"] == len(found) > 3
    assert (report["problems"], report["skipped"]) == ([], 0)
    assert {pattern.provenance.source for pattern in found} == {"transcript"}
    [with_subagents] = [pattern for pattern in found if {action.actor for action in pattern.actions} - {"main", "user"}]
    assert len({action.actor for action in with_subagents.actions}) == 3
    assert "The add function returns the wrong result" in output_of("recall", "add returns the wrong result", "--all")


def test_a_second_import_changes_nothing(history: Path) -> None:
    """An interrupted import is simply run again."""
    put_recorded(history)
    json_of("import")
    before, computed = turns(), patterns()

    report = json_of("import")

    assert (report["new"], report["grown"], report["known"]) == (0, 0, len(before))
    assert (turns(), patterns()) == (before, computed)
    assert computed


def test_a_captured_session_is_not_imported_twice(history: Path, project: Path) -> None:
    """Hooks and log report the same work, whichever is learned first."""
    session = Session(project).work().end()
    [live] = drained_turns()
    text = transcript(session.id, session.prompt_id, live.actions[0].id or "", cwd=str(project))
    (history / f"{session.id}.jsonl").write_text(text)

    report = json_of("import")

    assert (report["new"], report["known"]) == (0, 1)
    assert works(turns()) == works([live])


def test_an_imported_session_is_not_captured_twice(history: Path, project: Path) -> None:
    """The first import may well read the session in which it was started."""
    session = Session(project)
    session.send("SessionStart")
    session.ask(TASK)
    call_id = f"toolu_{uuid.uuid4().hex}"
    (history / f"{session.id}.jsonl").write_text(transcript(session.id, session.prompt_id, call_id, cwd=str(project)))
    assert json_of("import")["new"] == 1

    session.send("PostToolUse", tool_input={"command": "make test"}, tool_use_id=call_id)
    session.call("git commit -am fix")
    session.send("Stop")
    session.end()

    [turn] = drained_turns()
    assert [action.parameters["command"] for action in turn.actions] == ["make test", "git commit -am fix"]


def test_records_copied_by_a_fork_are_recognized(history: Path) -> None:
    """The fork's file has the old records with a new session id."""
    (history / "old.jsonl").write_text(transcript("old", "p1", "toolu_1"))
    (history / "fork.jsonl").write_text(transcript("fork", "p1", "toolu_1"))

    report = json_of("import")

    assert (report["new"], report["known"], report["copies"]) == (1, 0, 1)
    assert len(turns()) == 1


def test_a_longer_log_adds_only_its_new_work(history: Path) -> None:
    """A resumed session continues in its file."""
    log = history / "s1.jsonl"
    log.write_text(transcript("s1", "p1", "toolu_1"))
    json_of("import")

    log.write_text(log.read_text() + transcript("s1", "p2", "toolu_2", prompt="Write the changelog"))

    assert json_of("import")["new"] == 1
    assert {turn.trigger for turn in turns()} == {TASK, "Write the changelog"}


def test_secrets_are_redacted_before_patterns_are_stored(history: Path) -> None:
    """A log has as many of them as a session."""
    (history / "s1.jsonl").write_text(transcript("s1", "p1", "toolu_1", prompt=f"Push with the token {TOKEN}"))

    printed = output_of("import")

    [pattern], [turn] = patterns(), turns()
    assert pattern.trigger == turn.trigger
    assert pattern.trigger.startswith("Push with the token [REDACTED")
    assert TOKEN not in printed


def test_a_truncated_log_is_read_and_the_damage_is_reported(history: Path) -> None:
    """A killed client leaves a partial line, and a faulty disk may leave worse."""
    log = history / "s1.jsonl"
    log.write_text(transcript("s1", "p1", "toolu_1") + '{"type":"user","mess')

    printed = output_of("import")

    assert "1 new" in printed
    assert f"{log}:5: the line is not JSON" in printed


def test_a_dry_run_stores_nothing_and_starts_nothing(history: Path) -> None:
    """Looking should cost nothing."""
    put_recorded(history)

    printed = output_of("import", "--dry-run")

    assert "Nothing was learned" in printed
    assert not [command for command in commands_of(Path(paths.data_folder())) if "worker" in command]
    assert turns() == []


def test_import_can_be_limited_to_one_project_or_new_work(history: Path, project: Path) -> None:
    """Another customer's project may have no business on this machine."""
    (history / "here.jsonl").write_text(transcript("here", "p1", "toolu_1", cwd=str(project / "web")))
    (history / "there.jsonl").write_text(transcript("there", "p2", "toolu_2", cwd=f"{project}-other"))

    by_project = json_of("import", "--dry-run", "--project", str(project))
    by_day = json_of("import", "--dry-run", "--since", f"{START + timedelta(days=1):%Y-%m-%d}")

    assert (by_project["prompts"], by_project["patterns"]) == (1, 1)
    assert (by_day["patterns"], by_day["prompts"], by_day["idle"], by_day["earlier"]) == (0, 0, 0, 2)
    assert json_of("import", "--dry-run")["patterns"] == 2


def test_jobs_are_reported_with_their_project(history: Path) -> None:
    """Two projects may have a job of one name."""
    for number, project in enumerate(("shop", "shop", "till", "till")):
        place = f"/home/dev/{project}"
        text = transcript(f"s{number}", f"p{number}", f"toolu_{number}", prompt=f"Run the tests, {number}", cwd=place)
        (history / f"s{number}.jsonl").write_text(text)

    report = json_of("import", "--dry-run")

    assert sorted(done["project"] for done in report["workflows"]) == ["/home/dev/shop", "/home/dev/till"]


def test_one_log_can_be_named(history: Path, tmp_path: Path) -> None:
    """A log file may be anywhere, beside any other files."""
    put_recorded(history)
    log = tmp_path / "elsewhere.jsonl"
    log.write_text(transcript("s1", "p1", "toolu_1"))

    assert json_of("import", str(log))["sessions"] == {"claude-code": 1}


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["/no/such/folder"], USAGE, "does not exist"),
        (["--since", "yesterday"], USAGE, "neither a day"),
        (["--agent", "nobody"], USAGE, "nobody"),
        ([str(ROOT / "sql")], 1, f" in {ROOT / 'sql'}.\ndocs/agents.md lists"),
        (["--project", "/no/such/project"], 1, "No session in /no/such/project."),
    ],
)
def test_a_missing_folder_or_log_is_an_error(history: Path, arguments: list[str], status: int, reason: str) -> None:
    """A typo must not look like an empty history."""
    (history / "s1.jsonl").write_text(transcript("s1", "p1", "toolu_1"))

    done = behavior("import", *arguments)

    assert done.returncode == status
    assert reason in done.stderr


def test_a_missing_history_is_no_error(history: Path) -> None:
    """A new machine has none."""
    done = behavior("import")

    assert (done.returncode, done.stdout) == (0, "")
    assert f"No log of Claude Code in {history.parent}." in done.stderr
    assert "name the folder: `behavior import FOLDER`" in done.stderr


@pytest.fixture
def many_readers(history: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running import whose processes read logs."""
    many_sessions(history, SESSIONS_OF_MANY)
    start_worker()
    command = [sys.executable, str(ROOT / "behavior_plugin"), "import", "--json"]
    with subprocess.Popen(
        command,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Test runs in the background ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        wait_for(readers, "processes that read")
        wait_for(turns, "the first turn")
        yield run


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_import_leaves_no_process_and_can_be_repeated(
    many_readers: subprocess.Popen[bytes], ending: int
) -> None:
    """After Ctrl-C or a closed terminal, the learned sessions stay, and the next import learns the rest."""
    os.killpg(many_readers.pid, ending) if ending == signal.SIGINT else many_readers.send_signal(ending)
    _, complaints = many_readers.communicate(timeout=30)

    assert (many_readers.returncode, readers()) == (130, [])
    assert complaints.decode().strip().endswith("run it again to continue.")
    assert complaints.count(b"\n") <= 2
    assert 0 < len(turns()) < SESSIONS_OF_MANY
    assert json_of("import")["patterns"] == len(turns()) == SESSIONS_OF_MANY


def test_an_import_can_be_interrupted_while_the_worker_is_frozen(many_readers: subprocess.Popen[bytes]) -> None:
    """The processes that read logs wait for an answer that does not come."""
    worker = worker_pid()
    os.kill(worker, signal.SIGSTOP)
    try:
        os.killpg(many_readers.pid, signal.SIGINT)
        many_readers.communicate(timeout=30)
    finally:
        os.kill(worker, signal.SIGCONT)

    assert (many_readers.returncode, readers()) == (130, [])


def test_a_killed_import_leaves_no_process(many_readers: subprocess.Popen[bytes]) -> None:
    """The processes that read logs end with it, whatever kills it."""
    many_readers.kill()

    wait_for(lambda: not readers(), "the end of the readers")


def test_a_killed_reader_ends_the_import_with_an_error(many_readers: subprocess.Popen[bytes]) -> None:
    """The system may kill it if memory is short."""
    max(readers(), key=lambda process: process.create_time()).kill()
    _, complaints = many_readers.communicate(timeout=30)

    assert (many_readers.returncode, readers()) == (1, [])
    assert b"A process that was reading logs was killed." in complaints


def test_import_survives_a_restart_of_the_worker(many_readers: subprocess.Popen[bytes]) -> None:
    """The worker ends when the plugin is updated, and another one takes the rest."""
    stop_worker()
    out, complaints = many_readers.communicate(timeout=90)

    assert not complaints
    report = json.loads(out)
    assert report["patterns"] == report["new"] + report["known"] == len(turns()) == SESSIONS_OF_MANY


def readers() -> list[psutil.Process]:
    """The processes of an import that read logs, and the process that starts them."""
    found = []
    for process in processes_of(Path(paths.data_folder())):
        with suppress(psutil.Error):
            if "forkserver" in " ".join(process.cmdline()):
                found.append(process)
    return found


def test_an_import_runs_no_module_of_the_current_folder(history: Path, tmp_path: Path) -> None:
    """The folder may be anybody's repository, and Python would find its modules first."""
    many_sessions(history, SESSIONS_OF_MANY)
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "re.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n", encoding="utf-8")

    done = subprocess.run(
        [Path(sys.executable).with_name("behavior"), "import", "--dry-run", str(history)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "ran").exists()
