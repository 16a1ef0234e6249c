"""A hook's HTTP: whole answers are passed on, and everything else is an error within the deadline."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from behavior_plugin.capture import ask, paths


@pytest.fixture(autouse=True)
def run_folder(own_home: Path) -> Iterator[None]:
    paths.make_private(paths.data_folder())
    paths.make_run_folder()
    yield
    if Path(paths.in_data("run")).is_symlink():  # the path of a test's folder is long
        shutil.rmtree(paths.run_folder(), ignore_errors=True)


@contextmanager
def worker(*pieces: bytes, is_reading: bool = True) -> Iterator[list[bytes]]:
    """A worker that answers one request with these pieces and hangs up; yields the bytes that it was sent."""
    sent: list[bytes] = []

    def serve() -> None:
        line, _ = listener.accept()
        with line, suppress(OSError):
            if is_reading:
                sent.append(line.recv(65536))
            for piece in pieces:
                line.sendall(piece)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(paths.worker_socket())
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        yield sent
        thread.join()
    Path(paths.worker_socket()).unlink()


def test_a_request_is_http_that_any_server_reads() -> None:
    """So that the same question can be put by curl."""
    with worker(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") as sent:
        answer = ask.ask("/v1/prompt", b"{}", 5, [("name", "value")])

    assert answer == (200, b"hello")
    assert sent == [b"POST /v1/prompt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nname: value\r\n\r\n{}"]


def test_an_answer_may_come_in_any_pieces() -> None:
    """A byte at a time is still the same answer."""
    answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 11\r\nX: y\r\n\r\nhello\r\n\r\nyou"

    for pieces in ([answer[:40], answer[40:]], [bytes([byte]) for byte in answer]):
        with worker(*pieces):
            assert ask.ask("/", b"", 5) == (404, b"hello\r\n\r\nyo")


def test_a_large_answer_is_whole() -> None:
    """A list of patterns has megabytes."""
    body = b"x" * 3_000_000
    with worker(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body):
        assert ask.ask("/", b"", 10) == (200, body)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello",
        b"HTTP/1.1\r\n\r\n",
        b"5\nhello",
        b"\x00" * 70_000,
    ],
)
def test_half_an_answer_is_none(answer: bytes) -> None:
    """A hook would print it, and the agent read it."""
    with worker(answer), pytest.raises(ConnectionError) as raised:
        ask.ask("/", b"", 5)

    assert not isinstance(raised.value, ask.Unanswered)


def test_an_answer_without_a_length_is_empty() -> None:
    """Where it ends nobody knows."""
    with worker(b"HTTP/1.1 200 OK\r\n\r\nhello"):
        assert ask.ask("/", b"", 5) == (200, b"")


@pytest.mark.parametrize("is_reading", [True, False])
def test_a_worker_that_hangs_up_without_a_word_is_told_apart(is_reading: bool) -> None:
    """It is of the version before this one, or has just died; the system may call that a reset."""
    with worker(is_reading=is_reading), pytest.raises(ask.Unanswered):
        ask.ask("/", b"{}", 5)


def test_a_worker_that_does_not_answer_is_not_waited_for() -> None:
    """A hook that hangs is an agent that hangs."""
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(paths.worker_socket())
        frozen.listen()

        with pytest.raises(TimeoutError):
            ask.ask("/", b"", 0.05)


def test_a_missing_worker_is_told_apart_from_a_silent_one() -> None:
    """Only then is one started at once."""
    with pytest.raises(ask.NotListening):
        ask.ask("/", b"", 5)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(paths.worker_socket())

    with pytest.raises(ask.NotListening):
        ask.ask("/", b"", 5)


def test_a_folder_with_any_name_fits_into_a_header() -> None:
    """Headers are ASCII, and end with their line."""
    [_, (name, plugin)] = ask.identity('/a "b"\r\n/ü')

    assert (name, plugin) == (ask.PLUGIN, '"/a \\"b\\"\\r\\n/\\u00fc"')
    assert ask.head("/", 0, [(name, plugin)]).isascii()
