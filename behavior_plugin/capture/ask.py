"""Ask the worker over its Unix socket, within a deadline.

A question is `VERB LENGTH\\n` and so many bytes; an answer is `LENGTH\\n` and so many bytes. The length makes half
an answer recognisable: it is never passed on.
"""

import _socket
import os
import sys
import time

from behavior_plugin.capture import paths


class NotListening(OSError):  # noqa: N818 - it reads as what happened
    """No worker listens."""


def ask(verb, body, within_s):
    """The worker's answer, in bytes.

    Raises NobodyThere where no worker listens, OSError (TimeoutError among them) where no whole answer came in time.
    """
    deadline = time.monotonic() + within_s
    return receive(send(verb, body, deadline), deadline)


def send(verb, body, deadline):
    """Put a question, for whoever has something else to do before the answer comes; see `answer`. Raises as `ask`."""
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        _connect(line, deadline)
        _refuse_other_users(line)
        line.settimeout(_left(deadline))
        line.sendall(b"%s %d\n" % (verb.encode("ascii"), len(body)) + body)
    except BaseException:
        line.close()
        raise
    return line


def receive(line, deadline):
    """The answer to a question that was put. Raises as `ask`."""
    try:
        return _read_answer(line, deadline)
    finally:
        line.close()


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
    """The sockets' folder may lie where others can make one of its name: what another user says is no answer."""
    if hasattr(_socket, "SO_PEERCRED"):
        told = line.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)  # pid, uid, gid
        owner = int.from_bytes(told[4:8], sys.byteorder)
    else:
        owner = os.lstat(paths.run_folder()).st_uid
    if owner != os.geteuid():
        raise NotListening("another user listens")


def _read_answer(line, deadline):
    received = b""
    while True:
        size, newline, body = received.partition(b"\n")
        if newline and len(body) >= int(size):
            return body
        line.settimeout(_left(deadline))
        piece = line.recv(1 << 16)
        if not piece:
            raise ConnectionError("the answer ended early")
        received += piece


def _left(deadline):
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left
