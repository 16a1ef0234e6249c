"""The door the client knocks on: `python3 -I -S hook.py EVENT [AGENT] [again]`, the payload on standard input.

What is done then is in behavior_plugin/capture. Whatever happens, the exit status is 0.
"""

import os
import sys

try:
    # First, so that nothing is looked for in vain; there is nothing here that has a name of Python's own.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    from behavior_plugin.capture import handlers

    handlers.main(*sys.argv[1:])
except BaseException as error:  # a half deleted plugin must not disturb the session either
    try:
        os.write(2, b"behavior: event not recorded: %s\n" % type(error).__name__.encode())
    except OSError:
        pass
# Not sys.exit: flushing a closed standard output at the interpreter's end would turn 0 into 120.
os._exit(0)
