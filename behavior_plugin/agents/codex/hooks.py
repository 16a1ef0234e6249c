"""Run our hooks in Codex: its hooks file, its events, and the facts that its payloads lack.

Codex registers hooks like Claude Code, with a few differences: it has fewer events, it gives a hook neither the
plugin's folder nor its own process id, and it asks the user before it runs a new hook.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from behavior_plugin.agents import payload
from behavior_plugin.agents.agent import EventFields, Hooks
from behavior_plugin.agents.calls import bounded_parameters
from behavior_plugin.agents.codex.tools import normalize_call, parse_output
from behavior_plugin.agents.fields import get_dict, get_str
from behavior_plugin.agents.settings_file import Json
from behavior_plugin.agents.verdict import call_verdict
from behavior_plugin.model import Action, Outcome

CODEX = "codex"
EVENTS = ("SessionStart", "UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd")
# Codex warns of a longer timeout at every start.
MAX_SESSION_END_S = 3
# The shell that runs a hook is a child of Codex. A session counts as over when its agent's process is gone.
_EXPORT_PID = "export CLAUDE_PID=$PPID; "
NOTE = (
    "Codex runs them once you trust them: it asks at its next start, and again after they have changed. "
    "`codex exec` does not ask, and runs none before that."
)


def settings_file() -> Path:
    """The file in which this user's Codex registers hooks."""
    folder = os.environ.get("CODEX_HOME") or Path.home() / ".codex"
    return Path(folder).absolute() / "hooks.json"


def adapt(hooks: Json) -> Json:
    """The plugin's hooks as Codex needs them."""
    return {event: [_group(event, group) for group in hooks[event]] for event in EVENTS}


def _group(event: str, group: Json) -> Json:
    return {**group, "hooks": [_entry(event, entry) for entry in group["hooks"]]}


def _entry(event: str, entry: Json) -> Json:
    timeout = min(entry["timeout"], MAX_SESSION_END_S) if event == "SessionEnd" else entry["timeout"]
    return {**entry, "command": _EXPORT_PID + entry["command"], "timeout": timeout}


def _read_call(name: str, fields: dict[str, Any], at: datetime) -> EventFields:
    """Hooks of Codex get no exit code of a command. Its rollout has it; until that is read, the outcome is open."""
    action: Action = payload.read_call(name, fields, at)["action"]
    directory = get_str(fields, "cwd") or ""
    call = normalize_call(action.tool, get_dict(fields, "tool_input"), directory=directory)
    output = parse_output(fields.get("tool_response"))
    outcome = Outcome.PARTIAL if output.exit_code is None else output.outcome
    changes = {
        "tool": call.tool,
        "parameters": bounded_parameters(call.parameters),
        "outcome": outcome,
        "verdict": call_verdict(call.tool, call.parameters, output.text),
    }
    return {
        "action": action.model_copy(update=changes),
        "files": call.files if outcome is Outcome.SUCCESS else (),
        "is_provisional": True,
    }


HOOKS = Hooks(
    settings_file=settings_file,
    adapt=adapt,
    notes=lambda _: (NOTE,),
    read_input=payload.read_input,
    read_call=_read_call,
)
