"""Start the worker beside whoever notices that it is missing: detached, and never waited for."""

import os
import time

from behavior_plugin.capture import ask, paths

RUNNING, STARTING, NOT_SET_UP = "running", "starting", "not set up"
# A start is not tried again before this; a worker that is up has removed the mark.
START_S = 5
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_SET_UP_ANSWER = (
    b'{"systemMessage":"behavior: events are kept, but nothing is learned from them yet: '
    b"the plugin is not set up. Run `make setup` in the plugin's folder.\"}"
)
# What the worker may see of the host's environment: never the host's own keys.
_PASSED_ON = ("HOME", "PATH", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "XDG_DATA_HOME")
_PASSED_ON_STARTS = ("BEHAVIOR_", "OPENAI_", "PG", "LC_", "SSL_CERT_")
_PASSED_ON_ENDS = ("_PROXY", "_proxy")


def wake():
    """RUNNING where a worker listens, STARTING where one has just been started, else NOT_SET_UP."""
    if is_listening():
        return RUNNING
    python = interpreter()
    if python is None:
        return NOT_SET_UP
    if not is_starting():
        _mark_start()
        _start_detached([python, "-I", os.path.join(ROOT, "behavior_plugin", "worker", "__main__.py")])
    return STARTING


def is_listening():
    try:
        ask.ask("ping", b"", 0.2)
    except ask.NobodyThere:
        return False
    except OSError:  # somebody is there, if busy
        return True
    return True


def is_starting():
    try:
        return 0 <= time.time() - os.stat(_mark()).st_mtime < START_S
    except OSError:
        return False


def is_up():
    """Called by the worker when it can answer."""
    try:
        os.unlink(_mark())
    except OSError:
        pass


def interpreter():
    """The Python that has the worker's libraries: the one recorded when we were set up, else our own .venv."""
    for python in (recorded(), os.path.join(ROOT, ".venv", "bin", "python")):
        if python and os.access(python, os.X_OK):
            return python
    return None


def recorded():
    """The Python that was named when we were set up, whether or not it is still there."""
    try:
        with open(paths.in_data("interpreter"), encoding="utf-8") as record:
            return record.readline().strip()
    except (OSError, ValueError):
        return None


def _mark():
    return os.path.join(paths.run_folder(), "starting")


def _mark_start():
    paths.make_run_folder()
    os.close(os.open(_mark(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    os.utime(_mark())


def _start_detached(command):
    """Twice forked, in a session of its own, with no descriptor of ours: the host need not wait for its end."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            _let_go()
            os.execve(command[0], command, _environment())
    finally:
        os._exit(0)


def _let_go():
    import _signal

    # The registered commands ignore SIGTERM, and what they start would go on ignoring it.
    _signal.signal(_signal.SIGTERM, _signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    for descriptor in os.listdir("/dev/fd"):
        if int(descriptor) > 2:
            try:
                os.close(int(descriptor))
            except OSError:
                pass
    os.chdir("/")


def _environment():
    return {name: value for name, value in os.environ.items() if _is_passed_on(name)}


def _is_passed_on(name):
    return name in _PASSED_ON or name.startswith(_PASSED_ON_STARTS) or name.endswith(_PASSED_ON_ENDS)
