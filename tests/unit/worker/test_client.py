"""A client raises the worker's errors, notices a frozen worker early, and costs a command little."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from behavior_plugin import api
from behavior_plugin.capture import paths
from behavior_plugin.errors import (
    BehaviorError,
    EmbedError,
    NotFoundError,
    OtherSettingsError,
    RequestError,
    StoreUnavailableError,
    WorkerError,
    WorkerUnavailableError,
)
from behavior_plugin.worker import exchange
from behavior_plugin.worker.answers import Caller
from behavior_plugin.worker.client import Client
from behavior_plugin.worker.listener import Listener
from behavior_plugin.worker.routes import Request, Response, Routes, error_response

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def run_folder(own_home: Path) -> Iterator[None]:
    paths.make_private(paths.data_folder())
    paths.make_run_folder()
    yield
    if Path(paths.in_data("run")).is_symlink():  # because a test's folder has a long path
        shutil.rmtree(paths.run_folder(), ignore_errors=True)


class OneAnswer(Routes):
    """Gives every request the same answer."""

    def __init__(self, response: Response) -> None:
        self.response = response
        self.bodies: list[bytes] = []

    def refusal(self, headers: object) -> None:
        return None

    def answer(self, request: Request, caller: Caller) -> Response:
        self.bodies.append(request.body)
        return self.response


@contextmanager
def worker(response: Response) -> Iterator[OneAnswer]:
    routes = OneAnswer(response)
    listening = Listener(paths.worker_socket(), routes)
    yield routes
    listening.leave()
    listening.shutdown()
    listening.server_close()


def running() -> Client:
    return Client(is_starting=False)


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("No such pattern.", hint="List them."),
        RequestError("No.", hint="Read."),
        StoreUnavailableError("Gone.", hint="Wait."),
        EmbedError("No words.", hint="Write some."),
        WorkerError("Odd.", hint="Look."),
        OtherSettingsError(names=["storage", "embedder"], hint="Stop it."),
    ],
)
def test_a_client_raises_the_workers_error(error: BehaviorError) -> None:
    """The class, the message and the next step are the same on both sides."""
    with worker(error_response(error)), pytest.raises(type(error)) as raised:
        running().recall(api.Recall(text="x"))

    assert type(raised.value) is type(error)
    assert (str(raised.value), raised.value.hint) == (str(error), error.hint)
    if isinstance(raised.value, OtherSettingsError):
        assert raised.value.names == ("storage", "embedder")


def test_an_error_of_an_unknown_class_is_still_reported() -> None:
    """A newer worker may have more classes of errors."""
    body = json.dumps({"error": {"kind": "SomedayError", "message": "Odd."}}).encode()
    with worker(Response(500, body)), pytest.raises(WorkerError, match=r"Odd\."):
        running().status()


def test_odd_text_is_sent_unchanged() -> None:
    """The name of a file may have lone surrogates, and other letters are not escaped."""
    with worker(Response(200, b"[]")) as routes:
        running().recall(api.Recall(text="修复 \udcff", directory="/p"))

    [body] = routes.bodies
    assert "修复".encode() in body
    assert json.loads(body)["text"] == "修复 \udcff"


def test_a_frozen_worker_is_noticed_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may take minutes, but a frozen worker does not even agree to answer."""
    monkeypatch.setattr(exchange, "ALIVE_S", 0.05)
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(paths.worker_socket())
        frozen.listen()

        with pytest.raises(WorkerUnavailableError) as raised:
            running().drain(api.Drain())

    assert "`behavior worker stop`" in raised.value.hint


def test_a_request_that_kills_the_worker_is_not_repeated() -> None:
    """It would kill the next worker too."""
    requests: list[bytes] = []

    def serve() -> None:
        line, _ = dying.accept()
        with line:
            requests.append(line.recv(65536))
            line.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            line.recv(65536)

    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(paths.worker_socket())
        dying.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(WorkerUnavailableError):
            Client().drain(api.Drain())
        thread.join()

    assert len(requests) == 1


def test_a_client_of_the_running_worker_starts_none() -> None:
    """The status must not change the state that it shows."""
    with pytest.raises(WorkerUnavailableError):
        running().status()

    assert not Path(paths.run_folder(), "starting").exists()


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("behavior_plugin.cli.terminal", ["detect_secrets", "psycopg", "numpy", "http.server"]),
        ("behavior_plugin.worker.client", ["detect_secrets", "psycopg", "http.server"]),
        ("behavior_plugin.worker.lifecycle", ["pydantic", "psutil", "http.client"]),
    ],
)
def test_commands_do_not_import_heavy_modules(module: str, heavy: list[str]) -> None:
    """Each takes a tenth of a second of every command, or of every redundant worker."""
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
