"""The shortcut to the Python that runs the hooks: past a version manager's `python3`, which costs more than the hook.

The registered commands try a link of that name first, and what the PATH calls python3 where the link is missing or
leads to nothing that starts. By the second way Python itself tells, at a session's start, where it really lies, and the
link is made anew. So it needs no set-up, and mends itself.
"""

import os
import sys

from behavior_plugin.capture import paths

NAME = "python3"


def refresh():
    """Have the link lead to the Python that runs. Never raises: without it the hooks are only slower."""
    try:
        _keep(_folder(), _real_python())
    except (OSError, ValueError):
        pass


def _folder():
    """Where the commands look: in the plugin's own data folder, or in ours where they stand in settings."""
    folder = os.environ.get("CLAUDE_PLUGIN_DATA", "")
    if folder and not os.path.isabs(folder):
        raise ValueError("a folder that depends on the directory is not followed")
    return folder or paths.data_folder()


def _real_python():
    """The executable behind links and virtual environments: those of a project come and go with it."""
    for python in (getattr(sys, "_base_executable", None), sys.executable):
        real = os.path.realpath(python) if python and os.path.isabs(python) else ""
        if _is_executable(real):
            return real
    raise ValueError("Python does not know where it is")


def _keep(folder, python):
    link = os.path.join(folder, NAME)
    if os.path.realpath(link) == python:
        return
    if os.path.lexists(link) and not os.path.islink(link):
        return  # not of our making
    found = os.lstat(folder)
    if found.st_uid != os.geteuid() or found.st_mode & 0o002:
        return
    fresh = f"{link}.{os.getpid()}"
    os.symlink(python, fresh)
    try:
        os.rename(fresh, link)
    except OSError:
        os.unlink(fresh)
        raise


def _is_executable(path):
    return os.path.isfile(path) and os.access(path, os.X_OK)
