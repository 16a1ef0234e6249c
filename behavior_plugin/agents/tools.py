"""Give an agent's tools our names, so that a workflow reads the same whichever agent did it.

Each agent's module has the table of its own names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from behavior_plugin.agents.fields import parse_object

# By an agent's name for a tool: our name, and our names for its parameters.
ToolNames: TypeAlias = Mapping[str, tuple[str, Mapping[str, str]]]

# Only this much of a patch is searched for file names.
MAX_PATCH_CHARS = 1_000_000
MAX_FILES = 500
_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.{1,4000})$", re.MULTILINE)


def normalize_tool(tool: str, parameters: Mapping[str, Any], words: ToolNames) -> tuple[str, dict[str, Any]]:
    """A tool and its parameters under our names; names that `words` does not have stay as they are."""
    name, renamed = words.get(tool, (tool, {}))
    return name, {renamed.get(key, key): value for key, value in parameters.items()}


def normalize_patch(patch: str) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """A patch as an edit of the first file that it names, and all files that it names."""
    files = patched_files(patch)
    return "Edit", {"file_path": files[0]} if files else {}, files


def patched_files(patch: str) -> tuple[str, ...]:
    """The files that a patch adds, changes, moves or deletes, as it names them."""
    named = (match[1].strip() for match in _PATCHED.finditer(patch[:MAX_PATCH_CHARS]))
    return tuple(dict.fromkeys(file for file in named if file))[:MAX_FILES]


def arguments(value: Any) -> dict[str, Any]:
    """The arguments of a call, which are an object or the JSON text of one."""
    if isinstance(value, str):
        return parse_object(value)
    return value if isinstance(value, dict) else {}
