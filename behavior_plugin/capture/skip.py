"""The file `skip`: the pauses and excluded projects that hooks must not notice. It exists only while there are some.

A hook looks whether it is there, and reads it, and its own payload, only if it is. The worker and the commands make it
from the record of the pauses and from the settings (`exclude/`); a hook adds the folder of a project whose
.behaviorignore excludes all of it, because the hooks of calls do not look for that file.
"""

import os
import time

from behavior_plugin.capture import context, globs, ignore_file, paths

NAME = "skip"
MAX_BYTES = 1024 * 1024
MAX_ROOTS = 1_000
MAX_ROOTS_BYTES = MAX_BYTES // 2
PAUSED, EXCLUDED = "paused", "excluded"
EVERYWHERE, PROJECT, SESSION = "everywhere", "project", "session"


def read():
    """The content: `pauses`, `exclude_projects` and `roots`. Raises OSError or ValueError."""
    import json

    try:
        with open(paths.in_data(NAME), "rb", opener=paths.open_carefully) as source:
            found = json.loads(source.read(MAX_BYTES))
    except FileNotFoundError:
        found = {}
    return {name: found.get(name, []) for name in ("pauses", "exclude_projects", "roots")}


def write(found):
    """Replace the content; without any, delete the file. Call it with the lock. Raises OSError."""
    import json

    file = paths.in_data(NAME)
    if any(found.values()):
        paths.replace_file(file, json.dumps(found).encode("ascii"))
        return
    try:
        os.unlink(file)
    except FileNotFoundError:
        pass


class Lock:
    """Held while the file is read and written. Raises OSError."""

    def __enter__(self):
        import fcntl

        paths.make_private(paths.data_folder())
        self._file = paths.open_carefully(paths.in_data(f"{NAME}.lock"), os.O_RDWR | os.O_CREAT)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        os.close(self._file)


def add_root(root):
    """Add the folder of a project that excludes itself. Raises OSError or ValueError."""
    import json

    with Lock():
        found = read()
        roots = [*found["roots"], root]
        # A file that is too long is not read, and then nothing of any project would be kept.
        if root not in found["roots"] and len(roots) <= MAX_ROOTS and len(json.dumps(roots)) <= MAX_ROOTS_BYTES:
            write({**found, "roots": roots})


def why(payload):
    """Why nothing of this event may be kept, and the pause, if there is one: PAUSED, EXCLUDED or empty.

    Raises OSError or ValueError if the file cannot be read: then nothing is known, and nothing may be kept.
    """
    found = read()
    fields = _fields(payload)
    session = fields.get("session_id")
    # The project that the session was started in counts too, wherever its shell has gone.
    folders = {fields.get("cwd") or os.getcwd(), os.environ.get("CLAUDE_PROJECT_DIR", "")}
    places = [place for place in map(_describe, folders) if place]
    for pause in found["pauses"]:
        if is_running(pause, time.time()) and is_meant(pause, session, places):
            return PAUSED, pause
    is_out = any(is_excluded(place, found["exclude_projects"]) for place in places)
    return (EXCLUDED if is_out else ""), None


def end_of(pause):
    """The time at which a pause ends, or the command that ends it."""
    if pause["until"]:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(pause["until"]))
    options = {EVERYWHERE: " --everywhere", SESSION: f" --session {pause['name']}"}
    return f"`behavior resume{options.get(pause['scope'], '')}`"


def is_running(pause, now):
    """Whether a pause has not ended yet; `now` is in seconds."""
    return pause["until"] is None or now < pause["until"]


def is_meant(pause, session, places):
    """Whether a pause is about this session, or about one of these places, as `context.describe` has them."""
    scope, name = pause["scope"], pause["name"]
    if scope == PROJECT:
        return any(place.get("project") == name for place in places)
    # A payload that cannot be read may be of any session.
    return scope == EVERYWHERE or (scope == SESSION and session in (None, name))


def is_excluded(place, patterns):
    """Whether a place is in an excluded project: by one of these globs, or by its own .behaviorignore."""
    return any(is_named(place, pattern) for pattern in patterns) or (
        bool(place.get("root")) and ignore_file.excludes_project(place["root"])
    )


def is_named(place, pattern):
    """Whether a glob of the settings names a place: by a folder if it begins with `/` or `~`, else by the project."""
    if pattern.startswith(("/", "~")):
        named = {place.get(name, "") for name in ("directory", "root", "project")}
        return any(globs.matches_folder(pattern, each) for each in named if each.startswith("/"))
    return globs.matches_end(pattern, place.get("project", ""))


def _fields(payload):
    import json

    try:
        fields = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _describe(folder):
    return context.describe(folder) if isinstance(folder, str) else {}
