"""Locate our files: hook, worker and terminal share these functions.

data_folder()/              0700; BEHAVIOR_HOME, else the platform's per-user data folder
    spool/{tmp,new,open,dead,tries}   events on their way to the evidence; while `full` exists, new ones are refused
    run/                    the sockets; a link to a short folder if the path is too long for a socket
    postgres/               the embedded server's data, password and log
    interpreter             the Python that runs the worker
    python3                 a link to the Python that runs the hooks in settings
    decisions.jsonl         the last prompts, and why each got a note or none
    lost, unanswered        events that could not be saved, prompts that got no answer in time: a line for each
    trouble                 the worst problem of the worker, if it has one
    pauses, skip            all pauses; what hooks must not notice now, if there is anything
    embedders.json          the models used last, and those whose vectors are being replaced
    config.toml, worker.lock, skip.lock, worker.log

A relative BEHAVIOR_HOME would name another folder in each directory. And an agent applies the `env` of a project's
settings to its hooks, so a folder inside the project is the project's choice: our files would lie in its repository.
Commands refuse both; a hook, which must not fail, ignores them, as the XDG specification asks for a relative
XDG_DATA_HOME.
"""

import os
import sys

# A Unix socket's path has 104 bytes on macOS, 108 on Linux; "/.s.PGSQL.5432.lock" must fit behind the folder.
MAX_RUN_FOLDER_CHARS = 80
# All that we make in the data folder and in two folders of it, and never as a link; but `python3` is one, `run` may be.
NAMES = (
    *("spool", "postgres", "backups", "interpreter", "config.toml", "embedders.json", "decisions.jsonl"),
    *("lost", "unanswered", "trouble", "pauses", "skip", "skip.lock", "worker.log", "worker.log.1", "worker.lock"),
)
SPOOL_NAMES = ("tmp", "new", "open", "dead", "tries")
POSTGRES_NAMES = ("data", "password", "server.log", "server.log.1")
# The short folder of the sockets in the temporary folder: its name has eight more characters.
SHORT_PREFIX, SHORT_CHARS = "behavior-", 17
# What is in the folder of the sockets.
RUN_NAMES = ("worker.sock", "starting", "replacing", ".s.PGSQL.5432", ".s.PGSQL.5432.lock")
# The variables that the data folder depends on, and the folder that was found for them. A process decides once: a child
# that has left the project's folder must not judge otherwise.
_VARIABLES = ("BEHAVIOR_HOME", "XDG_DATA_HOME", "HOME", "CLAUDE_PROJECT_DIR")
_decided = {}  # type: dict[tuple[str | None, ...], str]


def data_folder():
    """The absolute path of the folder with all our data. It need not exist yet."""
    known = tuple([os.environ.get(name) for name in _VARIABLES])
    if known not in _decided:
        _decided[known] = _decide()
    return _decided[known]


def home():
    """The user's home: HOME, unless a project has set it to a folder of its own; else the home of record."""
    chosen = os.environ.get("HOME", "")
    return chosen if os.path.isabs(chosen) and not _is_in_repository(chosen) else _home_of_record()


def misplaced():
    """Why the folder that BEHAVIOR_HOME, XDG_DATA_HOME or HOME names is not used; empty if it is."""
    chosen = _chosen()
    if chosen and not os.path.isabs(chosen):
        return "BEHAVIOR_HOME is not an absolute path"
    if (os.path.normpath(chosen) if chosen else _user_data_folder()) == data_folder():
        return ""
    name = "BEHAVIOR_HOME" if chosen else "the data folder that XDG_DATA_HOME or HOME names"
    return f"{name} lies in a project and is not used"


def project_around(path):
    """The folder of the session's project in which a path lies, as its real path; None if it lies elsewhere.

    That is the working directory, CLAUDE_PROJECT_DIR, or the work tree of either.
    """
    real = os.path.realpath(path)
    for place in _session_folders():
        shared = os.path.commonpath((real, place))
        around = shared if shared == place else _work_tree(shared)
        if around and not _is_the_users(around):
            return around
    return None


def _session_folders():
    """The real paths of the working directory and of CLAUDE_PROJECT_DIR."""
    found = []
    try:
        found.append(os.getcwd())
    except OSError:  # it was deleted
        pass
    chosen = os.environ.get("CLAUDE_PROJECT_DIR", "")
    if os.path.isabs(chosen) and chosen not in found:
        found.append(os.path.realpath(chosen))
    return found


def _decide():
    chosen = _chosen()
    for folder in (os.path.normpath(chosen) if os.path.isabs(chosen) else "", _user_data_folder()):
        if folder and not _is_in_repository(folder):
            return folder
    return _in_home(_home_of_record())


def _is_in_repository(folder):
    """Whether a folder lies in a project. In /proc are names for the folder that one happens to work in."""
    real = os.path.realpath(folder)
    if folder.startswith("/proc/") or real.startswith("/proc/"):
        return True
    around = [place for place in _session_folders() if os.path.commonpath((real, place)) == place]
    return any(place and not _is_the_users(place) for place in (_work_tree(real), *around))


def _work_tree(folder):
    """The nearest folder at or above this one that has a `.git`; None if there is none."""
    while True:
        if os.path.lexists(os.path.join(folder, ".git")):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above


def _is_the_users(place):
    """Whether a folder that a session works in is the user's own, and no project: the home, or one around it.

    The home may be a repository. Where HOME is set, as in a container, to another one than that of record, it must not:
    a project could set it too.
    """
    try:
        if os.path.commonpath((place, os.path.realpath(_home_of_record()))) == place:
            return True
    except OSError:
        if place == "/":
            return True
    is_home = place == os.path.realpath(os.environ.get("HOME", "") or "/")
    return is_home and not os.path.lexists(os.path.join(place, ".git"))


def _chosen():
    return os.path.expanduser(os.environ.get("BEHAVIOR_HOME", ""))


def _user_data_folder():
    chosen, home_set = os.environ.get("XDG_DATA_HOME", ""), os.environ.get("HOME", "")
    if sys.platform != "darwin" and os.path.isabs(chosen):
        return os.path.join(chosen, "behavior-plugin")
    return _in_home(home_set if os.path.isabs(home_set) else _home_of_record())


def _in_home(home_folder):
    usual = ("Library", "Application Support") if sys.platform == "darwin" else (".local", "share")
    return os.path.join(home_folder, *usual, "behavior-plugin")


def _home_of_record():
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        raise OSError(6, "HOME is not set, and this user has no home of record") from None


def in_data(*names):
    """A path inside the data folder."""
    return os.path.join(data_folder(), *names)


def run_folder():
    """The folder of the sockets: `run`, or the target of that link (see `make_run_folder`)."""
    folder = in_data("run")
    return folder if _is_short_enough(folder) else _linked_run_folder(folder) or folder


def planted_links():
    """The paths in the data folder that are links and should not be.

    Whoever planted one has chosen the files that we would write to, or delete.
    """
    ours = [in_data(name) for name in NAMES]
    ours += [in_data("spool", name) for name in SPOOL_NAMES] + [in_data("postgres", name) for name in POSTGRES_NAMES]
    run = in_data("run")
    is_planted = os.path.islink(run) and (_is_short_enough(run) or not _linked_run_folder(run))
    return [path for path in ours if os.path.islink(path)] + ([run] if is_planted else [])


def worker_socket():
    return os.path.join(run_folder(), "worker.sock")


def open_carefully(path, flags):
    """For open(opener=...): refuses links, and does not wait for the writer of a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def replace_file(path, content):
    """Write a private file by one rename, so that no reader sees half of it. Links are not followed. Raises OSError."""
    fresh = f"{path}.new"
    try:
        os.unlink(fresh)  # that of a writer that was killed, or a link
    except FileNotFoundError:
        pass
    write_new_file(fresh, content)
    os.rename(fresh, path)


def write_new_file(path, content):
    """Write a private file that does not exist yet. Raises OSError, FileExistsError also where a link has the name."""
    target = open_carefully(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        os.fchmod(target, 0o600)
        view = memoryview(content)
        while view:
            view = view[os.write(target, view) :]
    finally:
        os.close(target)


def make_private(folder):
    """Make a folder with mode 0700, whatever the umask.

    Raises OSError if it is a link or another user's: a folder that somebody else prepared is not safe for our files.
    """
    _make_folders(folder)
    found = os.lstat(folder)
    if (found.st_mode & 0o170000) != 0o040000:
        raise NotADirectoryError(20, "not a folder of ours", folder)
    if found.st_uid != os.geteuid():
        raise PermissionError(1, "belongs to another user", folder)
    if found.st_mode & 0o077:
        os.chmod(folder, 0o700)
    return folder


def _make_folders(folder):
    """Make a folder and those above it, all with mode 0700: os.makedirs gives its mode to the last one only."""
    if os.path.isdir(folder):
        return
    _make_folders(os.path.dirname(folder))
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass


def make_run_folder():
    """Make the folder of the sockets, unless it exists, and return its path.

    If the data folder's path is too long for a socket, it is in the temporary folder, and `run` is a link to it.
    """
    make_private(data_folder())
    folder = in_data("run")
    if _is_short_enough(folder):
        return make_private(folder)
    try:
        return make_private(_linked_run_folder(folder))
    except (OSError, TypeError):
        return _make_short_run_folder(folder)


def leave_short_run_folder():
    """Leave nothing in the temporary folder; the next start makes it again. Only our own files are deleted."""
    link = in_data("run")
    short = None if _is_short_enough(link) else _linked_run_folder(link)
    if short is None:
        return
    try:
        os.unlink(link)  # first: a name that leads nowhere could be taken by somebody else
        for name in os.listdir(make_private(short)):
            if name in RUN_NAMES:
                os.unlink(os.path.join(short, name))
        os.rmdir(short)
    except OSError:  # somebody else's file keeps it there
        pass


def _is_short_enough(folder):
    return len(os.fsencode(folder)) <= MAX_RUN_FOLDER_CHARS


def _linked_run_folder(link):
    """The target of the link `run`, if it looks like a folder that `make_run_folder` made; else None."""
    try:
        target = os.readlink(link)
    except OSError:
        return None
    name = os.path.basename(target)
    is_ours = os.path.isabs(target) and name.startswith(SHORT_PREFIX) and len(name) == SHORT_CHARS
    return target if is_ours else None


def _make_short_run_folder(link):
    """Make a short folder and link to it. Of several processes the first wins, and all use its folder.

    A link to a folder that is missing, or another user's by now, is replaced.
    """
    import tempfile

    # Not by TMPDIR, which a project may have set.
    short = tempfile.mkdtemp(prefix=SHORT_PREFIX, dir="/tmp")
    try:
        os.symlink(short, link)
    except FileExistsError:
        try:
            made = make_private(_linked_run_folder(link))
        except (OSError, TypeError):
            fresh = f"{link}.{os.getpid()}"
            os.symlink(short, fresh)
            os.rename(fresh, link)
        else:
            os.rmdir(short)
            return made
    return short
