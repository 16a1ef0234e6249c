"""A TCP proxy in front of a server's Unix socket that imitates failures of networks and poolers.

It knows no protocol: it recognizes a moment by a text in the client's data.
"""

from __future__ import annotations

import select
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto

from psycopg.conninfo import conninfo_to_dict, make_conninfo

PIECE = 1 << 16
SLOW_S = 0.02


class Fault(Enum):
    NONE = auto()
    REFUSE = auto()  # nobody listens, and open connections are closed
    BLACK_HOLE = auto()  # connections are accepted, and nothing passes either way
    RESET = auto()  # the connection is reset, and the data is not passed on
    SLOW = auto()  # all data is delayed
    LOSE_ANSWER = auto()  # the connection is reset after the data was passed on


class TcpProxy:
    """Forwards all data, between `begin` and `end` with a fault. `met` counts how often the fault took effect."""

    def __init__(self, direct: str) -> None:
        """`direct` is the connection string without the proxy."""
        address = conninfo_to_dict(direct)
        self._target = f"{address['host']}/.s.PGSQL.{address['port']}"
        # Always bound, so that no other process gets the port while nobody listens.
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._place.bind(("127.0.0.1", 0))
        self._listener: _Listener | None = None
        self._clients: set[socket.socket] = set()
        self._plan = _Plan()
        self.met = 0

    @contextmanager
    def serving(self) -> Iterator[TcpProxy]:
        self.end()
        try:
            yield self
        finally:
            self.begin(Fault.REFUSE)
            self._place.close()

    def conninfo(self, direct: str) -> str:
        """The connection string through the proxy."""
        return make_conninfo(direct, host="127.0.0.1", hostaddr="", port=self._place.getsockname()[1])

    def begin(self, fault: Fault, *, at: bytes = b"") -> None:
        """Fail from now on: always, or when a client's data contains the words."""
        over, self._plan = self._plan, _Plan(fault, at)
        self.met = 0
        over.is_over.set()
        if fault is Fault.REFUSE:
            self._leave()
        elif not self._listener:
            self._listener = _Listener(self._place.getsockname(), self)

    def end(self) -> None:
        """Forward everything again. Connections that met the fault do not recover."""
        self.begin(Fault.NONE)

    def serve(self, client: socket.socket) -> None:
        """Forward data between a client and the server until one of them closes or the fault ends the connection."""
        self._clients.add(client)
        try:
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(self._target)
                self._pass_on(client, server)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        finally:
            self._clients.discard(client)

    def _leave(self) -> None:
        listener, self._listener = self._listener, None
        if listener:
            listener.shutdown()
            for client in self._clients.copy():
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                self.met += 1
            listener.server_close()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        said, is_answered = b"", False
        while self._plan.fault is not Fault.REFUSE:
            for speaker in select.select([client, server], [], [])[0]:
                piece = speaker.recv(PIECE)
                if not piece:
                    return
                plan = self._plan
                if speaker is client:  # a message arrives in pieces, and ends with the answer
                    said, is_answered = piece if is_answered else said + piece, False
                if plan.words in said and plan.concerns(is_answer=speaker is server):
                    self.met += 1
                    plan.fail()
                is_answered = speaker is server
                (server if speaker is client else client).sendall(piece)


@dataclass(frozen=True)
class _Plan:
    fault: Fault = Fault.NONE
    words: bytes = b""
    is_over: threading.Event = field(default_factory=threading.Event)

    def concerns(self, *, is_answer: bool) -> bool:
        return self.fault is not Fault.NONE and (is_answer or self.fault is not Fault.LOSE_ANSWER)

    def fail(self) -> None:
        """Apply the fault to a connection."""
        if self.fault is Fault.SLOW:
            self.is_over.wait(SLOW_S)
            return
        if self.fault is Fault.BLACK_HOLE:
            self.is_over.wait()
        raise ConnectionResetError


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_port = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], proxy: TcpProxy) -> None:
        super().__init__(address, _Handler)
        self.proxy = proxy
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}).start()


class _Handler(socketserver.BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        self.server.proxy.serve(self.request)
