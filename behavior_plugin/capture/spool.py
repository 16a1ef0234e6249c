"""The spool: the folder where events wait, one file each, and the format of those files.

A record is written under tmp/ and renamed into new/ (as in a Maildir), so a reader never sees half of one. It is a
line of JSON, the envelope, and then the payload, byte for byte as the host sent it: understanding it is the worker's
work, where it can be corrected and done again. The worker files new/ records by session into open/, and sets aside
in dead/ what it cannot read.
"""

import os
import time

from behavior_plugin.capture import paths

VERSION = 1
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def put(event, payload, is_cut=False, notes=None):
    """Keep one event. When this returns it is ours; raises OSError where it could not be kept.

    `event` is a word of ours, never text from the payload: it becomes part of the file's name.
    """
    try:
        _deliver(event, payload, is_cut, notes or {})
    except FileNotFoundError:  # the first event of all, or somebody has tidied up
        make()
        _deliver(event, payload, is_cut, notes or {})


def read(path):
    """An envelope and the payload behind it.

    Raises OSError where the file cannot be read, ValueError where it is no record of this version.
    """
    import json

    with open(path, "rb", opener=_open_record) as record:
        envelope = json.loads(record.readline())
        if not isinstance(envelope, dict) or envelope.get("v") != VERSION:
            raise ValueError(f"not a spool record of version {VERSION}")
        return envelope, record.read()


def lose(error):
    """Say that an event could not be kept: silence means kept."""
    why = getattr(error, "strerror", None)
    line = f"behavior: event not recorded: {type(error).__name__}{f' ({why})' if why else ''}\n".encode()
    try:
        os.write(2, line)
    except OSError:
        pass
    try:
        record = os.open(paths.in_data("lost"), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        os.write(record, b"%d %s" % (time.time(), line))
    except OSError:
        pass


def lost():
    """How many events could not be kept since the file that says why was last deleted."""
    try:
        with open(paths.in_data("lost"), "rb") as told:
            return sum(1 for _ in told)
    except OSError:
        return 0


def _open_record(path, _):
    """What lies there may be a link or a pipe, put there by hand: never follow, never wait."""
    return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)


def folder(*names):
    return paths.in_data("spool", *names)


def make():
    """Make the spool's folders where they are missing."""
    paths.make_private(paths.data_folder())
    for name in ("", "tmp", "new", "open", "dead"):
        paths.make_private(os.path.normpath(folder(name)))


def _deliver(event, payload, is_cut, notes):
    now = time.time_ns()
    name = f"{now:020d}-{os.getpid()}-{event}"
    # Everything by one descriptor, so that the folder that was checked is the folder that is written to.
    spool = os.open(folder(), _FOLDER)
    if os.fstat(spool).st_uid != os.geteuid():
        raise PermissionError(1, "the spool belongs to another user")
    _write(spool, "tmp/" + name, _envelope(event, now, len(payload), is_cut, notes) + payload)
    os.rename("tmp/" + name, "new/" + name, src_dir_fd=spool, dst_dir_fd=spool)


def _write(spool, name, record):
    target = os.open(name, _CREATE, 0o600, dir_fd=spool)
    try:
        view = memoryview(record)
        while view:
            view = view[os.write(target, view) :]
    finally:
        os.close(target)


def _envelope(event, now, size, is_cut, notes):
    """Written by hand: importing json costs a hook as much as everything else it does."""
    host = os.environ.get("CLAUDE_PID", "")
    fields = [
        f'"v":{VERSION},"event":"{event}","time_ns":{now},"monotonic_ns":{time.monotonic_ns()}',
        f'"machine":{_quote(os.uname().nodename)},"host_pid":{host if host.isdigit() else "null"}',
        f'"size":{size},"is_cut":{"true" if is_cut else "false"}',
        *[f"{_quote(name)}:{_quote(value)}" for name, value in notes.items()],
    ]
    return "{{{}}}\n".format(",".join(fields)).encode("ascii")


def _quote(text):
    try:
        from _json import encode_basestring_ascii
    except ImportError:  # an interpreter without the C helper
        from json.encoder import encode_basestring_ascii
    return encode_basestring_ascii(text)


class NewerRecord(ValueError):  # noqa: N818
    pass


def keep_bounds():
    pass
