"""Ask a child process that may crash or hang: it is started when it is needed, and again after a failure.

A failure costs one answer. It ends by itself when this process does, since its stdin ends then.
"""

from __future__ import annotations

import selectors
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence

from behavior_plugin.embed.e5_child import LENGTH


class ChildError(Exception):
    """The child has crashed, or has not answered in time."""


class Child:
    """A process that answers each request with `answer_bytes` bytes. Safe to use from several threads."""

    def __init__(self, command: Sequence[str], *, answer_bytes: int, within_s: float, env: Mapping[str, str]) -> None:
        self._command, self._env = list(command), dict(env)
        self._answer_bytes, self._within_s = answer_bytes, within_s
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process that runs, if one does."""
        return self._process.pid if self._process else None

    def ask(self, request: bytes) -> bytes:
        """The answer to one request.

        A child that dies of it is started and asked once more: it may have been killed from outside.

        Raises:
            ChildError: it has died of it twice, or has not answered within `within_s`.
        """
        with self._lock:
            return self._ask_once(request) or self._ask_once(request) or self._fail("It crashed.")

    def close(self) -> None:
        with self._lock:
            self._end()

    def _ask_once(self, request: bytes) -> bytes:
        """The answer; empty if the child has died. One that is too slow is killed."""
        try:
            process = self._process or self._start()
            assert process.stdin
            process.stdin.write(LENGTH.pack(len(request)) + request)
            process.stdin.flush()
            answer = self._read(process, time.monotonic() + self._within_s)
        except BaseException as error:
            self._end()  # what it may still answer would be taken for the answer to the next request
            if not isinstance(error, OSError):
                raise
            answer = b""
        if not answer:
            self._end()
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=self._env
        )
        return self._process

    def _read(self, process: subprocess.Popen[bytes], deadline: float) -> bytes:
        assert process.stdout
        answer = b""
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while len(answer) < self._answer_bytes:
                if not selector.select(max(0, deadline - time.monotonic())):
                    self._fail(f"It did not answer within {self._within_s:g} s.")
                part = process.stdout.read1(self._answer_bytes - len(answer))  # type: ignore[attr-defined]
                if not part:
                    return b""
                answer += part
        return answer

    def _fail(self, reason: str) -> bytes:
        raise ChildError(reason)

    def _end(self) -> None:
        if not self._process:
            return
        process, self._process = self._process, None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe
            try:
                pipe.close()
            except OSError:  # what was not yet sent to it
                continue
