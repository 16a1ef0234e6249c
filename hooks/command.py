"""Run the command `behavior` with the interpreter that has its libraries; any Python can run this file."""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(ROOT)

from behavior_plugin.capture import wake  # noqa: E402

python = wake.interpreter()
if python is None:
    sys.exit("behavior: the plugin is not set up yet. Run `make setup` in " + ROOT)
os.execv(python, [python, "-I", os.path.join(ROOT, "behavior_plugin"), *sys.argv[1:]])
