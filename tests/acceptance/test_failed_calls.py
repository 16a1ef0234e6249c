"""The answer to a failed call, requested by the registered hook as the client runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import handlers, paths
from behavior_plugin.model import Outcome
from behavior_plugin.simulator import HookRun
from behavior_plugin.worker.lifecycle import stop_worker
from tests.acceptance.sessions import Session, drain, drained_turns, in_spool, worker_pid
from tests.waiting import wait_for

pytestmark = pytest.mark.usefixtures("clean_ending")
NO_RULE = "Exit code 2\nmake: *** No rule to make target 'tests'.  Stop."
LINE = (
    '<past-workflow source="behavior plugin">'
    "Here `make tests` failed like this once before; `make test` worked.</past-workflow>"
)
OTHERS = ({"is_interrupt": True}, {"tool_name": "Edit"}, {"tool_name": "Read"}, {"error": ""})
# Far more than a hook waits, so that a busy machine does not matter, and less than a prompt may wait.
NOTICEABLE_S = 0.9


def fail(session: Session, command: str = "make tests", error: str = NO_RULE, **changes: Any) -> HookRun:
    """A failed call, as its hook reports it."""
    call = {"tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": f"toolu_{uuid.uuid4().hex}"}
    return session.send("PostToolUseFailure", error=error, **{**call, **changes})


def learn(project: Path, worked: str = "make test") -> None:
    """A session in which a command failed, and another one helped."""
    session = Session(project)
    session.send("SessionStart")
    session.ask("Run the tests of the shop")
    fail(session)
    session.call(worked)
    session.send("Stop")
    session.end()
    assert drain()


def line_of(run: HookRun) -> str:
    """The text that the assistant reads; the output must be exactly one JSON object."""
    answer = json.loads(run.stdout)
    assert list(answer) == ["hookSpecificOutput"]
    assert list(answer["hookSpecificOutput"]) == ["hookEventName", "additionalContext"]
    assert answer["hookSpecificOutput"]["hookEventName"] == "PostToolUseFailure"
    return str(answer["hookSpecificOutput"]["additionalContext"])


def told(session: Session, **changes: Any) -> str:
    """The line for a failed call, which fails again because a busy machine rightly gives no answer."""
    return line_of(wait_for(lambda: run if (run := fail(session, **changes)).stdout else None, "a line"))


def test_a_call_that_fails_again_gets_one_line_once(project: Path) -> None:
    """The next failure of the session and other failures get none; all of them are learned from."""
    learn(project)
    session = Session(project)
    session.send("SessionStart")
    session.ask("Look around in the shop")

    line = told(session)
    others = [fail(session), fail(session, "make deploy"), fail(session, error="Exit code 2\nmake: *** [test] Error 1")]
    session.end()

    assert line == LINE
    assert [run.stdout for run in others] == ["", "", ""]
    [turn] = [turn for turn in drained_turns() if turn.session_id == session.id]
    failures = [action.parameters["command"] for action in turn.actions if action.outcome is Outcome.FAILED]
    assert failures.count("make deploy") == 1
    assert failures.count("make tests") >= 3


def test_another_session_is_told_too_and_another_project_is_not(project: Path, tmp_path: Path) -> None:
    learn(project)

    assert told(Session(project)) == told(Session(project / "src" / "..")) == LINE
    assert fail(Session(tmp_path / "another")).stdout == ""


def test_interrupted_calls_other_tools_and_strange_payloads_get_nothing(project: Path) -> None:
    learn(project)
    session = Session(project)

    for changes in (*OTHERS, {"session_id": ""}, {"session_id": None}, {"tool_input": "\ud800"}, {"error": "\ud800"}):
        assert fail(session, **changes).stdout == ""
    assert told(session) == LINE
    assert not Path(paths.in_data("lost")).exists()


def test_a_frozen_worker_costs_a_moment_and_no_event(project: Path) -> None:
    """The answer would be late, and a late one counts as not told."""
    learn(project)
    session = Session(project)
    pid = worker_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        run = fail(session)
        waiting = in_spool("new")
    finally:
        os.kill(pid, signal.SIGCONT)

    assert run.stdout == ""
    assert run.seconds < NOTICEABLE_S
    assert len(waiting) == 1
    assert told(session) == LINE


def test_without_a_worker_a_failed_call_waits_for_none_and_starts_none(project: Path) -> None:
    """The next prompt, or session, starts one."""
    learn(project)
    stop_worker()

    run = fail(Session(project))

    assert run.stdout == ""
    assert run.seconds < NOTICEABLE_S
    assert len(in_spool("new")) == 1
    assert not Path(paths.worker_socket()).exists()


@contextmanager
def listening(*pieces: bytes) -> Iterator[list[bytes]]:
    """Something that listens in the worker's place, sends these pieces, and never closes the connection."""
    paths.make_run_folder()
    received, kept = list[bytes](), list[socket.socket]()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(paths.worker_socket())
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    line = listener.accept()[0]
                except OSError:
                    return
                kept.append(line)
                received.append(line.recv(1 << 16))
                for piece in pieces:
                    line.sendall(piece)

        threading.Thread(target=serve, daemon=True).start()
        yield received
        listener.shutdown(socket.SHUT_RDWR)
    for line in kept:
        line.close()
    Path(paths.worker_socket()).unlink()


BODY = b'{"hookSpecificOutput": {"hookEventName": "PostToolUseFailure", "additionalContext": "x"}}'


@pytest.mark.parametrize(
    ("pieces", "is_told"),
    [
        ([], False),
        ([b"HTTP/1.1 200 OK\r\n"], False),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"], False),
        ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"], False),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], False),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b" " * 9000], False),
        ([b"\x00\xff" * 500], False),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY), BODY], True),
    ],
    ids=range(8),
)
def test_a_worker_that_is_slow_old_or_strange_costs_a_moment_and_no_event(
    project: Path, pieces: list[bytes], is_told: bool
) -> None:
    """Half an answer is never passed on. A worker of the version before does not know the path."""
    with listening(*pieces) as received:
        run = fail(Session(project))

    assert bool(run.stdout) is is_told
    assert run.seconds < NOTICEABLE_S
    assert len(in_spool("new")) == 1
    assert received[0].startswith(b"POST /v1/failure HTTP/1.1\r\n")


def test_a_long_error_is_sent_after_it_was_saved(project: Path) -> None:
    learn(project)

    assert told(Session(project), error=f"{NO_RULE}\n{'x' * 1_000_000}") == LINE


def test_a_long_error_that_nobody_reads_costs_a_moment_and_no_event(project: Path) -> None:
    """It does not fit into a socket, so sending it takes until the deadline."""
    with listening():
        run = fail(Session(project), error="x" * 5_000_000)

    assert run.stdout == ""
    assert run.seconds < NOTICEABLE_S
    assert len(in_spool("new")) == 1


def test_the_hook_of_a_failed_call_waits_less_than_150_ms() -> None:
    """The shell and Python start in the rest."""
    assert handlers.FAILURE_S <= 0.1
