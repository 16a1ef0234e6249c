"""Run our hooks in Claude Code: its settings file, and the task notifications among its prompts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from behavior_plugin.agents import payload
from behavior_plugin.agents.agent import EventFields, Hooks
from behavior_plugin.agents.claude_code.notifications import parse_task_notification
from behavior_plugin.agents.settings_file import Json
from behavior_plugin.model import EventKind


def settings_file() -> Path:
    """The settings file of this user's Claude Code."""
    folder = os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude"
    return Path(folder).absolute() / "settings.json"


def _notes(settings: Json) -> Iterator[str]:
    plugins = settings.get("enabledPlugins")
    plugins = plugins if isinstance(plugins, dict) else {}
    if any(is_on and name.startswith("behavior@") for name, is_on in plugins.items()):
        yield "The plugin is enabled in the same settings, so each hook runs twice; one of the two is enough."
    if settings.get("disableAllHooks") is True:
        yield "These settings say disableAllHooks: no hook runs."


def _read_input(fields: dict[str, Any]) -> EventFields:
    """A notification that background work has ended arrives where a prompt does."""
    end = parse_task_notification(str(fields.get("prompt") or ""))
    return {"kind": EventKind.CALL_END, "call_end": end} if end else payload.read_input(fields)


HOOKS = Hooks(
    settings_file=settings_file,
    adapt=lambda hooks: hooks,
    notes=_notes,
    read_input=_read_input,
    read_call=payload.read_call,
    has_one_session_per_process=True,
    has_messages=True,
)
