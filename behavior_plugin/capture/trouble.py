"""The worst problem of the worker, in one line: the worker writes it, and a session's start shows it.

A file and not a request: most sessions start before the worker does, and then only the last worker can report.
"""

import os

from behavior_plugin.capture import paths

NAME = "trouble"
MAX_BYTES = 500


def read():
    """The problem that a worker found last; empty if there was none."""
    try:
        source = paths.open_carefully(paths.in_data(NAME), os.O_RDONLY)
    except (OSError, ValueError):
        return ""
    try:
        text = os.read(source, MAX_BYTES).decode("utf-8", "replace")
        return "".join([each if each.isprintable() else " " for each in text]).strip()
    except OSError:
        return ""
    finally:
        os.close(source)


def write(text):
    """For the worker: replace the line, or remove it if nothing is wrong. Raises OSError."""
    file = paths.in_data(NAME)
    if not text:
        try:
            os.unlink(file)
        except FileNotFoundError:
            pass
        return
    paths.replace_file(file, text.encode("utf-8", "replace")[:MAX_BYTES])
