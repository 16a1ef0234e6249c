"""The typed way in: requests to the worker, its answers, and the operations that its service and client both offer.

Every surface asks through these types, so limits and defaults stand here and nowhere else. OPERATIONS is the wire
format: an operation is one HTTP path, its request the JSON object sent there, its answer the JSON sent back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Generic, Protocol, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, model_validator

from behavior_plugin.measure.past import PastWork
from behavior_plugin.measure.stats import Summary
from behavior_plugin.model import Action, Context, Outcome, PromptKind, Turn
from behavior_plugin.workflow import Episode, NextStep, RemarkKind, StoredPattern, Suggestion

A = TypeVar("A")

# Episodes that come with a pattern.
MAX_EPISODES = 50


class Message(BaseModel):
    """A request or an answer. Its schema is built at first use: a command uses one or two of them."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Recall(Message):
    """Find past work that resembles a text. Without `min_odds` low ones are enough: a person asks.

    `project` is the name of the project to search, or the end of it; without it, that of `directory` is searched. With
    `outcome` and `since` only past work that ended so is compared, and work begun since then. `explain` asks for the
    factors too.
    """

    text: str
    directory: str = ""
    limit: int = Field(default=5, ge=1, le=50)
    everywhere: bool = False
    min_odds: float | None = Field(default=None, ge=0, le=1)
    project: str = ""
    outcome: Outcome | None = None
    since: AwareDatetime | None = None
    explain: bool = False


class NextSteps(Message):
    """Name the steps that may come next in work that has begun, the likeliest first.

    `done` are the steps so far in their order: shell lines, or a tool with its argument. With `session_id` the prompt
    and the calls of that open session come before them.
    """

    prompt: str = ""
    done: tuple[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)], ...] = Field(
        default=(), max_length=1_000
    )
    session_id: str = ""
    directory: str = ""
    limit: int = Field(default=5, ge=1, le=50)
    everywhere: bool = False


class ListPatterns(Message):
    """List patterns, newest first; with `directory` only those of its project."""

    limit: int = Field(default=20, ge=1, le=10_000)
    directory: str | None = None


class ListTurns(Message):
    """List the turns with work, newest first; with `directory` only those of its project. They are the evidence."""

    limit: int = Field(default=20, ge=1, le=10_000)
    directory: str | None = None


class ShowPattern(Message):
    """Show the one pattern whose id begins with `id`."""

    id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Shown(Message):
    """A pattern, and the episodes that it stands on, newest first: at most MAX_EPISODES of them."""

    pattern: StoredPattern
    episodes: tuple[Episode, ...]


class AddRemark(Message):
    """Add a remark to the one pattern whose id begins with `id`.

    `steps` are those of an edit, one line each. `into` is the beginning of the id of the pattern to merge it into.
    """

    id: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    kind: RemarkKind
    note: str = Field(default="", max_length=500)
    steps: tuple[Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)], ...] = ()
    into: str = ""


class ListWork(Message):
    """List the evidence as a replay needs it, in the order of its keys, after the key `after`.

    With `directory` only that of its project.
    """

    directory: str | None = None
    after: str = ""
    limit: int = Field(default=100, ge=1, le=1_000)


class Summarize(Message):
    """Count the suggestions that were followed and withheld: all, or those since a day."""

    since: AwareDatetime | None = None


class SaveTurns(Message):
    """Save redacted turns as evidence."""

    turns: tuple[Turn, ...]


class SaveReport(Message):
    """The effects of saving, counted by `Saved`, and the store's reasons for refusing a turn."""

    kept: dict[str, int]
    refused: list[str]


class ForgetSession(Message):
    """Delete everything of a session, whether stored or waiting."""

    session_id: Annotated[str, StringConstraints(min_length=1)]


class Forget(Message):
    """Delete everything that fits each of these, stored or waiting. `until` is exclusive.

    `pattern` is the beginning of a pattern's id, `project` the name of a project or the end of it, and `matching` is
    looked for in every text. A dry run only counts.
    """

    pattern: str = ""
    session_id: str = ""
    project: str = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    matching: str = ""
    is_everything: bool = False
    is_dry_run: bool = False

    @model_validator(mode="after")
    def _names_something(self) -> Forget:
        named = any((self.pattern, self.session_id, self.project, self.since, self.until, self.matching))
        if named == self.is_everything:
            raise ValueError("name what to forget, or everything, and not both")
        return self


class ForgottenWork(Message):
    """An example of the work that fits."""

    session_id: str
    project: str
    trigger: str
    started_at: datetime


class ForgetReport(Message):
    """The numbers of deleted things. `patterns` have no evidence any more; `changed_patterns` stand on less of it.

    `backups` are the files in the data folder that still have copies, and were left alone. `open_sessions` go on: what
    comes from now on is learned. `left_in_files` says why deleted rows may still be in the database's files; it is
    empty if they are not.
    """

    patterns: int
    changed_patterns: int
    episodes: int
    turns: int
    remarks: int
    waiting_sessions: int
    dead_letters: int
    decisions: int
    log_lines: int
    examples: tuple[ForgottenWork, ...]
    backups: tuple[str, ...]
    open_sessions: tuple[str, ...]
    left_in_files: str

    @property
    def is_empty(self) -> bool:
        return not any(
            (
                self.patterns,
                self.episodes,
                self.remarks,
                self.waiting_sessions,
                self.dead_letters,
                self.decisions,
                self.log_lines,
            )
        )


class Drain(Message):
    """Learn from every session that has ended. The probe of a doctor is learned from only if `probe` names it."""

    probe: str = ""


class Reap(Message):
    """Close sessions whose agent is gone, and with `idle_s` those that have been silent for so long."""

    idle_s: float | None = Field(default=None, ge=0)


class Backlog(Message):
    """The events and sessions that wait, and the dead letters."""

    new_events: int
    open_sessions: int
    dead_letters: int


class Drained(Message):
    """The number of turns with work that a drain learned from, and the backlog after it.

    `not_computed` is the reason why the patterns are not up to date with what was learned; empty if they are.
    """

    learned: int
    # Not inherited from Backlog: commands print the fields in their order.
    new_events: int
    open_sessions: int
    dead_letters: int
    not_computed: str = ""


class Reaped(Message):
    """The number of sessions that a reap closed, of turns with work in them, and the backlog after it.

    `not_computed` is as in `Drained`.
    """

    closed: int
    learned: int
    # Not inherited from Backlog: commands print the fields in their order.
    new_events: int
    open_sessions: int
    dead_letters: int
    not_computed: str = ""


class Suggest(Message):
    """Answer a prompt that a person has just sent to an agent, in a session that may be new."""

    session_id: str
    prompt: str
    kind: PromptKind | None
    context: Context


class FailedCall(Message):
    """Find the lesson for a call that has just failed in a session."""

    session_id: str
    action: Action
    context: Context


class Note(Message):
    """The text that the assistant gets with a prompt or a failed call; empty if there is nothing to say.

    `line` is for the user.
    """

    text: str = ""
    line: str = ""


class Deleted(Message):
    """The number of deleted episodes, together with that of patterns that a caller wrote."""

    patterns: int


class EmbedAnew(Message):
    """Make vectors anew that are not by the model that is wanted for their project: as many as `within_s` allows."""

    is_dry_run: bool = False
    within_s: float = Field(default=1, gt=0, le=60)


class OutdatedVectors(Message):
    """The number of a project's vectors by one model, where `wanted` is to make them anew."""

    project: str
    model: str
    wanted: str
    count: int


class EmbeddedAnew(Message):
    """The number of vectors that were made anew, those left, and the projects that no installed model can read."""

    done: int
    left: tuple[OutdatedVectors, ...]
    unreadable_projects: tuple[str, ...]


class RedactAgain(Message):
    """Apply the present rules for secrets to older rows: to some sessions after `after`, then to the rest.

    The rest are remarks, logged decisions and dead letters. A dry run only counts.
    """

    after: str = ""
    is_dry_run: bool = True


class RedactedAgain(Message):
    """The number of sessions that were looked at, and of texts that have changed; `refused` sessions had to be left.

    `after` is where to go on, empty once everything is done. `left` are the sessions of older rules.
    """

    sessions: int
    turns: int
    refused: int
    remarks: int = 0
    decisions: int = 0
    dead_letters: int = 0
    after: str = ""
    left: int = 0


class Pong(Message):
    """The proof that a worker is alive."""

    version: str
    pid: int


class Status(Message):
    """The state of the worker. `patterns` is None while the store cannot count them."""

    version: str
    pid: int
    started_at: datetime
    store: str
    patterns: int | None
    embedder: str
    embedder_problem: str
    # The next step, if the problem has one.
    embedder_hint: str = ""
    live_sessions: int
    learned: int
    dropped: int
    last_error: str
    left_in_spool: str
    new_events: int
    open_sessions: int
    dead_letters: int
    oldest_event: str | None
    # Vectors that the worker makes anew by itself, those that only `behavior db embed` does, and the projects that no
    # installed model can read.
    vectors_to_renew: int = 0
    vectors_of_other_models: int = 0
    unreadable_projects: int = 0
    # Prompts of pauses and excluded projects, and calls that touch excluded files, since the worker's start.
    left_out: int = 0
    # Sessions and remarks that older rules for secrets have redacted.
    to_redact_again: int = 0


class Problem(Message):
    """An error: the name of its class in `errors`, the message, and the next step. `names` are settings."""

    kind: str
    message: str
    hint: str = ""
    names: tuple[str, ...] = ()


class Api(Protocol):
    """The operations. Each raises a BehaviorError, the same one in the service and in the client."""

    def ping(self) -> Pong: ...
    def status(self) -> Status: ...
    def stop(self) -> Pong: ...
    def recall(self, request: Recall) -> list[Suggestion]: ...
    def suggest(self, request: Suggest) -> Note: ...
    def next_steps(self, request: NextSteps) -> list[NextStep]: ...
    def list_patterns(self, request: ListPatterns) -> list[StoredPattern]: ...
    def list_turns(self, request: ListTurns) -> list[StoredPattern]: ...
    def show_pattern(self, request: ShowPattern) -> Shown: ...
    def add_remark(self, request: AddRemark) -> Shown: ...
    def list_work(self, request: ListWork) -> list[PastWork]: ...
    def summarize(self, request: Summarize) -> Summary: ...
    def save_turns(self, request: SaveTurns) -> SaveReport: ...
    def forget_session(self, request: ForgetSession) -> Deleted: ...
    def forget(self, request: Forget) -> ForgetReport: ...
    def drain(self, request: Drain) -> Drained: ...
    def reap(self, request: Reap) -> Reaped: ...
    def embed_anew(self, request: EmbedAnew) -> EmbeddedAnew: ...
    def redact_again(self, request: RedactAgain) -> RedactedAgain: ...


@dataclass(frozen=True)
class Operation(Generic[A]):
    """One method of `Api`: its request type, if it takes one, and the type of its answer."""

    name: str
    request: type[Message] | None
    answer: type[A]
    method: str = "POST"

    @property
    def path(self) -> str:
        return f"/v1/{self.name}"

    @cached_property
    def adapter(self) -> TypeAdapter[A]:
        """Reads and writes answers as JSON."""
        return TypeAdapter(self.answer)


PING = Operation("ping", None, Pong, method="GET")
STATUS = Operation("status", None, Status, method="GET")
STOP = Operation("stop", None, Pong)
RECALL = Operation("recall", Recall, list[Suggestion])
SUGGEST = Operation("suggest", Suggest, Note)
NEXT_STEPS = Operation("next_steps", NextSteps, list[NextStep])
LIST_PATTERNS = Operation("list_patterns", ListPatterns, list[StoredPattern])
LIST_TURNS = Operation("list_turns", ListTurns, list[StoredPattern])
SHOW_PATTERN = Operation("show_pattern", ShowPattern, Shown)
ADD_REMARK = Operation("add_remark", AddRemark, Shown)
LIST_WORK = Operation("list_work", ListWork, list[PastWork])
SUMMARIZE = Operation("summarize", Summarize, Summary)
SAVE_TURNS = Operation("save_turns", SaveTurns, SaveReport)
FORGET_SESSION = Operation("forget_session", ForgetSession, Deleted)
FORGET = Operation("forget", Forget, ForgetReport)
DRAIN = Operation("drain", Drain, Drained)
REAP = Operation("reap", Reap, Reaped)
EMBED_ANEW = Operation("embed_anew", EmbedAnew, EmbeddedAnew)
REDACT_AGAIN = Operation("redact_again", RedactAgain, RedactedAgain)

OPERATIONS: tuple[Operation[Any], ...] = (
    PING,
    STATUS,
    STOP,
    RECALL,
    SUGGEST,
    NEXT_STEPS,
    LIST_PATTERNS,
    LIST_TURNS,
    SHOW_PATTERN,
    ADD_REMARK,
    LIST_WORK,
    SUMMARIZE,
    SAVE_TURNS,
    FORGET_SESSION,
    FORGET,
    DRAIN,
    REAP,
    EMBED_ANEW,
    REDACT_AGAIN,
)
