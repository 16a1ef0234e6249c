"""Start commands one at a time and report the cost of each. processes.py runs this program with `-I -S`.

It is a separate process because the peak memory of a child includes its parent's memory at the time of the start. This
program imports almost nothing, so it holds no more than the smallest measured Python.
"""

from __future__ import annotations

import os
import signal
import sys
import time

PIECE = 1 << 16


def main(answer: str) -> None:
    """Read one command a line: its input file and its arguments, separated by zero bytes. Write its cost."""
    for line in sys.stdin.buffer:
        payload, *command = line[:-1].split(b"\0")
        sys.stdout.write("{} {} {} {}\n".format(*_cost(payload, command, answer)))
        sys.stdout.flush()


def _cost(payload: bytes, command: list[bytes], answer: str) -> tuple[float, float, int, int]:
    """Wall and CPU time in milliseconds, peak memory in KiB, and the exit status."""
    source = os.open(payload or os.devnull, os.O_RDONLY)
    started_at = time.perf_counter()
    pid = _start_with_input(command, source, answer)
    _, status, used = os.wait4(pid, 0)
    wall_ms = (time.perf_counter() - started_at) * 1000
    os.close(source)
    return wall_ms, (used.ru_utime + used.ru_stime) * 1000, used.ru_maxrss, os.waitstatus_to_exitcode(status)


def _start_with_input(command: list[bytes], source: int, answer: str) -> int:
    """Start a command and write its input into a pipe, as Claude Code does."""
    reading, writing = os.pipe()
    stdout_to_file = (os.POSIX_SPAWN_OPEN, 1, answer, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    actions = [(os.POSIX_SPAWN_DUP2, reading, 0), stdout_to_file]
    # Python ignores SIGPIPE, and its children would inherit that.
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=actions, setsigdef=[signal.SIGPIPE])
    os.close(reading)
    try:
        while piece := os.read(source, PIECE):
            os.write(writing, piece)
    except BrokenPipeError:  # the command does not read its input
        pass
    os.close(writing)
    return pid


if __name__ == "__main__":
    main(sys.argv[1])
