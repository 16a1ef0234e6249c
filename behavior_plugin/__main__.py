"""`python -I .../behavior_plugin`: the command, run from the plugin's own folder."""

import sys
from pathlib import Path

# Isolated Python does not look beside the script.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from behavior_plugin.cli import main

main()
