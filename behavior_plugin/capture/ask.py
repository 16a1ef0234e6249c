"""Ask the worker over its Unix socket, within a deadline, in HTTP/1.1.

A hook has no time to import `http`, so this speaks just enough of it: a request line, a few headers and a body out; a
status, `Content-Length` and a body back. The length reveals half an answer, which is never passed on.
"""

import _socket
import os
import sys
import time

from behavior_plugin import __version__
from behavior_plugin.capture import paths, spool

# The headers that the worker reads.
VERSION, PLUGIN, AGENT, CONTEXT = "behavior-version", "behavior-plugin", "behavior-agent", "behavior-context"
CONTINUE, OK, UNAVAILABLE = 100, 200, 503
MAX_HEAD_BYTES = 64 * 1024


class NotListening(OSError):  # noqa: N818 - a state, not a fault
    """No worker listens."""


class Unanswered(ConnectionError):  # noqa: N818 - a state, not a fault
    """The worker hung up without an answer: an older version, which does not speak HTTP, or one that just died."""


def ask(path, body, within_s, headers=(), method="POST"):
    """The worker's answer: its status and body, in bytes.

    Raises NotListening where no worker listens, Unanswered where it hung up, and OSError (TimeoutError among them)
    where no whole answer came in time.
    """
    deadline = time.monotonic() + within_s
    return receive(send(path, body, deadline, headers, method), deadline)


def send(path, body, deadline, headers=(), method="POST"):
    """Send a request, and return the connection on which to `receive` its answer later. Raises as `ask`."""
    line = connect(deadline)
    try:
        line.sendall(head(path, len(body), headers, method) + body)
    except ConnectionError as error:
        line.close()
        raise Unanswered from error
    except BaseException:
        line.close()
        raise
    return line


def receive(line, deadline):
    """The status and body of the answer to a request that was sent. Raises as `ask`."""
    try:
        return read_body(line, deadline, *read_head(line, deadline))
    finally:
        line.close()


def connect(deadline):
    """A connection to our own user's worker. Raises as `ask`."""
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        _connect(line, deadline)
        _refuse_other_users(line)
        line.settimeout(_left(deadline))
    except BaseException:
        line.close()
        raise
    return line


def head(path, length, headers=(), method="POST"):
    """The head of a request whose body has so many bytes. The headers' values are ASCII and hold no line end."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def read_head(line, deadline, received=b""):
    """The status of an answer, the length of its body, and as much of the body as came with them. Raises as `ask`."""
    while b"\r\n\r\n" not in received:
        if len(received) > MAX_HEAD_BYTES:
            raise ConnectionError("the answer has no end of its head")
        piece = _receive(line, deadline, 1 << 16)
        if not piece:
            raise ConnectionError("the answer ended early") if received else Unanswered
        received += piece
    start, _, body = received.partition(b"\r\n\r\n")
    return (*_parse(start), body)


def read_body(line, deadline, status, length, body):
    """The status and the whole body of an answer, given what `read_head` returned. Raises as `ask`."""
    pieces, left = [body], length - len(body)
    while left > 0:
        piece = _receive(line, deadline, min(left, 1 << 20))
        if not piece:
            raise ConnectionError("the answer ended early")
        pieces.append(piece)
        left -= len(piece)
    return status, b"".join(pieces)[:length]


def identity(plugin):
    """The headers that say which version asks, and in which folder it lies."""
    return [(VERSION, __version__), (PLUGIN, spool.quote(plugin))]


def _receive(line, deadline, most):
    """As many bytes as there are; none where the connection has ended, in whichever way."""
    line.settimeout(_left(deadline))
    try:
        return line.recv(most)
    except ConnectionError:  # the worker closed it before it had read everything
        return b""


def _parse(start):
    """The status, and the body's length: 0 where an answer has none."""
    first, *lines = start.lower().split(b"\r\n")
    try:
        lengths = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
        return int(first.split(b" ")[1]), sum(lengths)
    except (ValueError, IndexError):
        raise ConnectionError("the answer is not HTTP") from None


def _connect(line, deadline):
    line.settimeout(_left(deadline))
    try:
        line.connect(paths.worker_socket())
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NotListening(error.errno, "no worker listens") from error
    except OSError as error:
        # The path is longer than a socket's can be: no worker has made its short folder yet.
        if error.errno is None and not isinstance(error, _socket.timeout):
            raise NotListening("no worker listens") from error
        raise


def _refuse_other_users(line):
    """The sockets' folder may lie where others can make one of its name: an answer of another user does not count."""
    if hasattr(_socket, "SO_PEERCRED"):
        peer = line.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # pid, uid, gid
        owner = int.from_bytes(peer[4:8], sys.byteorder)
    else:
        owner = os.lstat(paths.run_folder()).st_uid
    if owner != os.geteuid():
        raise NotListening("another user listens")


def _left(deadline):
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left
