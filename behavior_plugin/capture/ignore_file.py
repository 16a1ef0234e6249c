"""Read the .behaviorignore of a project: globs of files that nothing is learned from.

A repository's author writes it, so it can exclude and nothing else, and it is bounded. A file beyond the bounds, or one
that cannot be read, excludes the whole project: learning from what somebody meant to exclude would be worse.
"""

import errno
import os
import stat

from behavior_plugin.capture import paths

NAME = ".behaviorignore"
MAX_BYTES = 16 * 1024
MAX_LINES = 200
MAX_LINE_CHARS = 200
WHOLE_PROJECT = ("*",)


def read(root):
    """The lines of the file in a project's top folder; none if there is no such file."""
    try:
        source = paths.open_carefully(os.path.join(root, NAME), os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return ()
    except OSError as error:  # a link, or a file that only others may read; but no path is longer than paths may be
        return () if error.errno == errno.ENAMETOOLONG else WHOLE_PROJECT
    try:
        content = os.read(source, MAX_BYTES + 1) if stat.S_ISREG(os.fstat(source).st_mode) else None
    except OSError:
        return WHOLE_PROJECT
    finally:
        os.close(source)
    if content is None or len(content) > MAX_BYTES:
        return WHOLE_PROJECT
    lines = os.fsdecode(content).splitlines()
    is_bounded = len(lines) <= MAX_LINES and all(len(line) <= MAX_LINE_CHARS for line in lines)
    return tuple(lines) if is_bounded else WHOLE_PROJECT


def excludes_project(root):
    """Whether the file excludes the whole project."""
    lines = read(root)
    if not lines:
        return False
    from behavior_plugin.capture import globs

    return any(globs.is_everything(line) for line in lines)
