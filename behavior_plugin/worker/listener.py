"""Listen for HTTP/1.1 on a Unix socket in a folder that only its user can enter: one request a connection.

`curl --unix-socket …/run/worker.sock http://localhost/v1/status` is enough to ask.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from behavior_plugin.errors import RequestError
from behavior_plugin.worker import legacy
from behavior_plugin.worker.routes import Request, Response, Routes, error_response

# More than the longest turn has: 200 calls, each as long as a stored call may be.
MAX_REQUEST_BYTES = 64 * 1024 * 1024
MAX_LINE_BYTES = 64 * 1024
# A caller that stalls for so long is dropped.
STALL_S = 10

log = logging.getLogger(__name__)


class Connection:
    """The caller, at the other end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._then: list[Callable[[], None]] = []

    def is_waiting(self) -> bool:
        """A caller sends no more than its request, so anything that can be read after it is the caller's end."""
        return not select.select([self._connection], [], [], 0)[0]

    def afterwards(self, do: Callable[[], None]) -> None:
        """Run something after the answer was sent, so that the caller does not wait for it."""
        self._then.append(do)

    def run_afterwards(self) -> None:
        for do in self._then:
            do()


class Listener(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers each request on a thread of its own. Make it only while holding the worker's lock."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: str, routes: Routes) -> None:
        Path(path).unlink(missing_ok=True)
        self.routes = routes
        super().__init__(path, _Handler)
        self._made = _identity(path)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()

    def leave(self) -> None:
        """Remove the socket. The loop ends with the process: to stop it would take half a second."""
        if self.is_found():
            with contextlib.suppress(FileNotFoundError):
                Path(str(self.server_address)).unlink()

    def is_found(self) -> bool:
        """Whether the socket at our address is the one we listen on."""
        return _identity(str(self.server_address)) == self._made

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - the base class's
        log.info("a caller went away: %s", sys.exception().__class__.__name__)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = STALL_S
    server: Listener
    _was_accepted = False

    def handle(self) -> None:
        if not _is_own_user(self.connection):
            return
        caller = Connection(self.connection)
        self.raw_requestline = self.rfile.readline(MAX_LINE_BYTES + 1)
        if legacy.is_legacy(self.raw_requestline):
            answer = legacy.answer(
                self.raw_requestline, self.rfile, self.server.routes, caller, limit=MAX_REQUEST_BYTES
            )
            self.wfile.write(answer or b"")
        elif len(self.raw_requestline) > MAX_LINE_BYTES:
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
        elif self.raw_requestline and self.parse_request():
            self._answer(caller)
        caller.run_afterwards()

    def handle_expect_100(self) -> bool:
        """Before the body is sent: a refusal, or the proof that we are alive, however long the answer takes."""
        self._was_accepted = self._is_accepted()
        return self._was_accepted and super().handle_expect_100()

    def _answer(self, caller: Connection) -> None:
        """The handshake was checked already where the caller waited for that before it sent the body."""
        body = self._read_body()
        if body is not None and (self._was_accepted or self._is_accepted()):
            request = Request(self.command, self.path.partition("?")[0], self._lower_headers(), body)
            self._send(self.server.routes.answer(request, caller))

    def _is_accepted(self) -> bool:
        if refusal := self.server.routes.refusal(self._lower_headers()):
            self._send(refusal)
        return refusal is None

    def _lower_headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items()}

    def _read_body(self) -> bytes | None:
        """The request's body; None if it is refused, or the caller has gone."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers:
            self.send_error(HTTPStatus.LENGTH_REQUIRED)
        elif not (length.isascii() and length.isdigit()):
            self.send_error(HTTPStatus.BAD_REQUEST)
        elif len(length) > len(str(MAX_REQUEST_BYTES)) or int(length) > MAX_REQUEST_BYTES:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif len(body := self.rfile.read(int(length))) == int(length):
            return body
        return None

    def _send(self, response: Response) -> None:
        """One write: a hook that reads the head should not wait for the rest."""
        head = (
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(response.body)}\r\nConnection: close\r\n\r\n"
        )
        self.wfile.write(head.encode("ascii") + response.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer in JSON also where the base class refuses a request, such as a malformed request line."""
        self._send(Response(code, error_response(RequestError(HTTPStatus(code).phrase)).body))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Requests are not logged: their paths may be anything."""


def _is_own_user(connection: socket.socket) -> bool:
    """The folder keeps others out already; where the kernel names the caller's user, we also check that."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (os.geteuid(), 0)
