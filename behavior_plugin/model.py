"""The words of the house, as types: events, actions, context, patterns, suggestions.

Everything here is frozen; a step that changes something returns a new value.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

# The agents whose hooks we hear; the first is the one that they are made for.
CLAUDE_CODE = "claude-code"
CODEX = "codex"
# Who acts in a session, besides the subagents, which have ids.
MAIN = "main"
USER = "user"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reports(_Frozen):
    """What the hooks of an agent can tell: how calls end; and, by their process, which session followed another."""

    tells_ends: bool = False
    has_one_session_a_process: bool = False


# Of an agent that is not here nothing is taken for granted.
_REPORTS = {
    CLAUDE_CODE: Reports(tells_ends=True, has_one_session_a_process=True),
    CODEX: Reports(),
}


def reports_of(client: str) -> Reports:
    """What the hooks of an agent can be relied on for; any name will do."""
    return _REPORTS.get(client, Reports())


class Outcome(StrEnum):
    """How a call, or a whole piece of work, ended."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"


class EventKind(StrEnum):
    """What a hook reported, in our words; what we have no word for is OTHER and is kept all the same."""

    SESSION_START = "session_start"
    PROMPT = "prompt"
    ACTION = "action"
    TURN_END = "turn_end"
    SESSION_END = "session_end"
    OTHER = "other"


class DurationSource(StrEnum):
    """Who says how long a call took."""

    # Measured by the client, without permission and hook time.
    HOST = "host"
    # From the transcript: what it says of a subagent, else the time between the records, which includes those.
    TRANSCRIPT = "transcript"


class Action(_Frozen):
    """One tool call.

    `id` is the client's own, and `timestamp` is when the call began. `duration_ms` is absent where nobody measured it,
    and so is `duration_source` then. `agent` is "main", "user" for a line of the user's own shell, or the id of the
    subagent that made the call; `started_agent` is the id of the subagent that this call started.
    """

    id: str | None = None
    tool: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    outcome: Outcome
    timestamp: AwareDatetime
    duration_ms: int | None = Field(default=None, ge=0)
    duration_source: DurationSource | None = None
    agent: str = MAIN
    started_agent: str | None = None
    error: str | None = None


class Context(_Frozen):
    """Where it happened.

    `project` names the repository, the same in all its subfolders, worktrees and clones: its remote, else the folder of
    its main worktree, else the directory. `root` is the top folder of the worktree; paths in `files_touched` are
    relative to it where they lie inside it. `commit` is there only where no branch is checked out.
    """

    directory: str = ""
    root: str = ""
    project: str = ""
    project_type: str | None = None
    branch: str | None = None
    commit: str | None = None
    files_touched: tuple[str, ...] = ()


class EventSource(StrEnum):
    """Who told us of an event."""

    HOOK = "hook"
    TRANSCRIPT = "transcript"


class Event(_Frozen):
    """One thing that happened in a session, as a hook reported it or as the client's transcript has it.

    `client` names the agent at work. `pid_space` is where `host_pid` has its meaning: in another container it is
    another process. `order` sorts the events of one source on one machine: for hooks monotonic nanoseconds since the
    machine was started, for a transcript the place in it. `reason` says how a session began (startup, resume, clear,
    compact, fork) or why it ended. `prompt_id` names the prompt that is being worked on; a prompt with the id of an
    earlier one was typed while that was worked on.
    """

    kind: EventKind
    name: str
    session_id: str
    machine: str
    at: AwareDatetime
    order: int
    source: EventSource = EventSource.HOOK
    client: str = CLAUDE_CODE
    host_pid: int | None = None
    pid_space: int | None = None
    transcript: str | None = None
    reason: str | None = None
    context: Context = Context()
    prompt: str | None = None
    prompt_id: str | None = None
    action: Action | None = None
    files: tuple[str, ...] = ()


class Provenance(_Frozen):
    """Where a pattern comes from: which agent, on which machine, noted how, and by which version of us.

    `follows` is the session that the same client had before: the one that was cleared, or forked.
    """

    agent: str = CLAUDE_CODE
    machine: str = ""
    source: str = "hooks"
    version: str = ""
    follows: str | None = None


class Pattern(_Frozen):
    """One piece of work: what set it off, where, what was done, and how it ended.

    `source_key` is the same for the same work however often it is delivered; the store keeps one row of it.
    """

    source_key: str
    trigger: str
    context: Context
    actions: tuple[Action, ...]
    final_outcome: Outcome
    confidence: float = Field(default=0.7, ge=0, le=1)
    started_at: AwareDatetime
    session_id: str
    provenance: Provenance = Provenance()


class StoredPattern(Pattern):
    """A pattern as the store returns it."""

    id: UUID
    use_count: int = Field(ge=0)
    last_used_at: AwareDatetime | None = None
    created_at: AwareDatetime


class Saved(StrEnum):
    """What became of a pattern that was saved: more may be known of the same work now, or no more than before."""

    NEW = "new"
    GROWN = "grown"
    KNOWN = "known"


class Match(_Frozen):
    """A stored pattern and how near its trigger is to what was asked: 0 to 1."""

    pattern: StoredPattern
    similarity: float


class Suggestion(_Frozen):
    """A match on its way to the assistant: with its score and the reasons for it.

    `times` counts the similar pieces of work that were found, `worked` those that ended in success.
    """

    pattern: StoredPattern
    similarity: float
    score: float
    times: int
    worked: int
    last_at: AwareDatetime
    reason: str
