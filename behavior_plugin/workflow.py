"""Types for the results of learning: episodes and their steps, remarks, patterns, suggestions.

Everything here is frozen, as in `model`, which has the types for the things that agents report.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import AwareDatetime, Field

from behavior_plugin.model import Action, Context, Frozen, Outcome, OwnText, Provenance, Turn

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


class Judgement(Frozen):
    """How a piece of work ended, and the evidence for it, as a clause: "the next prompt says: no, that is wrong"."""

    outcome: Outcome
    because: str


class StepKind(StrEnum):
    """The kind of a step. The names are stored."""

    EDIT = "edit"
    CHECK = "check"
    DELIVER = "deliver"
    RUN = "run"
    LOOK = "look"
    SKILL = "skill"
    AGENT = "agent"
    TOOL = "tool"


# The steps whose text is a shell line.
SHELL_KINDS = frozenset({StepKind.CHECK, StepKind.DELIVER, StepKind.RUN, StepKind.LOOK})


class Step(Frozen):
    """One line of a workflow.

    `text` is the command with its slots (`git commit -m {message}`), or the name of a tool, skill or subagent; empty
    for an edit, which has `files`. `until` is the check that an edit was repeated for until it passed; `times` counts
    the rounds, or the repetitions of a command. `took_ms` is how long one run of the command takes. `danger` names
    the kind of a dangerous step, as a clause (`patterns.hazards`): it is never offered.
    """

    kind: StepKind
    text: str = ""
    files: tuple[str, ...] = ()
    until: str = ""
    times: int = 1
    took_ms: int | None = None
    danger: OwnText = ""


class Remedy(StrEnum):
    """The kind of help against a failed command. The names are stored."""

    # Another command that does the same job.
    INSTEAD = "instead"
    # The same command, after another one.
    FIRST = "first"


class Lesson(Frozen):
    """A command that failed, and the one that helped, without an edit between them.

    `error` is what the failed one said. `is_plain`: the error names a wrong word, tool or right, so one occurrence is
    enough to keep it. `failures` counts the failed runs, `sessions` the sessions with such a failure.
    """

    failed: str
    worked: str
    remedy: Remedy = Remedy.INSTEAD
    error: str = ""
    is_plain: bool = False
    failures: int = 1
    sessions: int = 1


class Digest(Frozen):
    """The summary of an episode, from which patterns are computed. `version` is that of the rules that made it.

    `job` names the kind of work; it is empty where there is nothing to learn. `commands` are the distinct commands,
    with slots, that the project is known by. `names` are those by which the steps are compared.
    `took_ms` is from the prompt to the end of the last call. `change` is what was done: the last commit's id and
    subject, else the agent's closing words.
    """

    version: int
    job: str = ""
    steps: tuple[Step, ...] = ()
    names: tuple[str, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    commands: tuple[str, ...] = ()
    took_ms: int = 0
    change: str = ""


class Episode(Frozen):
    """One piece of work in one session: a turn and those that went on with it. Evidence.

    `source_key` is that of its first turn. A turn that delivers the work is also a part: an episode of its own, with
    `part_of` naming the whole, since people type such prompts again.
    """

    source_key: OwnText
    turns: tuple[Turn, ...]
    judgement: Judgement
    digest: Digest
    part_of: OwnText = ""

    @property
    def trigger(self) -> str:
        return self.turns[0].prompt

    @property
    def session_id(self) -> str:
        return self.turns[0].session_id

    @property
    def started_at(self) -> datetime:
        return self.turns[0].started_at

    @property
    def context(self) -> Context:
        """Where it began, with the files that all of it touched."""
        files = dict.fromkeys(file for turn in self.turns for file in turn.context.files_touched)
        return self.turns[0].context.model_copy(update={"files_touched": tuple(files)})

    @property
    def actions(self) -> tuple[Action, ...]:
        return tuple(action for turn in self.turns for action in turn.actions)


class Occurrence(Frozen):
    """An episode without its turns, as patterns are computed from it.

    `use_count` and `last_used_at` are from the time when each prompt was a pattern of its own.
    """

    source_key: OwnText
    part_of: OwnText = ""
    session_id: str
    project: str
    trigger: str
    started_at: AwareDatetime
    outcome: Outcome
    digest: Digest
    use_count: int = 0
    last_used_at: AwareDatetime | None = None


class RemarkKind(StrEnum):
    """The kind of a remark. The names are stored."""

    SHOWN = "shown"
    # A suggestion that was not shown, to see how the work goes without it.
    WITHHELD = "withheld"
    GOOD = "good"
    BAD = "bad"
    HIDE = "hide"
    # It takes an earlier HIDE back.
    SHOW = "show"
    EDIT = "edit"
    # It makes the pattern a part of another.
    MERGE = "merge"
    # A turn must not be learned again. Its mark stands in place of the pattern's key.
    FORGOTTEN = "forgotten"


# The remarks that the worker makes, on suggestions. The others are a user's.
SUGGESTED = frozenset({RemarkKind.SHOWN, RemarkKind.WITHHELD})


class Remark(Frozen):
    """A suggestion that was made or withheld, or a user's feedback, edit or merge. It cannot be computed again.

    `pattern_key` is the source key of the pattern. For SHOWN and WITHHELD, `session_id` is the session of the prompt,
    `is_followed` whether its work followed the steps, `outcome` how that ended, both None until it is known, and
    `holdout` the share of suggestions that were withheld at the time.
    `steps` are those of an EDIT, as text, and `into` is the pattern that a MERGE makes this one a part of.
    """

    id: UUID | None = None
    pattern_key: OwnText
    kind: RemarkKind
    made_at: AwareDatetime
    session_id: str = ""
    is_followed: bool | None = None
    outcome: Outcome | None = None
    note: str = ""
    steps: tuple[str, ...] = ()
    into: OwnText = ""
    holdout: float = 0.0


@dataclass(frozen=True)
class PastSuggestion:
    """A suggestion, made or withheld, and the piece of work that came next in its session.

    `steps` counts the steps of the work, and `took_ms` is its duration; None where there is none yet.
    """

    remark: Remark
    steps: int | None = None
    took_ms: int | None = None


class Variant(Frozen):
    """One way of doing a job: its steps, and how often it was done and worked."""

    steps: tuple[Step, ...]
    times: int
    worked: int


class Workflow(Frozen):
    """What the episodes of one job in one project have in common.

    `times` counts them, and `worked` those that ended in success. `variants` are the other ways of doing it, the most
    frequent first; `way_times` counts the episodes that were done by exactly the shown steps, 0 if that is unknown, and
    `way_worked` those of them that worked. `triggers` are the prompts that began it, the newest first. `typical_ms` is
    the median duration. `change` is what the last one that worked did. `shown` counts the suggestions of it, `followed`
    those whose work followed them, `good` and `bad` what the user said. One that `is_hidden` is never suggested, and
    the steps of one that `is_edited` are the user's.
    """

    job: str
    steps: tuple[Step, ...] = ()
    lessons: tuple[Lesson, ...] = ()
    variants: tuple[Variant, ...] = ()
    triggers: tuple[str, ...] = ()
    times: int = 1
    worked: int = 0
    way_times: int = 0
    way_worked: int = 0
    sessions: int = 1
    typical_ms: int | None = None
    change: str = ""
    last_at: AwareDatetime
    shown: int = 0
    followed: int = 0
    good: int = 0
    bad: int = 0
    is_hidden: bool = False
    is_edited: bool = False


class Pattern(Frozen):
    """The workflow of one job in one project, or a row that a caller wrote, which has no `workflow`.

    `trigger`, `context` and `actions` are those of the episode that stands for the others. `source_key` names the
    project and the job, so that the same work updates the same row.
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
    workflow: Workflow | None = None


class StoredPattern(Pattern):
    """A pattern as the store returns it."""

    id: UUID
    use_count: int = Field(ge=0)
    last_used_at: AwareDatetime | None = None
    created_at: AwareDatetime


class Saved(StrEnum):
    """The effect of saving a turn. UPDATED: more is known of the same work now."""

    ADDED = "new"
    UPDATED = "grown"
    UNCHANGED = "known"


@dataclass(frozen=True, slots=True)
class Trigger:
    """A prompt that began work, and the compared parts of the work. It leads to the pattern with `pattern_key`.

    `embedding` has unit length, and as many numbers as its `model` makes; None if a model embedded the trigger that was
    not asked for, or none did. `names`, `files` and `commands` are those of the steps, as compared
    (`alignment.identities`) and as shown.
    """

    source_key: str
    pattern_key: str
    session_id: str
    project: str
    text: str
    outcome: Outcome
    started_at: datetime
    embedding: NDArray[numpy.float32] | None = None
    model: str = ""
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


class Suggestion(Frozen):
    """A pattern on its way to the assistant, and the reason for it.

    `score` is how likely it is the one that is wanted, 0 to 1. `trigger` is the prompt that resembles the question,
    `trigger_outcome` how its work ended, and `similarity` the cosine of the two, or the share of their words.
    `occurrences` counts the pieces of work that the pattern stands on, `successes` those that ended in success;
    `last_seen_at` is when the latest of them began. `explanation` has the factors behind its place, in words.
    `left_out` has the kind of each dangerous step that the pattern lacks here (`recall.offer`).
    """

    pattern: StoredPattern
    similarity: float
    score: float
    trigger: str = ""
    trigger_outcome: Outcome | None = None
    occurrences: int
    successes: int
    last_seen_at: AwareDatetime
    reason: str
    explanation: tuple[str, ...] = ()
    left_out: tuple[OwnText, ...] = ()


class NextStep(Frozen):
    """A step that may come next, with its odds, 0 to 1. `times` counts how often it came next in the known work."""

    step: Step
    odds: float
    times: int
