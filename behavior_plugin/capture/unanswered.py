"""Count the prompts that got no answer in time, which the user cannot see otherwise.

The file has a line for each, the time and the reason, and nothing of the prompt. Deleting it starts the count anew.
"""

import os
import time

from behavior_plugin.capture import paths, spool

NAME = "unanswered"
# Of a time, as long as anybody lives. A line that was cut off runs into the next one, whose time is then the end.
DIGITS = 10


def count(reason):
    """Count one prompt. Never raises."""
    try:
        spool.count(NAME, b"%d %s\n" % (time.time(), reason.encode("ascii", "replace")))
    except Exception:  # the prompt matters more than its count
        pass


def read():
    """How many prompts got no answer in time, when the first and the last (in seconds), and the reason for the last.

    None if there were none. The number is a lower bound, and the reason may be an older one: the file stops growing at
    `spool.MAX_COUNT_BYTES`.
    """
    try:
        with open(paths.in_data(NAME), "rb", opener=paths.open_carefully) as record:
            lines = record.read(2 * spool.MAX_COUNT_BYTES).decode("ascii", "replace").splitlines()
            last = os.fstat(record.fileno()).st_mtime
    except (OSError, ValueError):
        return None
    found = [
        (int(at[-DIGITS:]), why if why.isprintable() else "")
        for at, _, why in (line.partition(" ") for line in lines)
        if at.isdigit()
    ]
    return (len(found), found[0][0], last, found[-1][1]) if found else None
