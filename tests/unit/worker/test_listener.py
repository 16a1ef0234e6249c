"""The listener speaks HTTP over a Unix socket, and the previous version's protocol."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from behavior_plugin.capture import ask
from behavior_plugin.errors import WorkerLeavingError
from behavior_plugin.worker import listener
from behavior_plugin.worker.answers import Caller
from behavior_plugin.worker.listener import MAX_REQUEST_BYTES, Connection, Listener
from behavior_plugin.worker.routes import PROMPT, Request, Response, Routes, error_response
from tests.waiting import wait_for

PAYLOAD = b'{"session_id":"s","prompt":"fix it"}'


class Echo(Routes):
    """Answer with the request's body, and refuse clients of version 2."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.meanwhile: Callable[[Caller], object] = lambda _: None

    def refusal(self, headers: object) -> Response | None:
        assert isinstance(headers, dict)
        return error_response(WorkerLeavingError()) if headers.get(ask.VERSION) == "2" else None

    def answer(self, request: Request, caller: Caller) -> Response:
        self.requests.append(request)
        self.meanwhile(caller)
        return Response(200, request.body)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def path(tmp_path: Path, echo: Echo) -> Iterator[str]:
    path = str(tmp_path / "s")
    listening = Listener(path, echo)
    yield path
    listening.leave()
    listening.shutdown()
    listening.server_close()


def connected(path: str) -> socket.socket:
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(10)
    line.connect(path)
    return line


def read_to_end(line: socket.socket) -> bytes:
    """Everything until the connection ends."""
    pieces = []
    while piece := line.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def exchange(path: str, raw: bytes) -> bytes:
    with connected(path) as line:
        line.sendall(raw)
        line.shutdown(socket.SHUT_WR)
        return read_to_end(line)


def test_an_answer_states_its_length(path: str, echo: Echo) -> None:
    """The length makes a truncated answer recognizable."""
    raw = b"POST /v1/recall?a=b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nX-Some: Thing\r\n\r\n{}"

    answer = exchange(path, raw)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nContent-Length: 2\r\n" in answer
    assert answer.endswith(b"\r\n\r\n{}")
    [request] = echo.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/recall", b"{}")
    assert request.headers["x-some"] == "Thing"


def test_an_expecting_client_gets_an_interim_answer(path: str, echo: Echo) -> None:
    """An answer may take minutes; a missing `100 Continue` reveals a frozen worker."""
    with connected(path) as line:
        line.sendall(b"POST /v1/drain HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        interim = line.recv(100)
        before = list(echo.requests)
        line.sendall(b"{}")
        answer = read_to_end(line)

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert before == []
    assert answer.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("expect", [b"", b"Expect: 100-continue\r\n", b"Expect: something else\r\n"])
def test_a_refused_client_gets_the_reason_and_no_work_is_done(expect: bytes, path: str, echo: Echo) -> None:
    """The body may be megabytes, so a client that expects `100 Continue` need not send it."""
    head = b"POST /v1/drain HTTP/1.1\r\nContent-Length: 2\r\nBehavior-Version: 2\r\n" + expect + b"\r\n"

    answer = exchange(path, head if b"100-continue" in expect else head + b"{}")

    assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["kind"] == "WorkerLeavingError"
    assert echo.requests == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_REQUEST_BYTES + 1), b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n{}", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: two\r\n\r\n{}", b"400"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", b"411"),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"),
        (b"GET / HTTP/7.0\r\n\r\n", b"505"),
        (b"GET / SMTP/1.1\r\n\r\n", b"400"),
    ],
)
def test_malformed_requests_get_an_error_in_json(raw: bytes, status: bytes, path: str, echo: Echo) -> None:
    """A malformed request causes no work and reserves no memory."""
    answer = exchange(path, raw)

    assert answer.split(b" ", 2)[1] == status
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["kind"] == "RequestError"
    assert echo.requests == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\n",
        b"POST /v1/recall HTTP/1.1\r\nContent-Length: 1000\r\n\r\n{",
        b"suggest 1000\n{",
        b"suggest 99999999999999999999\n{}",
    ],
)
def test_truncated_requests_are_not_answered(raw: bytes, path: str, echo: Echo) -> None:
    """The client was killed."""
    assert exchange(path, raw) in (b"", b"0\n")
    assert echo.requests == []


def test_a_stalled_client_is_disconnected(path: str, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection has a thread, and threads are limited."""
    monkeypatch.setattr(listener._Handler, "timeout", 0.05)

    with connected(path) as line:
        line.sendall(b"POST /v1/recall HTTP/1.1\r\nContent-Length: 10\r\n\r\n{")
        assert read_to_end(line) == b""

    assert echo.requests == []


def test_a_disconnected_client_is_noticed(path: str, echo: Echo) -> None:
    """A suggestion that nobody reads was not made."""
    is_waiting: list[bool] = []
    has_gone = threading.Event()

    def watch(caller: Caller) -> None:
        is_waiting.append(caller.is_waiting())
        has_gone.wait(10)
        wait_for(lambda: not caller.is_waiting(), "the caller's end")
        is_waiting.append(caller.is_waiting())

    echo.meanwhile = watch
    with connected(path) as line:
        line.sendall(b"GET /v1/status HTTP/1.1\r\n\r\n")
        wait_for(lambda: is_waiting, "the request")
    has_gone.set()

    wait_for(lambda: len(is_waiting) == 2, "the second look")
    assert is_waiting == [True, False]


def test_deferred_work_runs_after_the_answer(path: str, echo: Echo) -> None:
    """The client does not wait for it."""
    done, may_end = threading.Event(), threading.Event()

    def afterwards() -> None:
        may_end.wait(10)
        done.set()

    echo.meanwhile = lambda caller: caller.afterwards(afterwards)
    with connected(path) as line:
        line.sendall(b"GET /v1/status HTTP/1.1\r\n\r\n")
        answer = line.recv(1000)
        was_done = done.is_set()
        may_end.set()

    assert answer.startswith(b"HTTP/1.1 200")
    assert not was_done
    assert done.wait(10)


def test_a_deleted_socket_is_noticed_and_not_deleted_again(tmp_path: Path, echo: Echo) -> None:
    """Another worker may have made its own socket there."""
    path = tmp_path / "s"
    listening = Listener(str(path), echo)
    was_found = listening.is_found()
    path.unlink()
    path.touch()

    listening.leave()

    assert (was_found, listening.is_found()) == (True, False)
    assert path.exists()
    listening.shutdown()
    listening.server_close()


# The previous version


def test_a_hook_of_the_previous_version_gets_its_suggestion(path: str, echo: Echo) -> None:
    """Its session continues while the plugin is updated."""
    answer = exchange(path, b"suggest %d\n" % len(PAYLOAD) + PAYLOAD)

    assert answer == b"%d\n" % len(PAYLOAD) + PAYLOAD
    [request] = echo.requests
    assert (request.path, request.headers, request.body) == (PROMPT, {}, PAYLOAD)


def test_a_hook_of_the_previous_version_gets_no_errors(path: str, echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook would pass the error on as a suggestion."""
    monkeypatch.setattr(echo, "answer", lambda *_: error_response(WorkerLeavingError()))

    assert exchange(path, b"suggest 2\n{}") == b"0\n"


@pytest.mark.parametrize(("version", "result"), [("1", "here"), ("2", "leaving")])
def test_a_ping_of_the_previous_version_is_answered(version: str, result: str, path: str) -> None:
    """A newer plugin with that protocol starts its own worker."""
    body = b'{"version":"%s"}' % version.encode()

    answer = exchange(path, b"ping %d\n" % len(body) + body)

    length, _, text = answer.partition(b"\n")
    assert int(length) == len(text)
    assert json.loads(text) == {"result": result}


@pytest.mark.parametrize("body", [b"", b"[]", b"{{{", b"[" * 50_000, b'{"version":null}'])
def test_a_malformed_ping_of_the_previous_version_is_answered(body: bytes, path: str) -> None:
    """Commands of the previous version send no version."""
    assert exchange(path, b"ping %d\n" % len(body) + body).endswith(b'{"result": "here"}')


def test_a_command_of_the_previous_version_is_refused_with_the_reason(path: str, echo: Echo) -> None:
    """Its types differ from ours."""
    answer = exchange(path, b"settings 15\n" + b'{"salt":"salt"}')

    error = json.loads(answer.partition(b"\n")[2])["error"]
    assert error["kind"] == "WorkerError"
    assert "another version" in error["message"]
    assert echo.requests == []


def test_an_idle_connection_counts_as_waiting() -> None:
    """A hook's connection is idle until the hook gives up."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert Connection(ours).is_waiting()
        theirs.sendall(b"x")
        assert not Connection(ours).is_waiting()
