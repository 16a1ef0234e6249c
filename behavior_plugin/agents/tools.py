"""Call tools what they are called here, so that a workflow reads the same whichever agent did it.

What an agent calls its tools stands in the module that knows the agent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

from behavior_plugin.agents.fields import parse_object

# By an agent's name for a tool: ours, and our names for its parameters.
ToolNames: TypeAlias = Mapping[str, tuple[str, Mapping[str, str]]]

# Of a patch so much is read, in characters, for the files that it is for.
MAX_PATCH_CHARS = 1_000_000
MAX_FILES = 500
_PATCHED = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.{1,4000})$", re.MULTILINE)


def normalize_tool(tool: str, parameters: Mapping[str, Any], words: ToolNames) -> tuple[str, dict[str, Any]]:
    """A tool's name and its parameters; those that `words` does not have stay as they are."""
    name, renamed = words.get(tool, (tool, {}))
    return name, {renamed.get(key, key): value for key, value in parameters.items()}


def normalize_patch(patch: str) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """A patch is an edit of the first file it names; all that it names come with it."""
    files = patched_files(patch)
    return "Edit", {"file_path": files[0]} if files else {}, files


def patched_files(patch: str) -> tuple[str, ...]:
    """The files that a patch adds, changes, moves or deletes, as it names them."""
    named = (match[1].strip() for match in _PATCHED.finditer(patch[:MAX_PATCH_CHARS]))
    return tuple(dict.fromkeys(file for file in named if file))[:MAX_FILES]


def arguments(value: Any) -> dict[str, Any]:
    """What a call was given, where it may be an object or the JSON text of one."""
    if isinstance(value, str):
        return parse_object(value)
    return value if isinstance(value, dict) else {}
