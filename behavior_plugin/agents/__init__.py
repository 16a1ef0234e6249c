"""The agents whose work is learned from: one module or folder each, and the only list of them.

docs/agents.md says how to add one.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from behavior_plugin.agents import claude_code, codex, copilot, gemini, opencode, payload, pi
from behavior_plugin.agents.agent import Agent, Hooks, Logs
from behavior_plugin.agents.log_file import HEAD_BYTES, LogReader, open_own
from behavior_plugin.model import Event

__all__ = [
    "AGENTS",
    "Agent",
    "Hooks",
    "Logs",
    "agent_of_log",
    "hooks_of",
    "read_header",
    "read_live_log",
    "read_record",
]

log = logging.getLogger(__name__)

# By name; the first is the one that the plugin is made for.
AGENTS: dict[str, Agent] = {
    agent.name: agent
    for agent in (claude_code.AGENT, codex.AGENT, copilot.AGENT, gemini.AGENT, opencode.AGENT, pi.AGENT)
}


def agent_of_log(file: Path, among: Collection[Agent] = AGENTS.values()) -> Agent | None:
    """The agent whose log a file is; None if it is a log of none of these.

    Raises:
        OSError: the file cannot be read.
    """
    head = LogReader().head(file, HEAD_BYTES)
    return next((agent for agent in among if agent.logs.is_log(file, head)), None)


def hooks_of(name: str) -> Hooks | None:
    """The hooks of an agent; None if it has none, or is unknown."""
    agent = AGENTS.get(name)
    return agent.hooks if agent else None


def read_header(envelope: dict[str, Any], raw: bytes) -> payload.EventHeader:
    """The header of the event that a hook saved in the spool, for filing it.

    Raises:
        payload.UnreadableError: the payload is not a JSON object, or names no session.
    """
    return payload.read_header(envelope, raw)


def read_record(envelope: dict[str, Any], raw: bytes) -> Event:
    """The event that a hook saved in the spool: its envelope and the agent's payload.

    Raises:
        payload.UnreadableError: the payload is not a JSON object, or names no session.
    """
    return payload.read_event(envelope, raw, hooks_of(payload.agent_name(envelope)))


def read_live_log(reported: Sequence[Event]) -> list[Event]:
    """The events of the log that a session's hook events name, and of its subagents' logs; none where it is not read.

    A payload names the file, so it is opened with care.
    """
    agent = AGENTS.get(reported[0].agent) if reported else None
    if agent is None or agent.logs.read_live is None:
        return []
    reader = LogReader(opener=open_own)
    try:
        events = agent.logs.read_live(reported, reader)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:  # a path may hold a NUL
        log.warning("a session's log was not read: %s", error.strerror if isinstance(error, OSError) else "no path")
        return []
    for problem in reader.problems:
        if problem.line == 0:
            log.warning("a subagent's log was not read: %s", problem.reason)
    return events
