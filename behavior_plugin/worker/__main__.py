"""The door that wake.py opens: `python -I .../worker/__main__.py`, with the code that lies beside the hooks."""

import sys
from pathlib import Path

# Isolated Python does not look beside the script, and an installed copy of another version must not be taken.
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from behavior_plugin.worker.main import main

sys.exit(main())
