"""Run the worker: `python -I .../worker/__main__.py`, as wake.py does, with the code that lies beside the hooks.

Heavy modules are imported only by the one that has the lock: of ten that are started at once nine leave cheaply.
"""

import os
import sys
from pathlib import Path

# The products are small: a second thread would wait for the core that the hook runs on.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
# Isolated Python does not look beside the script, and an installed copy of another version must not be taken.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from behavior_plugin.errors import BehaviorError
from behavior_plugin.worker import RESTART
from behavior_plugin.worker.lifecycle import acquire_worker_lock


def run() -> int:
    try:
        with acquire_worker_lock() as holds_lock:
            if holds_lock is None:
                return 0
            from behavior_plugin.worker.main import main

            return main(holds_lock)
    except BehaviorError as error:  # there is no lock to hold, and no log: the next session's start shows it
        from behavior_plugin.worker.troubles import save_trouble

        save_trouble(f"the worker cannot run: {error}")
        return 1


code = run()
if code == RESTART and Path(__file__).exists():
    os.execv(sys.executable, [sys.executable, "-I", __file__])  # noqa: S606
sys.exit(max(code, 0))
