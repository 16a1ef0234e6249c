"""The words of this project, as types: events, actions, context, patterns, suggestions.

Everything here is frozen; a step that changes something returns a new value.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeAlias
from uuid import UUID

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field

# The agent of a record that names none: the first that the hooks were made for.
CLAUDE_CODE = "claude-code"
# The actors of a session, besides the subagents, which have ids.
MAIN = "main"
USER = "user"


# Text of our own making. Every other text of a pattern is redacted before it is embedded or stored.
OWN = "own"
OwnText: TypeAlias = Annotated[str, OWN]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)


class Outcome(StrEnum):
    """How a call, or a whole piece of work, ended."""

    SUCCESS = "success"
    PARTIAL = "partial"
    FAILED = "failed"


class EventKind(StrEnum):
    """The kind of an event. OTHER is kept as well, as a sign that the session is alive."""

    SESSION_START = "session_start"
    PROMPT = "prompt"
    ACTION = "action"
    # A call that went on in the background has ended.
    CALL_END = "call_end"
    TURN_END = "turn_end"
    SESSION_END = "session_end"
    OTHER = "other"


class PromptKind(StrEnum):
    """The kind of text that arrived as a prompt, as judged by the module that knows the agent."""

    TASK = "task"
    # It adds to the task before, and names none of its own: "yes", "go on".
    FOLLOW_UP = "follow_up"
    # A slash command of the user's own, or of a plugin: it stands for a task.
    COMMAND = "command"
    # A command of the agent's own that starts no work.
    BUILT_IN = "built_in"
    # A command of this plugin.
    OWN_COMMAND = "own_command"
    # Text that no person wrote.
    MACHINE = "machine"


# The kinds that begin a piece of work.
TASKS = frozenset({PromptKind.TASK, PromptKind.COMMAND})
# The kinds that a person begins a turn with.
HUMAN = TASKS | {PromptKind.FOLLOW_UP}


class DurationSource(StrEnum):
    """Where a call's duration comes from."""

    # Measured by the agent, without permission and hook time. Stored under the name it had first.
    AGENT = "host"
    # From the agent's log: what it says of a subagent, else the time between the records, which includes those.
    TRANSCRIPT = "transcript"


class Action(_Frozen):
    """One tool call.

    `id` is the agent's own, and `timestamp` is when the call began. `duration_ms` and `duration_source` are absent
    where nothing measured it. `actor` made the call: "main", "user" for a line of the user's own shell, or the id of a
    subagent; it is stored as "agent". `started_agent` is the id of the subagent that this call started.
    """

    id: str | None = None
    tool: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    outcome: Outcome
    timestamp: AwareDatetime
    duration_ms: int | None = Field(default=None, ge=0)
    duration_source: DurationSource | None = None
    actor: str = Field(default=MAIN, validation_alias=AliasChoices("actor", "agent"), serialization_alias="agent")
    started_agent: str | None = None
    error: str | None = None


class CallEnd(_Frozen):
    """How a call that went on in the background ended, and how long it took, if the agent says so."""

    call_id: str
    outcome: Outcome
    duration_ms: int | None = Field(default=None, ge=0)


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
    """Where an event was read."""

    HOOK = "hook"
    TRANSCRIPT = "transcript"


class Event(_Frozen):
    """One thing that happened in a session, as a hook reported it or as the agent's log has it.

    `pid_space` is where `agent_pid` has its meaning: in another container it is another process. `order` sorts the
    events of one source on one machine: for hooks monotonic nanoseconds since the machine was started, for a log the
    place in it. `reason` says how a session began (startup, resume, clear, compact, fork) or why it ended. `prompt_id`
    names the prompt that is being worked on; a prompt with the id of an earlier one was typed while that was worked
    on. `prompt_key` is the same for one prompt whichever source has it. `is_provisional` marks a call whose hook cannot
    know how it ended, so that the log's word counts.
    """

    kind: EventKind
    name: str
    session_id: str
    machine: str
    at: AwareDatetime
    order: int
    source: EventSource = EventSource.HOOK
    agent: str = CLAUDE_CODE
    agent_pid: int | None = None
    pid_space: int | None = None
    transcript: str | None = None
    reason: str | None = None
    context: Context = Context()
    prompt: str | None = None
    prompt_kind: PromptKind | None = None
    prompt_key: str | None = None
    prompt_id: str | None = None
    action: Action | None = None
    call_end: CallEnd | None = None
    is_provisional: bool = False
    files: tuple[str, ...] = ()


class Provenance(_Frozen):
    """The origin of a pattern: agent, machine, hooks or log, and the version of this plugin.

    `follows` is the session that the same agent process had before: the one that was cleared, or forked.
    """

    agent: str = CLAUDE_CODE
    machine: str = ""
    source: str = "hooks"
    version: OwnText = ""
    follows: str | None = None


class Pattern(_Frozen):
    """One piece of work: its trigger, context, actions and final outcome.

    `source_key` is the same for the same work however often it is delivered; the store keeps one row of it.
    """

    source_key: OwnText
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
    """The effect of saving a pattern. UPDATED: more is known of the same work now."""

    ADDED = "new"
    UPDATED = "grown"
    UNCHANGED = "known"


class Match(_Frozen):
    """A stored pattern and how similar its trigger is to the question: 0 to 1."""

    pattern: StoredPattern
    similarity: float


class Suggestion(_Frozen):
    """A match on its way to the assistant, with its score and the reason for it.

    `occurrences` counts the similar pieces of work that were found, `successes` those that ended in success;
    `last_seen_at` is when the latest of them began.
    """

    pattern: StoredPattern
    similarity: float
    score: float
    occurrences: int
    successes: int
    last_seen_at: AwareDatetime
    reason: str


def elapsed_ms(start: datetime, end: datetime) -> int:
    """The milliseconds from one time to another, at least 0: clocks are set back."""
    return max(0, (end - start) // timedelta(milliseconds=1))


def can_start(actor: str, started: str) -> bool:
    """Whether an actor can have started a subagent: nothing starts the main agent, the user or itself."""
    return started not in (MAIN, USER, actor)
