"""A local embedding service that fails as real ones do, one answer after another."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DIMENSIONS = 1536
Answer = tuple[int, str, bytes]


class EmbeddingStub:
    """Answers each request with the next of `faults`, and with good vectors after the last one."""

    def __init__(self, *faults: str) -> None:
        self.faults = list(faults)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.released = threading.Event()

    def answer(self, body: dict[str, Any], key: str) -> Answer:
        self.requests.append(body)
        self.keys.append(key)
        fault = self.faults.pop(0) if self.faults else "ok"
        if fault == "hang":
            self.released.wait(10)
        return ANSWERS[fault](body["input"])

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free local port, and yield the base URL."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            self.released.set()
            server.shutdown()
            thread.join()
            server.server_close()


def vector(text: str) -> list[float]:
    """A vector that depends on the text and does not have unit length."""
    return [float(len(text)), 1.0, *[0.0] * (DIMENSIONS - 2)]


def _good(texts: list[str]) -> list[dict[str, Any]]:
    return [{"index": index, "embedding": vector(text)} for index, text in enumerate(texts)]


def _all_vectors(embedding: list[Any]) -> Callable[[list[str]], Answer]:
    return lambda texts: _json([{"index": index, "embedding": embedding} for index in range(len(texts))])


def _json(data: object, status: int = 200) -> Answer:
    return status, "application/json", json.dumps({"object": "list", "data": data}).encode()


def _error(status: int) -> Callable[[list[str]], Answer]:
    return lambda texts: (status, "application/json", b'{"error": {"message": "bad key: sk-stub-secret"}}')


ANSWERS: dict[str, Callable[[list[str]], Answer]] = {
    "ok": lambda texts: _json(_good(texts)),
    "hang": lambda texts: _json(_good(texts)),
    "shuffled": lambda texts: _json(_good(texts)[::-1]),
    "fewer": lambda texts: _json(_good(texts)[1:]),
    "more": lambda texts: _json(_good([*texts, "one more"])),
    "doubled": lambda texts: _json([_good(texts)[0]] * len(texts)),
    "wrong dimension": _all_vectors([0.5] * 384),
    "nan": _all_vectors([float("nan"), *[0.5] * (DIMENSIONS - 1)]),
    "infinity": _all_vectors([float("inf"), *[0.5] * (DIMENSIONS - 1)]),
    "zero": _all_vectors([0.0] * DIMENSIONS),
    "null": _all_vectors([None] * DIMENSIONS),
    "no data": lambda texts: _json(None),
    "html": lambda texts: (200, "text/html", b"<html>Please log in to this network</html>"),
    "half json": lambda texts: (200, "application/json", b'{"object": "list", "data": [{"ind'),
    "deep json": lambda texts: (200, "application/json", b"[" * 200_000),
    "redirect": lambda texts: (307, "http://127.0.0.1:9/elsewhere", b""),
    **{str(status): _error(status) for status in (400, 401, 403, 429, 500)},
}


def _handler(stub: EmbeddingStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, kind, content = stub.answer(body, self.headers["Authorization"])
            self._send(status, kind, content)

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Location" if status == 307 else "Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Retry-After-Ms", "1")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's signature)
            """Log nothing."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

    return Handler
