"""The entry point of all hooks: `python3 -I -S hook.py EVENT [AGENT] [again]`, with the payload on standard input.

run.sh starts it, behavior_plugin/capture does the work. The exit status is always 0.
"""

import os
import sys

try:
    # First, so that imports search no other folder before; no module here has a name of the standard library.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from behavior_plugin.capture import handlers

    handlers.main(*sys.argv[1:])
except BaseException as error:  # even a half deleted plugin must not disturb the session
    try:
        os.write(2, b"behavior: event not recorded: %s\n" % type(error).__name__.encode())
    except OSError:
        pass
# Not sys.exit: flushing a closed standard output at the interpreter's end would turn 0 into 120.
os._exit(0)
