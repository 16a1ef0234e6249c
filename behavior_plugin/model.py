"""Types for the things that agents report: events, prompts, actions, context, turns.

Everything here is frozen; a step that changes something returns a new value.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

from pydantic import AliasChoices, AwareDatetime, BaseModel, ConfigDict, Field

# The agent of a record that names none: the first that the hooks were made for.
CLAUDE_CODE = "claude-code"
# The actors of a session, besides the subagents, which have ids.
MAIN = "main"
USER = "user"


# The version of the rules in `redact/`: it is stored with what they have redacted. Raise it with each new rule.
REDACTION_VERSION = 2

# Text of our own making. Every other text of a turn is redacted before it is embedded or stored.
OWN = "own"
OwnText: TypeAlias = Annotated[str, OWN]


class Frozen(BaseModel):
    """A value: a step that changes something returns a new one."""

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
    # All of it was marked as private, or a pause or an exclusion begins here: nothing that follows is kept.
    PRIVATE = "private"


# The kinds that name work of their own, so that they are answered with a suggestion.
TASKS = frozenset({PromptKind.TASK, PromptKind.COMMAND})
# The kinds that a person begins a turn with.
HUMAN = TASKS | {PromptKind.FOLLOW_UP}


class DurationSource(StrEnum):
    """Where a call's duration comes from."""

    # Measured by the agent, without permission and hook time. Stored under the name it had first.
    AGENT = "host"
    # From the agent's log: its figure for a subagent, else the time between the records, which includes those.
    TRANSCRIPT = "transcript"


class Verdict(Frozen):
    """The gist of what a command printed, since an exit code says little: a pipe hides it in a third of failing checks.

    `passed` and `failed` count tests or checks, where the output has such counts. `ran_nothing`: the check says that it
    found no tests. `error` is the last line that names an error. `commit` is the short id and subject of the commit
    that the command made.
    """

    passed: int | None = None
    failed: int | None = None
    ran_nothing: bool = False
    error: str | None = None
    commit: str | None = None


class Action(Frozen):
    """One tool call.

    `id` is the agent's own, and `timestamp` is when the call began. `duration_ms` and `duration_source` are absent
    where nothing measured it. `actor` made the call: "main", "user" for a line of the user's own shell, or the id of a
    subagent; it is stored as "agent". `started_agent` is the id of the subagent that this call started. `verdict` is
    there if the output of a command says how it went.
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
    verdict: Verdict | None = None


class CallEnd(Frozen):
    """How a call that went on in the background ended, and how long it took, if the agent says so."""

    call_id: str
    outcome: Outcome
    duration_ms: int | None = Field(default=None, ge=0)


class Context(Frozen):
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


class Event(Frozen):
    """One thing that happened in a session, as a hook reported it or as the agent's log has it.

    `pid_space` is where `agent_pid` has its meaning: in another container it is another process. `order` sorts the
    events of one source on one machine: for hooks monotonic nanoseconds since the machine was started, for a log
    the place in it. `boot` names that start of the machine, where it is known: the clock may be set back meanwhile.
    `reason` says how a session began (startup, resume, clear, compact, fork) or why it ended. `prompt_id` names the
    prompt that is being worked on; a prompt with the id of an earlier one was typed while that was worked on.
    `prompt_key` is the same for one prompt whichever source has it. `is_provisional` marks a call whose hook cannot
    know how it ended, so that the log's word counts. `closing` is the first sentence of the agent's last message,
    on the end of a turn.
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
    boot: str | None = None
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
    closing: str | None = None
    files: tuple[str, ...] = ()


class Provenance(Frozen):
    """The origin of a turn: agent, machine, hooks or log, and the version of this plugin.

    `follows` is the session that the same agent process had before: the one that was cleared, or forked.
    """

    agent: str = CLAUDE_CODE
    machine: str = ""
    source: str = "hooks"
    version: OwnText = ""
    follows: str | None = None


class Turn(Frozen):
    """A prompt and the work up to the next one, as reported: the evidence that everything else is computed from.

    `source_key` is the same for the same prompt however often it is delivered. `is_ended` is false where the work was
    broken off. `is_interjected`: it was typed while the work before it still ran. `follows_clear`: the conversation was
    cleared between the turn before and this one. `closing` is the first sentence of the agent's last message.
    `has_follow_ups`: a row of an earlier version, which also has the calls of the prompts that followed it up.
    """

    source_key: OwnText
    session_id: str
    prompt: str
    prompt_kind: PromptKind = PromptKind.TASK
    started_at: AwareDatetime
    context: Context
    actions: tuple[Action, ...] = ()
    is_ended: bool = True
    is_interjected: bool = False
    follows_clear: bool = False
    has_follow_ups: bool = False
    closing: str | None = None
    provenance: Provenance = Provenance()


def elapsed_ms(start: datetime, end: datetime) -> int:
    """The milliseconds from one time to another, at least 0: clocks are set back."""
    return max(0, (end - start) // timedelta(milliseconds=1))


def can_start(actor: str, started: str) -> bool:
    """Whether an actor can have started a subagent: nothing starts the main agent, the user or itself."""
    return started not in (MAIN, USER, actor)
