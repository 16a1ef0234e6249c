"""Refuse links in the data folder, in words.

Each file there is opened without following links as well. This check says so before the worker starts, and commands
and each round of the worker repeat it: a folder that became a link would have us delete files in another place.
"""

from __future__ import annotations

from behavior_plugin.capture import paths
from behavior_plugin.errors import LinkError


def refuse_links() -> None:
    """Check that nothing of ours in the data folder is a link.

    Raises:
        LinkError: something is; the message names it.
    """
    if found := paths.planted_links():
        verb = "is a link" if len(found) == 1 else "are links"
        raise LinkError(f"{', '.join(found)} {verb}, and links in the data folder are not followed.")
