"""Refuse links in the data folder, in words.

Each file there is opened without following links as well. This check says so before the worker starts, and commands
and each round of the worker repeat it: a folder that became a link would have us delete files in another place.
"""

from __future__ import annotations

import os
from pathlib import Path

from behavior_plugin.capture import paths, spool
from behavior_plugin.errors import LinkError


def refuse_links() -> None:
    """Check that nothing of ours in the data folder is a link.

    Raises:
        LinkError: something is; the message names it.
    """
    if found := paths.planted_links():
        verb = "is a link" if len(found) == 1 else "are links"
        raise LinkError(f"{', '.join(found)} {verb}, and links in the data folder are not followed.")


def folder_of_spool(*names: str) -> Path:
    """A path in the spool, to write to or delete.

    Raises:
        LinkError: the spool, or the folder of it, has become a link since the last check.
    """
    for folder in (spool.folder(), spool.folder(*names[:1])):
        if os.path.islink(folder):  # noqa: PTH114 - asked for each record
            raise LinkError(f"{folder} is a link, and links in the data folder are not followed.")
    return Path(spool.folder(*names))
