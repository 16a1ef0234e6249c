"""Ask the worker from a command, starting it first where none runs."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import struct
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from behavior_plugin import errors
from behavior_plugin.capture import ask, paths, wake

# The first start of all makes the database.
START_S = 30.0
ANSWER_S = 300.0
# A worker that is alive says so at once, however much it has to do.
PING_S = 2.0
# The state has a count in it, and the store may be slow to say that it is gone.
STATUS_S = 15.0
OTHERS_HINT = (
    "`behavior worker stop` ends it; the next command starts it with the settings that you have here. What stands in "
    "config.toml is the same for sessions and commands."
)


def ask_worker(verb: str, *, within_s: float = ANSWER_S, **asked: Any) -> Any:
    """What the worker answers to `verb` (see Desk).

    Raises:
        WorkerUnavailableError: no worker runs and none could be started, or it gave no answer in time.
        BehaviorError: what the worker itself reports, as the same class.
    """
    start_worker()
    return ask_running_worker(verb, within_s=within_s, **asked)


def ask_running_worker(verb: str, *, within_s: float = ANSWER_S, **asked: Any) -> Any:
    """The same, without starting one."""
    try:
        # Letters as they are: escaped, a Chinese text is twice as long.
        question = json.dumps(asked, ensure_ascii=False).encode("utf-8", "surrogatepass")
        answer = json.loads(ask.ask(verb, question, within_s))
    except OSError as error:
        raise errors.WorkerUnavailableError from error
    if "error" in answer:
        raise _as_raised(answer["error"])
    return answer["result"]


def start_worker() -> bool:
    """See to it that a worker answers; returns whether it had to be started.

    Raises:
        SetupError: there is no Python environment for it.
        ConfigError: it would end at once, for a setting that is not valid; or the one that runs has other settings.
        WorkerUnavailableError: it does not come up; the message has the end of its log.
    """
    _make_folder()
    deadline = time.monotonic() + START_S
    is_started = False
    # Again and again: the one that was said to be starting may have died of it.
    while (found := wake.ensure_worker()) not in (wake.RUNNING, wake.SILENT):
        if found == wake.NOT_SET_UP:
            raise errors.SetupError
        if time.monotonic() > deadline:
            raise errors.WorkerUnavailableError(f"The worker does not come up. Its log ends: {_end_of_log()}")
        if not is_started:
            _check_settings()
            is_started = True
        time.sleep(0.02)
    if not is_started:
        _see_that_it_answers()
    _see_that_it_is_ours()
    return is_started


def other_settings() -> list[str]:
    """The names of the settings with which the worker that runs was started, and that are others here and now.

    Raises:
        ConfigError: a setting is not valid here.
        WorkerUnavailableError: none runs.
    """
    # Imported here: a command that only asks for help should start fast.
    from behavior_plugin import config

    salt = secrets.token_hex()
    ours = config.fingerprint(config.load(), salt.encode())
    theirs = ask_running_worker("settings", within_s=PING_S, salt=salt)
    return [name for name in ours if ours[name] != theirs.get(name)]


def stop_worker(within_s: float = 30.0) -> bool:
    """End the worker, one that does not answer or does not end by force, and wait until it is gone.

    Returns whether one ran.
    """
    try:
        pid = _told_to_end()
    except errors.WorkerUnavailableError:
        return kill_worker()
    if not _is_gone_within(pid, within_s):
        kill_worker()
    return True


def is_healthy() -> bool:
    """Whether a worker says so itself: one that leaves, hangs or is frozen does not."""
    try:
        return bool(ask_running_worker("ping", within_s=PING_S) == "here")
    except errors.WorkerError:
        return False


def kill_worker(within_s: float = 5.0) -> bool:
    """End who listens on the socket, as the kernel knows it: a frozen worker cannot tell its pid.

    Returns whether somebody listened. What it was doing waits in the spool, and its server goes with it.

    Raises:
        WorkerError: the kernel does not tell who listens, or the process does not end.
    """
    if (pid := _listener()) is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    if not _is_gone_within(pid, within_s):
        raise errors.WorkerError(f"The worker (pid {pid}) was killed and has not ended.")
    return True


def _told_to_end() -> int:
    ask_running_worker("ping", within_s=PING_S)
    pid = int(ask_running_worker("status", within_s=STATUS_S)["pid"])
    ask_running_worker("stop", within_s=STATUS_S)
    return pid


def _is_gone_within(pid: int, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while is_there := _exists(pid):
        if time.monotonic() > deadline:
            break
        time.sleep(0.02)
    return not is_there


def _make_folder() -> None:
    try:
        paths.make_run_folder()
    except OSError as error:
        raise errors.WorkerUnavailableError(
            f"The worker cannot be started: {error.strerror}: {error.filename}"
        ) from error


def _see_that_it_answers() -> None:
    try:
        ask_running_worker("ping", within_s=PING_S)
    except errors.WorkerUnavailableError as error:
        raise errors.WorkerUnavailableError(hint="`behavior worker stop` ends it, by force if need be.") from error


def _see_that_it_is_ours() -> None:
    """Whose settings are right only a person can say: a worker that served two by turns would fill two stores."""
    try:
        others = other_settings()
    except errors.WorkerUnavailableError:
        raise
    except errors.WorkerError:  # it does not know the question
        raise errors.WorkerError("The worker is of another version than this command.", hint=OTHERS_HINT) from None
    if others:
        raise errors.ConfigError(f"The worker was started with other settings ({', '.join(others)}).", hint=OTHERS_HINT)


def _check_settings() -> None:
    # Imported here: a command that only asks should start fast.
    from behavior_plugin import config

    config.load()


def _listener() -> int | None:
    """The pid of the process that listens; nothing where none does."""
    if not hasattr(socket, "SO_PEERCRED"):
        raise errors.WorkerError("The worker does not answer, and this system does not tell its pid.")
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(paths.worker_socket())
            told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return None
    pid, uid, _ = struct.unpack("3i", told)
    if pid <= 0:  # seen from inside a container, what runs outside has no number; to signal 0 would end ourselves
        raise errors.WorkerError("The worker runs in another container. End it there.")
    return int(pid) if uid == os.geteuid() else None


def _exists(pid: int) -> bool:
    # Imported here for the same reason.
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _end_of_log() -> str:
    try:
        lines = Path(paths.in_data("worker.log")).read_text(encoding="utf-8").splitlines()
    except OSError:
        return "(there is none)"
    return " / ".join(lines[-3:]) or "(it is empty)"


def _as_raised(error: dict[str, str]) -> errors.BehaviorError:
    kind = getattr(errors, error["kind"], errors.WorkerError)
    return kind(error["message"], hint=error.get("hint", ""))
