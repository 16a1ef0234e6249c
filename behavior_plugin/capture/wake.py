"""Start a missing worker from a hook: detached, and never waited for. See worker/lifecycle.py for the whole picture."""

import os
import time

from behavior_plugin.capture import ask, paths, variables

RUNNING, STARTING, SILENT, NOT_SET_UP = "running", "starting", "silent", "not set up"
PING_S = 0.2
# A start is not tried again within this time; a worker that is up removes the mark.
START_S = 5
# Nor is a successor started again for a worker that does not answer: it may only be busy.
REPLACE_S = 60
MAX_DESCRIPTORS = 1 << 20
MAX_RECORD_BYTES = 8192
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NOT_SET_UP_ANSWER = (
    b'{"systemMessage":"behavior: events are kept, but nothing is learned from them yet: '
    b"the plugin is not set up. Run `make setup` in the plugin's folder.\"}"
)


def ensure_worker():
    """Make sure that a worker of this version runs, and return its state.

    RUNNING if one answers, SILENT if one listens and does not (see `replace`), STARTING if one has just been started,
    else NOT_SET_UP.
    """
    found = ping()
    if found:
        return found
    python = interpreter()
    if python is None:
        return NOT_SET_UP
    if not is_starting():
        _mark("starting")
        _start(python)
    return STARTING


def replace():
    """Start a worker beside one that does not answer in time. The new one finds out whether that one is dead."""
    python = interpreter()
    if python and not is_starting() and not _is_marked("replacing", REPLACE_S):
        _mark("replacing")
        _start(python)


def spawn_detached(do):
    """Run a function in a detached process: in a session of its own, without our descriptors."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork() == 0:
            _detach()
            do()
    finally:
        os._exit(0)


def ping(within_s=PING_S):
    """RUNNING or SILENT, or None if no worker of this version listens, or the one that does is leaving.

    The worker learns our version and folder from it, so an older one leaves to a newer.
    """
    try:
        status, _ = ask.ask("/v1/ping", b"", within_s, ask.identity(ROOT), "GET")
    except ask.NotListening:
        return None
    except ask.Unanswered:
        return _stop_older()
    except OSError:  # busy, frozen, or dead in mid-answer
        return SILENT
    return RUNNING if status == ask.OK else None


def is_listening():
    """Whether a worker listens, even if it does not answer."""
    try:
        ask.ask("/v1/ping", b"", PING_S, (), "GET")
    except ask.NotListening:
        return False
    except OSError:
        return True
    return True


def is_starting():
    return _is_marked("starting", START_S)


def clear_starting_mark():
    """For the worker, once it can answer."""
    try:
        folder = os.open(paths.run_folder(), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.unlink("starting", dir_fd=folder)
    except OSError:
        pass
    finally:
        os.close(folder)


def interpreter():
    """The Python that has the worker's libraries: the one recorded at the setup, else that of our own .venv."""
    for python in (recorded(), os.path.join(ROOT, ".venv", "bin", "python")):
        if python and os.access(python, os.X_OK) and is_trusted(python):
            return python
    return None


def recorded():
    """The Python recorded at the setup, whether or not it is still there; None if the record is missing or not ours.

    A repository may contain a data folder, but neither a file that only its user can read, nor the folder's number.
    """
    try:
        record = paths.open_carefully(paths.in_data("interpreter"), os.O_RDONLY)
    except (OSError, ValueError):
        return None
    try:
        found = os.fstat(record)
        text = os.read(record, MAX_RECORD_BYTES)
        python = text.split(b"\n")[0]
        if found.st_mode & 0o077 or found.st_uid != os.geteuid() or text != record_of(python):
            return None
        return os.fsdecode(python)
    except (OSError, ValueError):
        return None
    finally:
        os.close(record)


def record_of(python):
    """The content of the file `interpreter`: the path, and the number of the data folder. Raises OSError."""
    return b"%s\n%d\n" % (os.fsencode(python), os.stat(paths.data_folder()).st_ino)


def record(python):
    """For the set-up: record the Python that runs the worker. Raises OSError."""
    paths.make_private(paths.data_folder())
    paths.replace_file(paths.in_data("interpreter"), record_of(python))


def is_trusted(python):
    """Whether a Python is outside the session's project, or the project is this plugin itself."""
    root = os.path.realpath(ROOT)
    places = [os.path.realpath(os.path.dirname(python)), os.path.realpath(python)]
    around = [place for place in places if paths.project_around(place)]
    return not around or os.path.commonpath([root, *around]) == root


def _stop_older():
    """End a worker of the version before this one, which speaks no HTTP; None once it has agreed to leave.

    It gets `stop` in its own protocol: it would not leave to a version with the same number.
    """
    try:
        deadline = time.monotonic() + PING_S
        line = ask.connect(deadline)
        try:
            line.sendall(b"stop 2\n{}")
            return None if line.recv(64) else SILENT
        finally:
            line.close()
    except ask.NotListening:
        return None
    except OSError:
        return SILENT


def _is_marked(name, for_s):
    try:
        return 0 <= time.time() - os.stat(_mark_file(name)).st_mtime < for_s
    except OSError:
        return False


def _mark(name):
    paths.make_run_folder()
    mark = paths.open_carefully(_mark_file(name), os.O_WRONLY | os.O_CREAT)
    os.utime(mark)
    os.close(mark)


def _mark_file(name):
    return os.path.join(paths.run_folder(), name)


def _start(python):
    command = [python, "-I", os.path.join(ROOT, "behavior_plugin", "worker", "__main__.py")]
    environment = variables.for_worker()
    spawn_detached(lambda: os.execve(python, command, environment))


def _detach():
    import _signal

    # The registered commands ignore these signals, and their children inherit that.
    for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGTERM):
        _signal.signal(number, _signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    _close_the_rest()
    os.chdir("/")


def _close_the_rest():
    try:
        for descriptor in map(int, os.listdir("/dev/fd")):
            if descriptor > 2:
                _close(descriptor)
    except OSError:  # no such folder here
        most = os.sysconf("SC_OPEN_MAX")
        os.closerange(3, most if 0 < most <= MAX_DESCRIPTORS else 4096)


def _close(descriptor):
    try:
        os.close(descriptor)
    except OSError:  # that of the list itself
        pass
