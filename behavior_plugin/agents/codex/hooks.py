"""How our hooks are registered with Codex: in which file, for which events, and in what they differ from the plugin's.

Codex has taken over Claude Code's way of registering hooks, but for a few things: it has fewer events, it tells no hook
where the plugin lies and which process it is itself, and it asks its user before it runs a hook that it does not know.
"""

from __future__ import annotations

import os
from pathlib import Path

from behavior_plugin.agents.settings_file import Json
from behavior_plugin.model import CODEX

EVENTS = ("SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd")
# It warns of more at every start.
LONGEST_END_S = 3
# The shell that runs a hook is a child of Codex. A session counts as over when its client is gone.
_TELL_PID = "export CLAUDE_PID=$PPID; "
NOTE = (
    "Codex runs them once you trust them: it asks at its next start, and again after they have changed. "
    "`codex exec` does not ask, and runs none before that."
)


def hooks_file() -> Path:
    """Where this user's Codex looks for hooks."""
    folder = os.environ.get("CODEX_HOME") or Path.home() / ".codex"
    return Path(folder).absolute() / "hooks.json"


def for_codex(hooks: Json) -> Json:
    """The plugin's hooks as Codex needs them."""
    return {event: [_group(event, group) for group in hooks[event]] for event in EVENTS}


def _group(event: str, group: Json) -> Json:
    return {**group, "hooks": [_entry(event, entry) for entry in group["hooks"]]}


def _entry(event: str, entry: Json) -> Json:
    command = _TELL_PID + entry["command"].replace(f" {event}", f" {event} {CODEX}")
    timeout = min(entry["timeout"], LONGEST_END_S) if event == "SessionEnd" else entry["timeout"]
    return {**entry, "command": command, "timeout": timeout}
