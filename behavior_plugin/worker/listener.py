"""The worker's ear: a Unix socket in a folder that only its user can enter. See capture/ask.py for the words."""

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
from pathlib import Path

# More than the longest pattern has: 200 calls, each with as much as is kept of one.
MAX_REQUEST_BYTES = 64 * 1024 * 1024
# A caller that stalls is let go.
PATIENCE_S = 10

log = logging.getLogger(__name__)


class Connection:
    """Who asks, over a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._then: list[Callable[[], None]] = []

    def is_waiting(self) -> bool:
        """A caller says no more than its question, so whatever can be read after it is the caller's end."""
        return not select.select([self._connection], [], [], 0)[0]

    def afterwards(self, do: Callable[[], None]) -> None:
        """Have something done when the answer has been given: nobody should wait for it."""
        self._then.append(do)

    def is_served(self) -> None:
        for do in self._then:
            do()


# What is asked, the verb and its body, and by whom.
Answer = Callable[[str, bytes, Connection], bytes]


class Listener(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers each question on a thread of its own. Make it only while holding the worker's lock."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: str, answer: Answer) -> None:
        Path(path).unlink(missing_ok=True)
        self.answer = answer
        super().__init__(path, _Handler)
        self._made = _identity(path)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.5}, daemon=True).start()

    def leave(self) -> None:
        """Be found no more. The loop ends with the process: to stop it would take half a second."""
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


class _Handler(socketserver.StreamRequestHandler):
    timeout = PATIENCE_S
    server: Listener

    def handle(self) -> None:
        if not _is_own_user(self.connection):
            return
        verb, _, length = self.rfile.readline(200).decode("ascii", "replace").strip().partition(" ")
        if not length.isdigit() or int(length) > MAX_REQUEST_BYTES:
            return
        body = self.rfile.read(int(length))
        if len(body) == int(length):
            caller = Connection(self.connection)
            answer = self.server.answer(verb, body, caller)
            self.wfile.write(b"%d\n" % len(answer) + answer)
            caller.is_served()


def _is_own_user(connection: socket.socket) -> bool:
    """The folder keeps others out already; where the kernel tells who calls, we also look."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return uid in (os.geteuid(), 0)
