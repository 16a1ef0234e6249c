"""`behavior uninstall --data`: delete the data folder, and our files elsewhere."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from behavior_plugin.capture import paths
from behavior_plugin.model import CLAUDE_CODE
from behavior_plugin.worker.lifecycle import worker_stopped

# Their names in the manifests.
PLUGIN, MARKETPLACE = "behavior", "behavior-plugin"
# All that we ever make in the data folder. Whatever else is there is the user's: a home may have been named.
# The lock is the last of them: it keeps a worker from starting.
OURS = ("run", "python3", *paths.NAMES)


def data_of_ours() -> list[Path]:
    """The files and folders of ours that are there, in the order in which they are to be deleted."""
    found = [_elsewhere(), _unused_copy(), *(Path(paths.in_data(name)) for name in OURS)]
    return [path for path in found if path and os.path.lexists(path)]


def delete_data() -> list[Path]:
    """Delete them while no worker can start; returns the files left in the data folder, which are not ours.

    Raises:
        WorkerError: another command works on the data.
        OSError: something cannot be deleted; do it again.
    """
    folder = Path(paths.data_folder())
    paths.make_private(str(folder))  # the lock is in there
    with worker_stopped():
        for path in data_of_ours():
            _delete(path)
    with suppress(OSError):
        folder.rmdir()
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _delete(path: Path) -> None:
    if path.is_symlink() or not path.is_dir():
        if path.name == "run":  # a link to a short folder in the temporary one
            shutil.rmtree(paths.run_folder(), ignore_errors=True)
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path)


def _elsewhere() -> Path | None:
    """The folder of an embedded server that runs as another account, since we are root."""
    from behavior_plugin.store.embedded.account import place_elsewhere

    return place_elsewhere(Path(paths.in_data("postgres"))) if os.geteuid() == 0 else None


def _unused_copy() -> Path | None:
    """The copy of the plugin that Claude Code makes when it installs it, and leaves when it uninstalls it."""
    from behavior_plugin.agents.install import agent_settings_file

    folder = agent_settings_file(CLAUDE_CODE).parent / "plugins"
    with suppress(FileNotFoundError):
        if f"{PLUGIN}@{MARKETPLACE}".encode() in (folder / "installed_plugins.json").read_bytes():
            return None
    return folder / "cache" / MARKETPLACE
