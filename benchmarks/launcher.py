"""Start commands, one at a time, and tell what each cost. Run by processes.py, with `-I -S`.

A process of its own, because the peak memory of a child is counted from what its parent held when it was started: one
that imports nothing holds no more than the smallest Python that is measured.
"""

from __future__ import annotations

import os
import signal
import sys
import time

PIECE = 1 << 16


def main(answer: str) -> None:
    """Read a command a line, its parts between zero bytes after the file that it gets as input; write its cost."""
    for line in sys.stdin.buffer:
        payload, *command = line[:-1].split(b"\0")
        sys.stdout.write("{} {} {} {}\n".format(*_cost(payload, command, answer)))
        sys.stdout.flush()


def _cost(payload: bytes, command: list[bytes], answer: str) -> tuple[float, float, int, int]:
    """Wall and CPU in milliseconds, peak memory in KiB, and the exit status."""
    source = os.open(payload or os.devnull, os.O_RDONLY)
    began = time.perf_counter()
    pid = _fed(command, source, answer)
    _, status, used = os.wait4(pid, 0)
    wall_ms = (time.perf_counter() - began) * 1000
    os.close(source)
    return wall_ms, (used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss, os.waitstatus_to_exitcode(status)


def _fed(command: list[bytes], source: int, answer: str) -> int:
    """Start a command and write its input into a pipe, as the client does."""
    reading, writing = os.pipe()
    answered = (os.POSIX_SPAWN_OPEN, 1, answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, reading, 0), answered]
    # Python ignores it, and what it starts would go on ignoring it.
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setsigdef=[signal.SIGPIPE])
    os.close(reading)
    try:
        while piece := os.read(source, PIECE):
            os.write(writing, piece)
    except BrokenPipeError:  # it does not read its input
        pass
    os.close(writing)
    return pid


if __name__ == "__main__":
    main(sys.argv[1])
