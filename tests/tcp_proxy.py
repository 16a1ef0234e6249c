"""A TCP proxy in front of a server's Unix socket, which fails as networks and poolers do, when it is told to.

It knows no protocol: a moment of a conversation is known by the words that the client says then.
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
    REFUSE = auto()  # nobody listens, and whoever was connected is hung up on
    BLACK_HOLE = auto()  # who connects is let in, and nothing passes either way
    RESET = auto()  # the connection is reset, and what was said is not passed on
    SLOW = auto()  # every piece is late
    LOSE_ANSWER = auto()  # the connection is reset, and what was said is passed on and done


class TcpProxy:
    """Passes everything on and, between `begin` and `end`, does so with a fault. `met` counts how often it showed."""

    def __init__(self, direct: str) -> None:
        """`direct` is how to connect without it."""
        address = conninfo_to_dict(direct)
        self._target = f"{address['host']}/.s.PGSQL.{address['port']}"
        # Bound all the time: while nobody listens, the port must not become somebody else's.
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
        """How to connect through the proxy instead."""
        return make_conninfo(direct, host="127.0.0.1", hostaddr="", port=self._place.getsockname()[1])

    def begin(self, fault: Fault, *, at: bytes = b"") -> None:
        """Fail from now on: always, or whenever a client says the words."""
        over, self._plan = self._plan, _Plan(fault, at)
        self.met = 0
        over.is_over.set()
        if fault is Fault.REFUSE:
            self._leave()
        elif not self._listener:
            self._listener = _Listener(self._place.getsockname(), self)

    def end(self) -> None:
        """Pass everything on again. Connections that met the fault do not come back."""
        self.begin(Fault.NONE)

    def serve(self, client: socket.socket) -> None:
        """Pass on what a client and the server say, until one of them leaves or the fault ends it."""
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
                if speaker is client:  # what is said comes in pieces, and ends with the answer
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
        """Do to a connection what the fault does to it."""
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
