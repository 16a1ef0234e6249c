"""Maintain the link to the Python that runs the hooks.

A version manager's `python3` costs more than the hook itself, and the link leads past it. hooks/run.sh tries the link
first, and the `python3` of the PATH if the link is missing or broken. At a session's start the Python that runs knows
its real path and renews the link. So the link needs no set-up, and repairs itself.
"""

import os
import sys

from behavior_plugin.capture import paths

NAME = "python3"


def refresh():
    """Point the link at the running Python. Never raises: without the link the hooks are only slower."""
    try:
        _write_link(_folder(), _real_python())
    except (OSError, ValueError):
        pass


def _folder():
    """The folder in which run.sh looks: the plugin's own data folder, or ours for hooks in settings."""
    folder = os.environ.get("CLAUDE_PLUGIN_DATA", "")
    if folder and not os.path.isabs(folder):
        raise ValueError("a relative folder is not used")
    return folder or paths.data_folder()


def _real_python():
    """The executable behind links and virtual environments, which may be deleted with their project."""
    for python in (getattr(sys, "_base_executable", None), sys.executable):
        real = os.path.realpath(python) if python and os.path.isabs(python) else ""
        if _is_executable(real):
            return real
    raise ValueError("Python does not know its own path")


def _write_link(folder, python):
    link = os.path.join(folder, NAME)
    if os.path.realpath(link) == python:
        return
    if os.path.lexists(link) and not os.path.islink(link):
        return  # not ours
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
