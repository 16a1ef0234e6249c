"""Run the registered hook commands as the client runs them: they save their payloads and never harm the agent."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from behavior_plugin import simulator
from behavior_plugin.capture import paths, spool, trouble, unanswered
from behavior_plugin.capture.handlers import HANDLERS, PAYLOAD_LIMIT
from tests.acceptance.feeding import LOSS_NOTICE, data_folder, feed, hook_environment, plugin_copy, spooled_payloads
from tests.acceptance.sessions import ROOT
from tests.factories import payload
from tests.settings import elsewhere


@pytest.fixture(autouse=True)
def data(own_home: Path) -> Iterator[Path]:
    """Tests of the hooks alone."""
    with data_folder(own_home) as folder:
        yield folder


@pytest.mark.parametrize("event", HANDLERS)
def test_a_real_payload_is_saved_silently(event: str) -> None:
    """The everyday case: exit code 0, no output, the event in the spool."""
    raw = json.dumps(payload(event)).encode() + b"\n"

    done = feed(event, raw)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert spooled_payloads() == [raw]


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("raw", [b"", b" \n\t", b"\n"])
def test_an_empty_payload_is_not_saved(event: str, raw: bytes) -> None:
    """It contains no event."""
    done = feed(event, raw)

    assert (done.returncode, done.stdout) == (0, b"")
    assert not Path(spool.folder("new")).exists()


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("raw", [b"not JSON", b'{"half": ', b"\x00\xff\xfe\x80" * 1000, b"[" * 100_000, b"{}{}"])
def test_malformed_payloads_are_saved_for_the_worker(event: str, raw: bytes) -> None:
    """A hook does not parse payloads, so no payload can make it fail."""
    done = feed(event, raw)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert spooled_payloads() == [raw]


@pytest.mark.parametrize("event", ["PostToolUse", "UserPromptSubmit"])
def test_twenty_megabytes_are_truncated_and_marked(event: str) -> None:
    """A hook reads a limited length, and notes that the rest is missing."""
    raw = b'{"session_id": "s", "prompt": "' + b"x" * 20_000_000 + b'"}'

    done = feed(event, raw)

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    [record] = Path(spool.folder("new")).iterdir()
    envelope, head = spool.read(record)
    assert envelope["is_cut"]
    assert raw.startswith(head)
    assert len(head) == PAYLOAD_LIMIT


@pytest.mark.parametrize("event", HANDLERS)
def test_a_hook_stops_waiting_for_the_end_of_a_payload(event: str) -> None:
    """The agent may fail to close the pipe."""
    reading, writing = os.pipe()
    os.write(writing, b'{"session_id": "s"')

    done = feed(event, b"", input=None, stdin=reading, timeout=5)

    os.close(writing)
    os.close(reading)
    assert done.returncode == 0
    assert spooled_payloads() == [b'{"session_id": "s"']


def test_an_unknown_event_gets_a_file_name_of_ours() -> None:
    """A file name never contains text from outside."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "hooks" / "hook.py"), "../../Evil"], input=b"{}", check=False
    )

    assert done.returncode == 0
    [record] = Path(spool.folder("new")).iterdir()
    assert record.name.endswith("-Other")


ODD_NAMES = [
    "with space",
    "John's",
    'a "quote"',
    "$HOME",
    "$(touch pwn)",
    "; touch pwn;",
    "`touch pwn`",
    "größer",
    "-n",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_plugin_path_works(name: str, tmp_path: Path) -> None:
    """Every "John Doe" has a space in the path of his home; the other names must at least do no harm."""
    root = plugin_copy(tmp_path / name)

    done = feed("PostToolUse", b'{"session_id": "s"}', root=root, cwd=elsewhere(tmp_path))

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert spooled_payloads() == [b'{"session_id": "s"}']
    assert not list(tmp_path.rglob("pwn"))


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("gone", [".", "hooks/hook.py", "behavior_plugin", "behavior_plugin/capture/spool.py"])
def test_a_missing_or_incomplete_plugin_does_no_harm(event: str, gone: str, tmp_path: Path) -> None:
    """Updates and uninstalls happen during sessions, and exit code 2 would erase the prompt."""
    root = plugin_copy(tmp_path / "plugin")
    missing = root / gone
    shutil.rmtree(missing) if missing.is_dir() else missing.unlink()

    done = feed(event, b'{"session_id": "s"}', root=root)

    assert (done.returncode, done.stdout) == (0, b"")
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("event", HANDLERS)
@pytest.mark.parametrize("search", ["", "/nonexistent"])
def test_a_missing_python_does_no_harm(event: str, search: str) -> None:
    """A PATH without python3 must not stop a session."""
    done = feed(event, b"{}", env=hook_environment(PATH=search))

    assert (done.returncode, done.stdout) == (0, b"")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
def test_closed_or_full_standard_streams_do_no_harm(closed: str) -> None:
    """Flushing a closed stream at exit would make Python end with 120."""
    command = simulator.registered_hooks(ROOT)["SessionStart"].command
    wrapped = ["/bin/sh", "-c", f"{{ {command}; }} {closed}"]

    done = subprocess.run(wrapped, env=hook_environment(), input=b"{}", check=False)

    assert done.returncode == 0


def test_records_are_readable_by_their_user_only() -> None:
    """They contain prompts and file contents that are not redacted yet."""
    feed("PostToolUse", b"{}", before="umask 0; ")

    [record] = Path(spool.folder("new")).iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600


def test_one_variable_disables_all_hooks() -> None:
    """In an emergency nobody wants to look for a setting."""
    done = feed("UserPromptSubmit", b"{}", env=hook_environment(BEHAVIOR_DISABLE="1"))

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not Path(spool.folder()).exists()


def test_fifty_simultaneous_hooks_lose_no_event() -> None:
    """Parallel calls end together, and their hooks run together."""
    payloads = [b'{"n": %d}' % number for number in range(50)]

    with ThreadPoolExecutor(max_workers=50) as threads:
        ended = list(threads.map(lambda raw: feed("PostToolUse", raw), payloads))

    assert {done.returncode for done in ended} == {0}
    reported = sum(done.stderr != b"" for done in ended)
    assert len(spooled_payloads()) + reported == 50, "an event is missing and not reported"
    assert set(spooled_payloads()) <= set(payloads)
    assert reported == 0


def test_a_hook_reports_a_missing_payload_as_lost() -> None:
    """The agent may be held up for longer than a hook can wait."""
    reading, writing = os.pipe()

    done = feed("PostToolUse", b"", input=None, stdin=reading)

    os.close(writing)
    os.close(reading)
    assert (done.returncode, done.stdout) == (0, b"")
    assert done.stderr.startswith(LOSS_NOTICE + b"TimeoutError")


def test_a_plugin_without_setup_reports_that_to_the_user(data: Path, tmp_path: Path) -> None:
    """Nobody would notice a plugin that silently does nothing."""
    (data / "interpreter").unlink()
    root = plugin_copy(tmp_path / "plugin")

    done = feed("SessionStart", json.dumps(payload("SessionStart")).encode(), root=root)

    answer = json.loads(done.stdout)
    assert list(answer) == ["systemMessage"]
    assert "make setup" in answer["systemMessage"]
    assert len(spooled_payloads()) == 1


def start_session(source: str = "startup", *, agent: str = "") -> str:
    """The warning that a session's start shows; empty if there is none."""
    raw = json.dumps(payload("SessionStart", source=source), separators=(",", ":")).encode()
    command = [sys.executable, "-I", "-S", str(ROOT / "hooks" / "hook.py"), "SessionStart", *([agent] if agent else [])]
    done = subprocess.run(command, env=hook_environment(), input=raw, capture_output=True, check=True, timeout=20)
    answer = json.loads(done.stdout) if done.stdout else {"systemMessage": ""}
    assert list(answer) == ["systemMessage"]
    return str(answer["systemMessage"])


@pytest.mark.parametrize(
    ("source", "agent", "is_shown"),
    [
        ("startup", "", True),
        ("clear", "", True),
        ("fork", "", True),
        ("resume", "", False),
        ("compact", "", False),
        ("startup", "codex", False),
    ],
)
def test_trouble_with_the_worker_is_shown_once_in_a_session(source: str, agent: str, is_shown: bool) -> None:
    """A session that goes on has seen it. Whether another agent shows such lines is not known."""
    assert start_session(source, agent=agent) == ""
    trouble.write("nothing new is learned: the store is gone")

    line = "behavior: nothing new is learned: the store is gone; `behavior doctor` says what to do."
    assert start_session(source, agent=agent) == (line if is_shown else "")


def test_any_trouble_is_one_json_answer() -> None:
    """The file may be damaged; whatever a hook prints goes to the model, unless it is JSON."""
    Path(paths.in_data("trouble")).write_bytes(b'"}, "x": "\x1b[31m\xff\x00\n' + "\u202e".encode() + b"y" * 100_000)

    line = start_session()

    assert line.startswith("behavior: ")
    assert line.isprintable()
    assert len(line) < 600


@contextmanager
def worker_that_answers(reply: bytes) -> Iterator[None]:
    """A worker that answers every request with these bytes, and hangs up."""
    paths.make_run_folder()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(paths.worker_socket())
        listener.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = listener.accept()
                    with caller:
                        caller.recv(1 << 20)
                        caller.sendall(reply)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}", "the worker was not ready"),
        (b"", "the worker ended meanwhile"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "the worker took too long"),
    ],
)
def test_a_prompt_without_an_answer_is_counted(reply: bytes, reason: str | None) -> None:
    """Nothing to say is an answer; half an answer is none."""
    with worker_that_answers(reply):
        done = feed("UserPromptSubmit", json.dumps(payload("UserPromptSubmit")).encode())

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    found = unanswered.read()
    assert (found and found[3]) == reason
    assert len(spooled_payloads()) == 1


@pytest.mark.parametrize("is_starting", [True, False])
def test_a_missing_worker_is_told_from_one_that_starts(is_starting: bool) -> None:
    """The first is a fault, the second only slow."""
    if is_starting:
        Path(paths.make_run_folder(), "starting").touch()

    feed("UserPromptSubmit", json.dumps(payload("UserPromptSubmit")).encode())

    found = unanswered.read()
    assert found
    assert (found[3] == "the worker was still starting") is is_starting


def test_a_prompt_that_cannot_be_counted_is_saved_all_the_same(data: Path) -> None:
    """Only the count is missing then."""
    os.mkfifo(data / "unanswered")

    done = feed("UserPromptSubmit", json.dumps(payload("UserPromptSubmit")).encode())

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(spooled_payloads()) == 1
