"""`behavior import`, as a process beside a real worker: past sessions become patterns, once, whatever happens."""

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
from behavior_plugin.model import StoredPattern
from behavior_plugin.worker.client import start_worker
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import (
    ROOT,
    TASK,
    Session,
    behavior,
    commands_of,
    drain,
    patterns,
    processes_of,
    said,
    told,
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
    """The folder in which a client keeps the sessions of one directory; `project` makes the database."""
    project.mkdir(exist_ok=True)
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "client"))
    folder = tmp_path / "client" / "projects" / "-home-dev-project"
    folder.mkdir(parents=True)
    return folder


def put_recorded(history: Path) -> None:
    """The sessions that the real client wrote, with their subagents."""
    for session in SESSIONS:
        shutil.copy(TRANSCRIPTS / f"{session}.jsonl", history)
    shutil.copytree(TRANSCRIPTS / "print-subagents", history / "print-subagents")


def record(kind: str, content: Any, at: float, **fields: Any) -> str:
    time = (START + timedelta(seconds=at)).isoformat()
    return json.dumps({"type": kind, "timestamp": time, "message": {"role": kind, "content": content}, **fields})


def transcript(
    session_id: str, prompt_id: str, call_id: str, *, prompt: str = TASK, cwd: str = "/home/dev/project"
) -> str:
    """What the client writes of a session with one prompt and one call."""
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
    """So many sessions, large enough that they are read by several processes."""
    filler = json.dumps({"type": "file-history-snapshot", "padding": "x" * 20_000}) + "\n"
    lines = 1 + 2 * MIN_POOL_BYTES // count // len(filler)
    for number in range(count):
        name = str(uuid.uuid4())
        text = transcript(name, f"p{number}", f"toolu_{number}", prompt=f"Mend the parser of chapter {number}")
        (history / f"{name}.jsonl").write_text(text + filler * lines)


def works(found: list[StoredPattern]) -> list[tuple[str, int]]:
    return sorted((pattern.source_key, len(pattern.actions)) for pattern in found)


def test_past_sessions_become_patterns_and_are_suggested(history: Path) -> None:
    """Value on day one: what was done before we came is known."""
    put_recorded(history)

    report = told("import")

    found = patterns()
    assert report["sessions"] == {"claude-code": len(SESSIONS)}
    assert report["new"] == report["patterns"] == len(found) > 3
    assert (report["problems"], report["skipped"]) == ([], 0)
    assert {pattern.provenance.source for pattern in found} == {"transcript"}
    [with_subagents] = [pattern for pattern in found if {action.actor for action in pattern.actions} != {"main"}]
    assert len({action.actor for action in with_subagents.actions}) == 3
    assert "The add function returns the wrong result" in said("recall", "add returns the wrong result", "--all")


def test_importing_again_changes_nothing(history: Path) -> None:
    """An import that was broken off is simply run again."""
    put_recorded(history)
    told("import")
    before = patterns()

    report = told("import")

    assert (report["new"], report["grown"], report["known"]) == (0, 0, len(before))
    assert patterns() == before


def test_import_does_not_double_a_captured_session(history: Path, project: Path) -> None:
    """Hooks and log tell of the same work, whichever is learned from first."""
    session = Session(project).work().end()
    [live] = drain()
    text = transcript(session.id, session.prompt_id, live.actions[0].id or "", cwd=str(project))
    (history / f"{session.id}.jsonl").write_text(text)

    report = told("import")

    assert (report["new"], report["known"]) == (0, 1)
    assert works(patterns()) == works([live])


def test_capture_does_not_double_an_imported_session(history: Path, project: Path) -> None:
    """The first day's import may well read the session that it was asked for in."""
    session = Session(project)
    session.send("SessionStart")
    session.ask(TASK)
    call_id = f"toolu_{uuid.uuid4().hex}"
    (history / f"{session.id}.jsonl").write_text(transcript(session.id, session.prompt_id, call_id, cwd=str(project)))
    assert told("import")["new"] == 1

    session.send("PostToolUse", tool_input={"command": "make test"}, tool_use_id=call_id)
    session.call("git commit -am fix")
    session.send("Stop")
    session.end()

    [pattern] = drain()
    assert [action.parameters["command"] for action in pattern.actions] == ["make test", "git commit -am fix"]


def test_copied_records_of_a_fork_are_known(history: Path) -> None:
    """Its file holds the old records under a new session's name."""
    (history / "old.jsonl").write_text(transcript("old", "p1", "toolu_1"))
    (history / "fork.jsonl").write_text(transcript("fork", "p1", "toolu_1"))

    report = told("import")

    assert (report["new"], report["known"], report["copies"]) == (1, 0, 1)
    assert len(patterns()) == 1


def test_grown_log_adds_only_new_work(history: Path) -> None:
    """A session that is taken up again goes on in its file."""
    log = history / "s1.jsonl"
    log.write_text(transcript("s1", "p1", "toolu_1"))
    told("import")

    log.write_text(log.read_text() + transcript("s1", "p2", "toolu_2", prompt="Write the changelog"))

    assert told("import")["new"] == 1
    assert {pattern.trigger for pattern in patterns()} == {TASK, "Write the changelog"}


def test_imported_patterns_hold_no_secrets(history: Path) -> None:
    """A log is as full of them as a session."""
    (history / "s1.jsonl").write_text(transcript("s1", "p1", "toolu_1", prompt=f"Push with the token {TOKEN}"))

    printed = said("import")

    [pattern] = patterns()
    assert pattern.trigger.startswith("Push with the token [REDACTED")
    assert TOKEN not in printed


def test_torn_log_is_read_up_to_the_named_tear(history: Path) -> None:
    """A client that was killed leaves half a line; a disk may leave worse."""
    log = history / "s1.jsonl"
    log.write_text(transcript("s1", "p1", "toolu_1") + '{"type":"user","mess')

    printed = said("import")

    assert "1 new" in printed
    assert f"{log}:5: the line is not JSON" in printed


def test_dry_run_saves_and_starts_nothing(history: Path) -> None:
    """To look costs nothing."""
    put_recorded(history)

    printed = said("import", "--dry-run")

    assert "Nothing was learned" in printed
    assert not [command for command in commands_of(Path(paths.data_folder())) if "worker" in command]
    assert patterns() == []


def test_import_can_be_limited_to_a_project_or_a_time(history: Path, project: Path) -> None:
    """Another client's project may be none of this machine's business."""
    (history / "here.jsonl").write_text(transcript("here", "p1", "toolu_1", cwd=str(project / "web")))
    (history / "there.jsonl").write_text(transcript("there", "p2", "toolu_2", cwd=f"{project}-other"))

    by_project = told("import", "--dry-run", "--project", str(project))
    by_day = told("import", "--dry-run", "--since", f"{START + timedelta(days=1):%Y-%m-%d}")

    assert (by_project["prompts"], by_project["patterns"]) == (1, 1)
    assert (by_day["patterns"], by_day["prompts"], by_day["idle"], by_day["earlier"]) == (0, 0, 0, 2)
    assert told("import", "--dry-run")["patterns"] == 2


def test_one_log_can_be_named(history: Path, tmp_path: Path) -> None:
    """Wherever it lies, and whatever else is there."""
    put_recorded(history)
    log = tmp_path / "elsewhere.jsonl"
    log.write_text(transcript("s1", "p1", "toolu_1"))

    assert told("import", str(log))["sessions"] == {"claude-code": 1}


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["/no/such/folder"], USAGE, "does not exist"),
        (["--since", "yesterday"], USAGE, "neither a day"),
        (["--agent", "nobody"], USAGE, "nobody"),
        ([str(ROOT / "sql")], 1, "No log of"),
        (["--project", "/no/such/project"], 1, "No session in /no/such/project."),
    ],
)
def test_impossible_imports_say_why(history: Path, arguments: list[str], status: int, reason: str) -> None:
    """A typo must not pass for an empty history."""
    (history / "s1.jsonl").write_text(transcript("s1", "p1", "toolu_1"))

    done = behavior("import", *arguments)

    assert done.returncode == status
    assert reason in done.stderr


def test_missing_history_is_no_error(history: Path) -> None:
    """A new machine has none."""
    done = behavior("import")

    assert (done.returncode, done.stdout) == (0, "")
    assert f"No log of Claude Code in {history.parent}." in done.stderr


@pytest.fixture
def many_readers(history: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An import that is under way, with processes of its own that read."""
    many_sessions(history, SESSIONS_OF_MANY)
    start_worker()
    command = [sys.executable, str(ROOT / "behavior_plugin"), "import", "--json"]
    with subprocess.Popen(
        command,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Who runs the tests in the background has Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        wait_for(readers, "processes that read")
        wait_for(lambda: patterns(), "the first pattern")
        yield run


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_import_leaves_no_process_and_can_be_repeated(
    many_readers: subprocess.Popen[bytes], ending: int
) -> None:
    """Ctrl-C, or a closed terminal: what was learned until then stays, and the rest is learned the next time."""
    os.killpg(many_readers.pid, ending) if ending == signal.SIGINT else many_readers.send_signal(ending)
    _, complaints = many_readers.communicate(timeout=30)

    assert (many_readers.returncode, readers()) == (130, [])
    assert complaints.decode().strip().endswith("run it again to continue.")
    assert complaints.count(b"\n") <= 2
    assert 0 < len(patterns()) < SESSIONS_OF_MANY
    assert told("import")["patterns"] == len(patterns()) == SESSIONS_OF_MANY


def test_import_with_a_frozen_worker_can_be_interrupted(many_readers: subprocess.Popen[bytes]) -> None:
    """Its readers wait for an answer that does not come."""
    worker = worker_pid()
    os.kill(worker, signal.SIGSTOP)
    try:
        os.killpg(many_readers.pid, signal.SIGINT)
        many_readers.communicate(timeout=30)
    finally:
        os.kill(worker, signal.SIGCONT)

    assert (many_readers.returncode, readers()) == (130, [])


def test_killed_import_leaves_no_process(many_readers: subprocess.Popen[bytes]) -> None:
    """Its readers end with it, whatever it dies of."""
    many_readers.kill()

    wait_for(lambda: not readers(), "the end of the readers")


def test_killed_reader_ends_the_import_with_a_reason(many_readers: subprocess.Popen[bytes]) -> None:
    """As where memory is short."""
    max(readers(), key=lambda process: process.create_time()).kill()
    _, complaints = many_readers.communicate(timeout=30)

    assert (many_readers.returncode, readers()) == (1, [])
    assert b"A process that was reading logs was killed." in complaints


def test_import_survives_the_end_of_the_worker(many_readers: subprocess.Popen[bytes]) -> None:
    """As it does when the plugin is brought up to date: another one takes what is left."""
    stop_worker()
    out, complaints = many_readers.communicate(timeout=90)

    assert not complaints
    report = json.loads(out)
    assert report["patterns"] == report["new"] + report["known"] == len(patterns()) == SESSIONS_OF_MANY


def readers() -> list[psutil.Process]:
    """The processes of an import that read logs, and the one that starts them."""
    found = []
    for process in processes_of(Path(paths.data_folder())):
        with suppress(psutil.Error):
            if "forkserver" in " ".join(process.cmdline()):
                found.append(process)
    return found
