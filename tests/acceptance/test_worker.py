"""The worker as a process: it learns by itself, loses nothing, and ends when nobody needs it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from behavior_plugin import api, simulator
from behavior_plugin.capture import ask, paths, spool, wake
from behavior_plugin.config import Settings
from behavior_plugin.errors import StoreUnavailableError, WorkerUnavailableError
from behavior_plugin.model import Outcome
from behavior_plugin.store.embedded.server import Server
from behavior_plugin.worker import PROBE
from behavior_plugin.worker.client import Client, start_worker
from behavior_plugin.worker.inbox import Inbox
from behavior_plugin.worker.learner import PROBE_S, Learner
from behavior_plugin.worker.lifecycle import is_held_by_worker, stop_worker
from behavior_plugin.worker.resources import Resources
from tests.acceptance.sessions import (
    OTHER_TASK,
    ROOT,
    TASK,
    WORKER,
    Session,
    drain,
    holds_for,
    in_spool,
    learned,
    nothing_left,
    output_of,
    patterns,
    processes_of,
    running_agent,
    running_worker,
    status,
    turns,
    worker_pid,
)
from tests.factories import payload
from tests.settings import configure
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending", "no_embedder")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
on_linux = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks into /proc")
# Long enough for a test to finish its work before the worker closes a session by itself.
NEVER_S = "60"


def start_directly() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-I", str(WORKER)])


def kill_worker(home: Path) -> None:
    """Kill the worker, and wait until the embedded server has ended too."""
    os.kill(worker_pid(), signal.SIGKILL)
    wait_for(lambda: not processes_of(home), "the end of all processes")


def is_zombie(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def postgres_of(home: Path) -> list[psutil.Process]:
    return [process for process in processes_of(home) if process.name() == "postgres"]


def bytes_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            yield file, file.read_bytes()


# Learning


def test_a_session_becomes_a_pattern_by_itself(project: Path) -> None:
    """This is the main job: users work as usual and find the workflow stored."""
    session = Session(project).work(TASK, "make test").end()

    learned()
    wait_for(lambda: not in_spool("new") + in_spool("open"), "the session has left the spool")

    [pattern] = patterns()
    assert (pattern.trigger, pattern.session_id) == (TASK, session.id)
    assert pattern.context.project == str(project)
    assert [action.parameters for action in pattern.actions] == [{"command": "make test"}]
    assert pattern.final_outcome is Outcome.SUCCESS
    assert pattern.workflow
    assert [step.text for step in pattern.workflow.steps] == ["make test"]


def test_a_session_of_a_killed_agent_is_closed(project: Path) -> None:
    """A crash of the agent must not leave its session open forever."""
    with running_agent() as agent:
        session = Session(project, agent_pid=agent.pid)
        session.send("SessionStart")
        session.ask(TASK)
        session.call()
    [pattern] = learned()

    assert pattern.final_outcome is Outcome.PARTIAL


def test_a_call_reported_after_the_end_joins_its_session(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hooks of tool calls run beside the session, so one of them may be slower than the end."""
    configure(settle_s=1.5)
    session = Session(project).work(TASK, "make test").end()
    session.call("git commit")

    [pattern] = learned()

    assert [action.parameters["command"] for action in pattern.actions] == ["make test", "git commit"]


def test_a_cleared_session_is_linked_to_its_successor(project: Path) -> None:
    """They are one afternoon's work with two session ids."""
    first = Session(project).work(TASK)
    first.send("SessionEnd", reason="clear")
    second = Session(project)
    second.send("SessionStart", source="clear")
    second.ask(OTHER_TASK)
    second.call()
    second.end()

    found = {pattern.session_id: pattern.provenance.follows for pattern in learned(2)}

    assert found == {first.id: None, second.id: first.id}


def test_a_resumed_session_is_learned_again(project: Path) -> None:
    """Resuming continues an ended session under the same id, and its new work counts too."""
    session = Session(project).work(TASK).end()
    learned()
    session.work(OTHER_TASK).end()

    found = learned(2)

    assert {pattern.trigger for pattern in found} == {TASK, OTHER_TASK}


def test_odd_characters_do_not_lose_a_session(project: Path) -> None:
    """Agents do send lone surrogates, and NUL, which Postgres refuses."""
    Session(project).work("Fix the \ud800 test \x00 of the parser", "make '\x00' \udfff").end()

    [pattern] = drain()

    assert pattern.trigger.startswith("Fix the ")
    assert not in_spool("dead")


def test_a_prompt_without_words_does_not_delay_others(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lone thumbs-up cannot be embedded, in any number of attempts."""
    configure(embedder=None)
    Session(project).work("\N{THUMBS UP SIGN}").end()
    Session(project).work(TASK).end()

    found = learned(2)

    assert {turn.trigger for turn in found} == {"\N{THUMBS UP SIGN}", TASK}
    wait_for(lambda: [pattern.trigger for pattern in patterns()] == [TASK], "the pattern of the other")


def test_only_the_doctor_that_sent_a_probe_makes_it_a_pattern(project: Path) -> None:
    """Otherwise it would be found as somebody's work, and be part of backups."""
    start_worker()
    probe = Session(project)
    probe.id = f"{PROBE}1"
    probe.work().end()
    Session(project).work(OTHER_TASK).end()

    found = drain()
    Client().forget_session(api.ForgetSession(session_id=probe.id))

    assert [pattern.trigger for pattern in found] == [OTHER_TASK]
    assert not in_spool("open")
    assert len(patterns()) == 1


def test_an_abandoned_probe_is_discarded(project: Path, own_home: Path) -> None:
    """The doctor or its worker may have been killed."""
    probe = Session(project)
    probe.id = f"{PROBE}1"
    spool.make()
    spool.put("SessionEnd", json.dumps(payload("SessionEnd", session_id=probe.id)).encode())
    inbox = Inbox()
    inbox.file_new()
    learner = Learner(inbox, Resources(Settings()))

    learner.learn_from_what_is_over(0)
    assert len(in_spool("open")) == 1

    [session] = inbox.sessions.values()
    session.seen -= PROBE_S
    learner.learn_from_what_is_over(0)
    assert not in_spool("open")
    assert not inbox.sessions


# One worker at a time


def test_ten_simultaneous_starts_yield_one_worker() -> None:
    """Ten sessions may start together, and two workers would do all work twice."""
    started = [start_directly() for _ in range(10)]

    pid = worker_pid()
    others = [process for process in started if process.pid != pid]
    codes = [process.wait(timeout=20) for process in others]

    assert codes == [0] * 9
    assert status().pid == pid
    stop_worker()
    assert next(process for process in started if process.pid == pid).wait(timeout=20) == 0


def test_a_second_worker_ends_at_once_without_disturbing() -> None:
    """It would replace the first one's socket."""
    start_worker()
    first = worker_pid()

    second = start_directly()

    assert second.wait(timeout=20) == 0
    assert status().pid == first


# Ending and replacing


def test_the_worker_and_its_processes_end_after_the_last_agent(
    project: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody should find our processes on a machine after work."""
    configure(idle_timeout_s=0.5)
    with running_agent() as agent:
        Session(project, agent_pid=agent.pid).work()
        pid = worker_pid()
        assert holds_for(1.5, lambda: psutil.pid_exists(pid) and status().pid == pid)

    wait_for(lambda: not processes_of(own_home), "the end of all processes")

    assert not list(Path(paths.in_data("run")).glob("*"))
    assert not in_spool("open")
    assert len(patterns()) == 1


@pytest.mark.parametrize("idle_timeout_s", ["0", "0.2"])
def test_the_worker_learns_ended_sessions_before_it_ends(
    idle_timeout_s: str, project: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A short idle timeout does not mean that sessions may be skipped."""
    configure(idle_timeout_s=idle_timeout_s)
    configure(settle_s=1)
    Session(project).work().end()

    wait_for(lambda: not in_spool("open") and not in_spool("new"), "the session has been learned from")
    wait_for(lambda: not processes_of(own_home), "the end of all processes")

    configure(idle_timeout_s=NEVER_S)
    assert len(patterns()) == 1


def test_sigterm_ends_the_worker_in_order(own_home: Path) -> None:
    """The system sends it on shutdown."""
    worker = start_directly()
    worker_pid()

    worker.terminate()

    assert worker.wait(timeout=20) == 0
    wait_for(lambda: not processes_of(own_home), "the end of all processes")
    assert not Path(paths.worker_socket()).exists()


def test_a_worker_started_while_another_ends_takes_over(own_home: Path) -> None:
    """A session that starts at that moment would have no worker for its first prompts."""
    leaving = start_directly()
    first = worker_pid()
    running_worker().stop()
    wait_for(lambda: not Path(paths.worker_socket()).exists(), "the first one listens no more")

    assert start_worker()

    assert worker_pid() != first
    assert leaving.wait(timeout=20) == 0


@on_linux
@pytest.mark.parametrize("by", ["hook", "process"])
def test_stop_ends_a_worker_that_is_just_starting(by: str, project: Path, own_home: Path) -> None:
    """It said that no worker runs, and three seconds later one did."""
    if by == "hook":
        Session(project).send("SessionStart")
    else:
        started = start_directly()
        wait_for(is_held_by_worker, "the lock of the new worker")

    answer = output_of("worker", "stop")

    assert answer == "Worker stopped.\n"
    if by == "process":
        started.wait(10)
    assert not processes_of(own_home)
    assert output_of("worker", "stop") == "No worker is running.\n"


def test_stop_ends_the_one_that_waits_to_replace_a_frozen_one(own_home: Path) -> None:
    """It takes the lock as soon as the frozen one is dead."""
    start_worker()
    frozen = worker_pid()
    os.kill(frozen, signal.SIGSTOP)
    successor = start_directly()
    wait_for(lambda: len(processes_of(own_home)) >= 2, "the successor")

    assert stop_worker()

    successor.wait(10)
    assert not processes_of(own_home)


def test_stop_kills_a_frozen_worker(own_home: Path) -> None:
    """Otherwise it would block all later workers until somebody finds its pid."""
    start_worker()
    os.kill(worker_pid(), signal.SIGSTOP)

    assert stop_worker()

    wait_for(lambda: not processes_of(own_home), "the end of all processes")
    assert start_worker()


def test_the_next_worker_replaces_a_frozen_one(project: Path, own_home: Path) -> None:
    """A frozen worker holds the lock and answers no request, so nothing would be learned until a person noticed."""
    start_worker()
    frozen = worker_pid()
    os.kill(frozen, signal.SIGSTOP)

    successor = start_directly()

    wait_for(lambda: is_zombie(frozen), "the end of the frozen worker")
    assert wait_for(worker_pid, "the next worker") == successor.pid
    Session(project).work().end()
    assert len(learned()) == 1
    stop_worker()
    assert successor.wait() == 0


def copied_plugin(to: Path) -> Path:
    """Copy the plugin, so that the test can update and remove it; returns the path of its worker."""
    for name in ("behavior_plugin", "sql", "hooks"):
        shutil.copytree(ROOT / name, to / name, ignore=shutil.ignore_patterns("__pycache__"))
    return to / "behavior_plugin" / "worker" / "__main__.py"


def test_an_updated_plugin_restarts_its_worker(tmp_path: Path) -> None:
    """Otherwise the old one would run as long as sessions overlap: for weeks, on some machines."""
    worker_file = copied_plugin(tmp_path / "plugin")
    old = subprocess.Popen([sys.executable, "-I", str(worker_file)])
    worker_pid()
    version = tmp_path / "plugin" / "behavior_plugin" / "__init__.py"
    version.write_text(version.read_text().replace('__version__ = "', '__version__ = "9'))

    found = wait_for(lambda: found if (found := status()).version.startswith("9") else None, "the new version")

    assert found.pid == old.pid
    stop_worker()
    assert old.wait() == 0


def test_the_worker_ends_when_its_plugin_is_removed(tmp_path: Path, own_home: Path) -> None:
    """No part of a removed plugin continues to run or is started again."""
    worker_file = copied_plugin(tmp_path / "plugin")
    orphan = subprocess.Popen([sys.executable, "-I", str(worker_file)])
    worker_pid()

    shutil.rmtree(tmp_path / "plugin")

    assert orphan.wait(30) == 0
    wait_for(lambda: not processes_of(own_home), "the end of the server")


def test_a_worker_leaves_to_a_newer_version() -> None:
    """An update from a marketplace has its own folder, so the old one's code does not change."""
    start_worker()
    pid = worker_pid()

    older, newer = ({ask.VERSION: version, ask.PLUGIN: '"/another/plugin"'} for version in ("0.0.1", "999.0"))

    assert ask.ask("/v1/ping", b"", 5, older.items(), "GET")[0] == ask.OK
    assert ask.ask("/v1/ping", b"", 5, newer.items(), "GET")[0] == ask.UNAVAILABLE

    wait_for(lambda: not psutil.pid_exists(pid), "the end of the worker")


def copied_older_plugin(to: Path) -> Path:
    """Copy the plugin with a lower version number; returns the path of its worker."""
    worker_file = copied_plugin(to)
    version = to / "behavior_plugin" / "__init__.py"
    version.write_text('__version__ = "0.0.1"\n')
    return worker_file


@pytest.mark.parametrize("is_hook", [True, False])
def test_an_older_worker_in_another_folder_is_replaced(is_hook: bool, tmp_path: Path, project: Path) -> None:
    """The hook of a session's start replaces it, and so does a command, which then gets its answer."""
    older = subprocess.Popen([sys.executable, "-I", str(copied_older_plugin(tmp_path / "plugin"))])
    worker_pid()

    if is_hook:
        Session(project).send("SessionStart")
    else:
        assert patterns() == []

    assert older.wait(timeout=20) == 0
    wait_for(lambda: wake.is_listening() and status().version != "0.0.1", "the newer worker")


# A worker of the previous version as others see it: it holds the lock, speaks `VERB LENGTH`, closes the connection
# otherwise, and ends when it is asked to stop.
OLDER_WORKER = """
import fcntl, os, socket, sys
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2])
listener.listen()
print("listening", flush=True)
while True:
    line, _ = listener.accept()
    with line, line.makefile("rb") as source:
        verb, _, length = source.readline(200).decode("ascii").strip().partition(" ")
        if length.isdigit():
            source.read(int(length))
            answer = {"ping": b'{"result": "here"}', "stop": b'{"result": null}'}.get(verb, b"")
            line.sendall(b"%d\\n" % len(answer) + answer)
    if verb == "stop":
        os.unlink(sys.argv[2])
        sys.exit(0)
"""


@pytest.fixture
def older_worker() -> Iterator[subprocess.Popen[bytes]]:
    paths.make_private(paths.data_folder())
    paths.make_run_folder()
    command = [sys.executable, "-I", "-c", OLDER_WORKER, paths.in_data("worker.lock"), paths.worker_socket()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as older:
        assert older.stdout
        assert older.stdout.readline() == b"listening\n"
        yield older
        older.kill()


@pytest.mark.parametrize("event", ["SessionStart", "UserPromptSubmit", "SessionEnd"])
def test_a_hook_replaces_a_worker_of_the_previous_version(
    event: str, older_worker: subprocess.Popen[bytes], project: Path
) -> None:
    """That worker does not speak HTTP. It ends by itself, so nobody waits until it counts as frozen."""
    Session(project).send(event)

    assert older_worker.wait(timeout=20) == 0
    worker_pid()


def test_a_command_replaces_a_worker_of_the_previous_version(older_worker: subprocess.Popen[bytes]) -> None:
    """The command gets its answer from the new one."""
    assert patterns() == []

    assert older_worker.wait(timeout=20) == 0


def test_a_worker_replaces_one_of_the_previous_version(
    older_worker: subprocess.Popen[bytes],
) -> None:
    """A hook without an answer starts one directly."""
    successor = start_directly()

    assert worker_pid() == successor.pid
    assert older_worker.wait(timeout=20) == 0
    stop_worker()
    assert successor.wait(timeout=20) == 0


def send_raw(raw: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(paths.worker_socket())
        line.sendall(raw)
        pieces = []
        while piece := line.recv(1 << 16):
            pieces.append(piece)
        return b"".join(pieces)


def test_a_hook_of_the_previous_version_gets_its_suggestion(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sessions that are open during an update continue with the old hooks."""
    configure(embedder=None)
    Session(project).work().end()
    drain()
    raw = json.dumps(payload("UserPromptSubmit", prompt=TASK, session_id="another", cwd=str(project))).encode()

    length, _, answer = send_raw(b"suggest %d\n" % len(raw) + raw).partition(b"\n")

    assert int(length) == len(answer)
    assert TASK in json.loads(answer)["hookSpecificOutput"]["additionalContext"]
    assert send_raw(b'ping 19\n{"version":"0.0.1"}') == b'18\n{"result": "here"}'


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_can_send_requests() -> None:
    """Troubleshooting needs no program of ours."""
    start_worker()
    pid = worker_pid()
    curl = ["curl", "--silent", "--fail-with-body", "--unix-socket", paths.worker_socket()]

    asked = subprocess.run([*curl, "http://localhost/v1/status"], capture_output=True, check=True)
    posted = subprocess.run(
        [*curl, "http://localhost/v1/list_patterns", "--json", '{"limit": 3}'], capture_output=True, check=True
    )

    assert json.loads(asked.stdout)["pid"] == pid
    assert json.loads(posted.stdout) == []


def test_events_are_noticed_at_once_in_a_recreated_spool(project: Path) -> None:
    """A watch on a deleted folder reports nothing, and the next poll would come seconds later."""
    start_worker()
    worker_pid()
    shutil.rmtree(spool.folder())
    wait_for(lambda: Path(spool.folder("new")).exists(), "a new spool")

    Session(project).work().end()

    assert len(learned()) == 1


def test_a_worker_recreates_its_deleted_socket(project: Path) -> None:
    """Cleanup jobs delete temporary files, and a worker without a socket would count as gone as long as it lives."""
    start_worker()
    pid = worker_pid()
    Path(paths.worker_socket()).unlink()

    found = wait_for(lambda: status() if wake.is_listening() else None, "an answer")

    assert found.pid == pid


def test_a_worker_ends_when_its_data_folder_is_deleted(own_home: Path) -> None:
    """Its lock excludes no other worker any more, and two would split sessions."""
    start_worker()
    first = worker_pid()
    Path(paths.data_folder()).rename(own_home / "away")

    wait_for(lambda: is_zombie(first), "the end of the worker")

    assert start_worker()
    assert worker_pid() != first


# Losing nothing


def test_a_killed_worker_loses_and_doubles_nothing(project: Path, own_home: Path) -> None:
    """The next worker finds the open session in its place, and the server has ended with its owner."""
    session = Session(project)
    session.send("SessionStart")
    session.ask(TASK)
    session.call("make test")
    wait_for(lambda: in_spool("open") and not in_spool("new"), "the session is filed")
    kill_worker(own_home)
    session.call("git commit")
    session.send("Stop")
    session.end()

    [pattern] = drain()

    assert [action.parameters["command"] for action in pattern.actions] == ["make test", "git commit"]
    assert not in_spool("open")


def test_a_kill_between_storing_and_deleting_stores_once(
    project: Path, own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next worker finds the session in the spool, and its pattern in the table."""
    configure(settle_s=NEVER_S)
    Session(project).work().end()
    wait_for(lambda: in_spool("open") and not in_spool("new"), "the session is filed")
    shutil.copytree(spool.folder("open"), tmp_path / "open")
    [before], told = drain(), turns()
    kill_worker(own_home)
    shutil.copytree(tmp_path / "open", spool.folder("open"), dirs_exist_ok=True)

    [after] = drain()

    assert after == before
    assert turns() == told
    assert not in_spool("open")


def test_a_killed_server_is_restarted(project: Path, own_home: Path) -> None:
    """If memory is short the system kills the largest process, and the worker survives without its store."""
    start_worker()
    pid = worker_pid()
    [postgres] = [process for process in postgres_of(own_home) if process.ppid() == pid]
    postgres.kill()
    Session(project).work().end()

    assert len(learned()) == 1
    assert status().pid == pid


def test_malformed_records_become_dead_letters(project: Path) -> None:
    """One bad file must neither block the queue nor crash every worker that reads it."""
    bad = {
        "1-1-empty": b"",
        "1-2-garbage": b"\x00\xff\xfe\n",
        "1-3-no_object": b"[]\n{}",
        "1-4-deep": b"[" * 100_000,
        "1-5-older": b'{"v":0}\n{}',
        "1-6-no_time": b'{"v":1,"time_ns":[1]}\n{"session_id":"s"}',
        "1-7-no_such_time": b'{"v":1,"time_ns":1%s}\n{"session_id":"s"}' % (b"0" * 40),
        "1-8-no_such_host": b'{"v":1,"host_pid":"x"}\n{"session_id":"s"}',
    }
    spool.make()
    for name, record in bad.items():
        (Path(spool.folder("new")) / name).write_bytes(record)
    (Path(spool.folder("open")) / "stray").write_bytes(b"not a folder")
    spool.put("PostToolUse", b'{"session_id": "s", "tool_name": "Ba')
    spool.put("PostToolUse", b'{"no": "session"}')
    Session(project).work().end()

    assert len(learned()) == 1
    dead = in_spool("dead")
    assert {record.name for record in dead} >= {*bad, "stray"}
    assert all(record.with_name(f"{record.name}.reason").read_text().strip() for record in dead[::2])
    assert status().dead_letters == len(dead) / 2 == len(bad) + 3


def test_a_damaged_record_becomes_a_dead_letter_without_its_session(project: Path) -> None:
    """A bad sector or a manual edit must not cost the rest of a session, or leave secrets where they stay."""
    session = Session(project)
    session.send("SessionStart")
    [folder] = wait_for(lambda: in_spool("open"), "the session is filed")
    (folder / "junk").write_bytes(b"password=hunter2-canary")
    session.work().end()

    assert len(learned()) == 1
    letters = in_spool("dead")
    assert [letter.name for letter in letters] == ["junk", "junk.reason"]
    assert b"hunter2" not in letters[0].read_bytes()
    assert b"hunter2" not in Path(paths.in_data("worker.log")).read_bytes()


def test_reap_closes_sessions_without_an_agent(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Users need not wait until the worker notices."""
    configure(settle_s=NEVER_S)
    with running_agent() as agent:
        left = Session(project, agent_pid=agent.pid)
        left.send("SessionStart")
        left.ask(TASK)
        left.call()
    Session(project).work(OTHER_TASK)  # the agent is this test process

    done = Client().reap(api.Reap())

    assert (done.closed, done.learned, done.open_sessions) == (1, 1, 1)
    [pattern] = patterns()
    assert (pattern.trigger, pattern.final_outcome) == (TASK, Outcome.PARTIAL)


def test_reap_of_idle_sessions_closes_open_ones(project: Path) -> None:
    """If an agent hangs for a day, its session has ended."""
    Session(project).work(TASK)

    done = Client().reap(api.Reap(idle_s=0))

    assert (done.closed, done.learned, done.open_sessions) == (1, 1, 0)


# Starting anywhere


def test_a_dead_workers_socket_does_not_prevent_a_start(project: Path) -> None:
    """A killed worker leaves one behind."""
    folder = Path(paths.make_run_folder())
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "worker.sock"))

    Session(project).work().end()

    assert len(learned()) == 1


@pytest.mark.parametrize("age_s", [3600, 3, -3600])
def test_the_mark_of_a_failed_start_does_not_prevent_another(age_s: int) -> None:
    """A worker that died during its start did not remove it, and clocks are set back."""
    mark = Path(paths.make_run_folder()) / "starting"
    mark.touch()
    os.utime(mark, (time.time() - age_s, time.time() - age_s))

    assert start_worker()

    worker_pid()
    wait_for(lambda: not mark.exists(), "the mark is removed")


@pytest.fixture
def short_temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of the test's own for all processes, whose path is short enough for a socket's."""
    with tempfile.TemporaryDirectory(prefix="b-") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


@pytest.fixture
def long_path(own_home: Path, short_temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder whose path has 150 characters and a space."""
    data = own_home / "with a space"
    data = data / ("x" * (149 - len(str(data))))
    monkeypatch.setenv("BEHAVIOR_HOME", str(data))
    assert len(str(data)) == 150
    return data


@pytest.mark.parametrize("is_new", [True, False])
def test_a_long_path_with_a_space_works(is_new: bool, project: Path, long_path: Path, short_temporary: Path) -> None:
    """A socket's path may have about a hundred bytes, and a home may be longer."""
    if not is_new:
        paths.make_run_folder()

    Session(project).work().end()
    wait_for(lambda: status().learned, "the pattern", within_s=20)

    assert stat.S_IMODE(Path(paths.run_folder()).stat().st_mode) == 0o700
    assert stop_worker()
    # On a busy machine a hook may have started a second worker.
    wait_for(lambda: not stop_worker() and not list(short_temporary.iterdir()), "nothing in the temporary folder")


# Other users and processes


@on_linux
def test_a_worker_inherits_nothing_of_the_hook(project: Path) -> None:
    """An inherited pipe would make the client wait, and the client's key does not concern the worker."""
    project.mkdir()
    reading, writing = os.pipe()
    hook = simulator.registered_hooks(ROOT)["SessionStart"].command
    environment = {**os.environ, "CLAUDE_PLUGIN_ROOT": str(ROOT), "ANTHROPIC_API_KEY": "sk-ant-canary"}
    raw = json.dumps(payload("SessionStart", cwd=str(project))).encode()
    done = subprocess.run(
        ["/bin/sh", "-c", hook], input=raw, env=environment, capture_output=True, pass_fds=[writing], check=True
    )

    pid = worker_pid()

    assert (done.stdout, done.stderr) == (b"", b"")
    files = {link.name: link.stat() for link in Path(f"/proc/{pid}/fd").iterdir() if link.exists()}
    assert os.fstat(writing).st_ino not in {file.st_ino for file in files.values() if stat.S_ISFIFO(file.st_mode)}
    assert {Path(f"/proc/{pid}/fd/{standard}").readlink() for standard in (0, 1, 2)} == {Path("/dev/null")}
    assert os.getsid(pid) not in (os.getsid(0), pid)
    assert "ANTHROPIC_API_KEY" not in psutil.Process(pid).environ()
    assert Path(f"/proc/{pid}/cwd").readlink() == Path("/")
    os.close(reading)
    os.close(writing)


def test_all_files_of_a_worker_are_private(project: Path, own_home: Path) -> None:
    """The umask of the starting process does not matter."""
    before = os.umask(0)
    try:
        Session(project).work().end()
        learned()
    finally:
        os.umask(before)

    open_to_others = [
        path
        for path in Path(paths.data_folder()).rglob("*")
        if not path.is_symlink() and not path.is_socket() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    assert not open_to_others


CONNECT = """
import socket, sys
line = socket.socket(socket.AF_UNIX)
line.settimeout(5)
line.connect(sys.argv[1])
line.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
sys.stdout.buffer.write(line.recv(100))
"""


def connect_as_nobody(path: Path) -> subprocess.CompletedProcess[bytes]:
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    return subprocess.run(
        [*nobody, "/usr/bin/python3", "-I", "-S", "-c", CONNECT, str(path)], capture_output=True, cwd="/", check=False
    )


@pytest.fixture
def open_parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder in a place that others can enter, so that it must protect itself."""
    parent = Path(tempfile.mkdtemp(prefix="b-"))
    parent.chmod(0o755)
    monkeypatch.setenv("BEHAVIOR_HOME", str(parent / "data"))
    with nothing_left(parent):
        yield parent
    shutil.rmtree(parent)


@as_root
def test_another_user_cannot_send_requests(open_parent: Path) -> None:
    """The worker would reveal all the work done here."""
    start_worker()
    path = Path(paths.worker_socket())

    refused = connect_as_nobody(path)

    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert b"PermissionError" in refused.stderr


FOREIGN_LISTENER = """
import os, socket, sys
os.umask(0)
os.makedirs(sys.argv[1])
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1] + "/worker.sock")
listener.listen()
print("listening", flush=True)
line, _ = listener.accept()
print(len(line.recv(100)), flush=True)
"""


@as_root
@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the kernel does not report the listening user")
def test_a_client_sends_nothing_to_another_users_socket(open_parent: Path) -> None:
    """Everybody knows the name of the short folder, and anybody may take it once it is gone."""
    public = open_parent / "public"
    public.mkdir(mode=0o777)
    public.chmod(0o777)
    Path(paths.make_private(paths.data_folder()), "run").symlink_to(public / "run")
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/python3", "-I", "-S", "-c"]
    with subprocess.Popen(
        [*command, FOREIGN_LISTENER, str(public / "run")], stdout=subprocess.PIPE
    ) as foreign_listener:
        assert foreign_listener.stdout
        assert foreign_listener.stdout.readline() == b"listening\n"

        with pytest.raises(ask.NotListening):
            ask.ask("/v1/prompt", b"secret-canary", 5)
        received = foreign_listener.stdout.readline()

    assert received == b"0\n"


@as_root
@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the kernel does not report the connecting user")
def test_another_user_gets_no_answer_from_an_open_folder(open_parent: Path) -> None:
    """Somebody may have changed the permissions, so the worker also checks the user of each connection."""
    start_worker()
    worker_pid()  # a start makes the folder private again
    path = Path(paths.worker_socket())
    for folder in (path.parent.parent, path.parent):
        folder.chmod(0o755)
    path.chmod(0o777)

    refused = connect_as_nobody(path)

    assert refused.stdout == b""
    assert b"PermissionError" not in refused.stderr
    assert running_worker().ping().pid


GARBAGE = {
    "nothing": b"",
    "no line": b"\xff" * 500,
    "half a question": b'recall 1000\n{"text": ',
    "half a request": b'POST /v1/recall HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{"text": ',
    "half a head": b"POST /v1/recall HTTP/1.1\r\nContent-Le",
    "an endless head": b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000,
    "a huge body": b"POST /v1/recall HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    "JSON that is none": b"POST /v1/recall HTTP/1.1\r\nContent-Length: 3\r\n\r\n{{{",
    "JSON that is deep": b"POST /v1/recall HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"[" * 100_000,
    "a prompt that is none": b"POST /v1/prompt HTTP/1.1\r\nContent-Length: 3\r\n\r\n{{{",
    "a path that is none": b"GET /../__class__ HTTP/1.1\r\n\r\n",
    "a huge length": b"recall 99999999999999999999\n{}",
    "a negative length": b"recall -5\n{}",
    "no length": b"recall\n{}",
    "no JSON": b"recall 3\n{{{",
    "deep JSON": b"recall 100000\n" + b"[" * 100_000,
    "another type": b"recall 2\n[]",
    "an unknown verb": b"__class__ 2\n{}",
    "a suggestion for nothing": b"suggest 3\n{{{",
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


def test_garbage_on_the_socket_does_not_disturb_the_worker(project: Path) -> None:
    """Whatever one client sends, the others get their answers."""
    start_worker()
    pid = worker_pid()

    for garbage in GARBAGE.values():
        with socket.socket(socket.AF_UNIX) as line, suppress(ConnectionError):
            line.settimeout(5)
            line.connect(paths.worker_socket())
            line.sendall(garbage)
            line.shutdown(socket.SHUT_WR)
            while line.recv(1 << 16):
                pass

    Session(project).work().end()
    assert len(learned()) == 1
    assert status().pid == pid


# Secrets


def test_a_secret_is_nowhere_after_its_session_is_stored(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a row nor a file has it: the spool, which had it until then, is empty."""
    configure(embedder=None)
    token = f"ghp_{uuid.uuid4().hex}{uuid.uuid4().hex[:4]}"
    password = f"Kx9!{uuid.uuid4().hex[:16]}"
    Session(project).work(
        f"Push the branch with the token {token}, please", f"PGPASSWORD={password} psql -c 'select 1'"
    ).end()

    [pattern], [turn] = drain(), turns()
    stop_worker()

    assert not in_spool("open")
    for secret in (token, password):
        assert secret not in pattern.model_dump_json() + turn.model_dump_json()
        assert not [file for file, content in bytes_below(Path(paths.data_folder())) if secret.encode() in content]


def test_the_log_does_not_quote_sessions(project: Path) -> None:
    """People paste logs into bug reports."""
    spool.put("UserPromptSubmit", b'{"session_id": "s", "prompt": "canary-prompt')
    Session(project).work("Find the canary-prompt in the coal mine", "echo canary-prompt").end()
    drain()
    Client().recall(api.Recall(text="canary-prompt", directory=str(project)))

    log = Path(paths.in_data("worker.log")).read_text(encoding="utf-8")

    assert "1 turns with work" in log
    assert "canary-prompt" not in log
    assert "canary-prompt" not in "".join(reason.read_text() for reason in in_spool("dead")[1::2])


def test_the_worker_opens_no_network_connection(
    project: Path, short_temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library that reports to its maker would break the promise that nothing leaves the machine."""
    configure(embedder=None)
    Session(project).work().end()
    learned()

    assert not psutil.Process(worker_pid()).net_connections(kind="inet")
    # Until then the sockets are here if the tester's name makes the home's path too long for them.
    assert stop_worker()
    assert not list(short_temporary.iterdir())


# A database of the user's own


def test_a_database_of_the_users_own_replaces_the_embedded_one(
    project: Path,
    own_home: Path,
    server: Server,
    database: str,
    owner: psycopg.Connection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A user with a Postgres wants the patterns there, and no second server."""
    configure(database_url=server.conninfo(dbname=database))
    Session(project).work().end()

    [turn] = learned()

    [pattern] = patterns()
    assert owner.execute("select id from public.behavior_patterns").fetchall() == [(pattern.id,)]
    assert owner.execute("select source_key from behavior.episodes").fetchall() == [(turn.source_key,)]
    assert not postgres_of(own_home)
    assert server.password not in status().model_dump_json()


def test_events_wait_in_the_spool_for_an_unreachable_database(
    project: Path, own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database comes back; lost events would not."""
    configure(database_url="postgresql://somebody:canary-password@127.0.0.1:1/none")
    configure(idle_timeout_s=1)
    Session(project).work().end()

    failed_status = wait_for(lambda: found if (found := status()).last_error else None, "an error in the status")

    assert failed_status.store == "not open"
    assert "database_url in config.toml" in failed_status.last_error
    assert not postgres_of(own_home)
    with pytest.raises((StoreUnavailableError, WorkerUnavailableError)):
        drain()
    wait_for(lambda: not processes_of(own_home), "the end of all processes")
    assert len(in_spool("open")) == 1
    assert "canary-password" not in failed_status.model_dump_json() + Path(paths.in_data("worker.log")).read_text()
    configure(database_url=None)
    assert len(drain()) == 1
