"""The spool: the folder where events wait, one file each, and the format of those files.

A record is written under tmp/ and renamed into new/ (as in a Maildir), so a reader never sees half of one. It is a
line of JSON, the envelope, and then the payload, byte for byte as the agent sent it (but for `own_secrets`): the worker
interprets it, and can do so again after a correction. The worker moves records from new/ into open/, by session, and
unreadable ones into dead/.

Policies: waiting records are limited in number and bytes; at the limit new events are refused and reported, and the
old ones stay. Nothing is synced: a kill loses nothing, a power cut may lose the last seconds, and a record that it cut
short is recognised by its size.
"""

import os
import time

from behavior_plugin.capture import paths

VERSION = 1
# The limits of new/ and open/. A hook counts nothing: it looks for the mark that `enforce_limits` makes.
MAX_WAITING = 250_000
MAX_BYTES = 2 * 1024**3
# The file that counts losses, and the size at which such a file stops growing.
LOST = "lost"
MAX_COUNT_BYTES = 64 * 1024
MAX_LINE_BYTES = 200
MAX_ENVELOPE_BYTES = 1024 * 1024
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class SpoolFull(OSError):  # noqa: N818 - its name is shown to the user
    """The spool is full, so the event is refused."""


class NewerRecord(ValueError):  # noqa: N818 - the name says what was found
    """A record that a later version has written, and will understand."""


def put(event, payload, is_cut=False, notes=None):
    """Save one event. Raises OSError if it could not be saved.

    `event` is one of our words, never text from the payload: it becomes part of the file's name.
    """
    try:
        _deliver(event, payload, is_cut, notes or {})
    except FileNotFoundError:  # the first event, or the folders were deleted
        try:
            make()
        except OSError:  # perhaps only of a folder that no hook needs
            pass
        _deliver(event, payload, is_cut, notes or {})


def read(path):
    """The envelope and the payload of a record.

    Raises OSError if the file cannot be read, ValueError if it is not a whole record of this version, and as one of
    these NewerRecord if a later version may read it.
    """
    with open(path, "rb", opener=paths.open_carefully) as record:
        envelope = _read_envelope(record)
        payload = record.read(envelope["size"] + 1)
    if len(payload) < envelope["size"]:
        raise ValueError("it is cut off")
    if len(payload) > envelope["size"]:
        raise ValueError("it has extra bytes after its payload")
    return envelope, payload


def lose(error):
    """Report that an event could not be saved; without a report it was. Never raises."""
    why = getattr(error, "strerror", None)
    text = f"behavior: event not recorded: {type(error).__name__}{f' ({why})' if why else ''}"
    line = " ".join(text.split())[:MAX_LINE_BYTES].encode("ascii", "replace") + b"\n"
    try:
        os.write(2, line)
    except OSError:
        pass
    try:
        count(LOST, b"%d %s" % (time.time(), line))
    except Exception:  # the loss has been printed; the count is only a second report
        pass


def count(name, line):
    """Add a line to a file of the data folder that counts something. Raises OSError.

    The file stops growing at MAX_COUNT_BYTES; its time is that of the last line in any case.
    """
    with _Opened() as opened:
        record = os.open(name, _APPEND, 0o600, dir_fd=opened.folder(paths.data_folder()))
        opened.append(record)
        if os.fstat(record).st_size < MAX_COUNT_BYTES:
            os.write(record, line)
        else:
            os.utime(record)


def lost():
    """The number of events that could not be saved since the file of losses was last deleted.

    It is a lower bound: the file stops growing at MAX_COUNT_BYTES.
    """
    try:
        with open(paths.in_data(LOST), "rb", opener=paths.open_carefully) as losses:
            return sum(1 for _ in losses)
    except (OSError, ValueError):
        return 0


def why_full():
    """The reason why hooks refuse events at the moment; empty if they do not."""
    try:
        with open(folder("full"), "rb", opener=paths.open_carefully) as mark:
            return mark.read(MAX_LINE_BYTES).decode("ascii", "replace").strip() or "reason unknown"
    except OSError:
        return ""


def folder(*names):
    return paths.in_data("spool", *names)


def make():
    """Make the folders of the spool that are missing."""
    paths.make_private(paths.data_folder())
    with _Opened() as opened:
        spool = opened.made("spool", opened.folder(paths.data_folder()))
        for name in paths.SPOOL_NAMES:
            opened.made(name, spool)


def enforce_limits():
    """Count the waiting records, and mark the spool as full or not. Returns the reason why hooks now refuse events.

    For the worker, and for a process beside the hooks: counting a full spool takes a second.
    """
    why = _too_much()
    if why:
        _mark_full(why)
    else:
        try:
            os.unlink(folder("full"))
        except FileNotFoundError:
            pass
    return why


def quote(text):
    """A text as JSON, in ASCII."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'  # the usual case, without an import
    try:
        from _json import encode_basestring_ascii
    except ImportError:  # an interpreter without the C helper
        from json.encoder import encode_basestring_ascii
    return encode_basestring_ascii(text)


class _Opened(list):  # type: ignore[type-arg]
    """Open descriptors. With them, the folder that was checked is the one that is written to."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for descriptor in self:
            try:
                os.close(descriptor)
            except OSError:  # of a folder, so nothing depends on it
                pass

    def folder(self, name, parent=None):
        """Open a folder; refuses links and folders of other users."""
        entered = os.open(name, _FOLDER, dir_fd=parent)
        self.append(entered)
        if os.fstat(entered).st_uid != os.geteuid():
            raise PermissionError(1, "belongs to another user", name)
        return entered

    def made(self, name, parent):
        """Open a folder, made if it is missing, and private."""
        try:
            os.mkdir(name, 0o700, dir_fd=parent)
        except FileExistsError:
            pass
        folder = self.folder(name, parent)
        if os.fstat(folder).st_mode & 0o077:
            os.fchmod(folder, 0o700)
        return folder


def _deliver(event, payload, is_cut, notes):
    now = time.time_ns()
    name = f"{now:020d}-{os.getpid()}-{event}"
    with _Opened() as opened:
        spool = opened.folder("spool", opened.folder(paths.data_folder()))
        _refuse_if_full(spool)
        tmp, new = opened.folder("tmp", spool), opened.folder("new", spool)
        record = _envelope(event, now, len(payload), is_cut, notes) + payload
        try:
            _write(tmp, name, record)
            os.rename(name, name, src_dir_fd=tmp, dst_dir_fd=new)
        except BaseException:  # on a full disk, half a record would only take up space
            _forget(tmp, name)
            raise


def _refuse_if_full(spool):
    try:
        mark = os.open("full", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=spool)
    except FileNotFoundError:
        return
    try:
        why = os.read(mark, MAX_LINE_BYTES).decode("ascii", "replace")
    finally:
        os.close(mark)
    raise SpoolFull(28, f"the spool is full: {why.strip() or 'reason unknown'}")


def _write(tmp, name, record):
    target = os.open(name, _CREATE, 0o600, dir_fd=tmp)
    try:
        view = memoryview(record)
        while view:
            view = view[os.write(target, view) :]
    finally:
        os.close(target)


def _forget(tmp, name):
    try:
        os.unlink(name, dir_fd=tmp)
    except OSError:
        pass


def _envelope(event, now, size, is_cut, notes):
    """The envelope as a line of JSON, built by hand: importing json costs a hook as much as everything else it does."""
    host = os.environ.get("CLAUDE_PID", "")
    pid = int(host) if host.isascii() and host.isdigit() and len(host) < 20 else "null"
    fields = [
        f'"v":{VERSION},"event":"{event}","time_ns":{now},"monotonic_ns":{time.monotonic_ns()}',
        f'"machine":{quote(os.uname().nodename)},"boot":{_boot()},"host_pid":{pid},"pid_space":{_pid_space()}',
        f'"size":{size},"is_cut":{"true" if is_cut else "false"}',
        *[f"{quote(name)}:{quote(value)}" for name, value in notes.items()],
    ]
    return "{{{}}}\n".format(",".join(fields)).encode("ascii")


def _boot():
    """The id of this run of the machine, in which monotonic times can be compared; macOS does not show it in a file."""
    try:
        source = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return "null"
    try:
        return quote(os.read(source, 64).decode("ascii", "replace").strip())
    except OSError:
        return "null"
    finally:
        os.close(source)


def _pid_space():
    """The id of our process namespace: a process has a different pid in each container."""
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return "null"


def _read_envelope(record):
    import json

    try:
        envelope = json.loads(record.readline(MAX_ENVELOPE_BYTES))
    except RecursionError:
        raise ValueError("its envelope is nested too deeply") from None
    version = envelope.get("v") if isinstance(envelope, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise NewerRecord(f"a spool record of version {version}; this is version {VERSION}")
    size = envelope.get("size") if version == VERSION else None
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"not a spool record of version {VERSION}")
    return envelope


def _too_much():
    """The limit that has been reached; empty if none has."""
    size = 0
    for records, found in enumerate(_sizes([folder("new"), folder("open")]), start=1):
        size += found
        if records >= MAX_WAITING:
            return f"{MAX_WAITING} events wait"
        if size >= MAX_BYTES:
            return f"{MAX_BYTES >> 20} MB wait"
    return ""


def _sizes(folders):
    """The size of each file in these folders and below; files that move meanwhile may be missed."""
    while folders:
        try:
            entries = os.scandir(folders.pop())
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        yield entry.stat(follow_symlinks=False).st_size
                except FileNotFoundError:
                    pass


def _mark_full(why):
    paths.replace_file(folder("full"), f"{why}\n".encode("ascii"))
