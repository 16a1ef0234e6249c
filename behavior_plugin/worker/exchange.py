"""Exchange one HTTP request and answer with the worker, and notice a frozen one early.

Light on purpose: a worker that is one too many finds out by this, before it has imported anything heavy.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from contextlib import closing

from behavior_plugin.capture import ask
from behavior_plugin.errors import WorkerUnavailableError

# A worker that is alive takes a request at once, however much it has to do.
ALIVE_S = 2.0
FROZEN_HINT = "`behavior worker stop` ends it, by force if need be."
EXPECT = ("Expect", "100-continue")


def exchange(
    path: str, body: bytes, within_s: float, *, headers: Sequence[tuple[str, str]] = (), method: str = "POST"
) -> tuple[int, bytes]:
    """The status and body of the worker's answer.

    The worker agrees to answer within a moment (`100 Continue`), so a frozen one is noticed although an answer may take
    minutes; and it refuses a caller before the body is sent.

    Raises:
        WorkerUnavailableError: a worker listens and does not react.
        OSError: as `ask.ask`.
    """
    deadline = time.monotonic() + within_s
    alive_by = min(deadline, time.monotonic() + ALIVE_S)
    with closing(ask.connect(alive_by)) as line:
        try:
            line.sendall(ask.head(path, len(body), [*headers, EXPECT], method))
            status, length, rest = ask.read_head(line, alive_by)
        except TimeoutError as error:
            raise WorkerUnavailableError(hint=FROZEN_HINT) from error
        if status == ask.CONTINUE:
            status, length, rest = _finish(line, body, deadline, rest)
        answer: tuple[int, bytes] = ask.read_body(line, deadline, status, length, rest)
    return answer


def _finish(line: socket.socket, body: bytes, deadline: float, rest: bytes) -> tuple[int, int, bytes]:
    """Send the body, and read the head of the answer. A worker that took the request and died is no other version."""
    line.settimeout(max(0.0, deadline - time.monotonic()))
    if body:  # else the answer may have been sent, and the connection closed
        line.sendall(body)
    try:
        head: tuple[int, int, bytes] = ask.read_head(line, deadline, rest)
    except ask.Unanswered as error:
        raise ConnectionError("the worker ended before it answered") from error
    return head
