"""Apply the results of suggestions, and the feedback of users, to patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from behavior_plugin.model import Outcome
from behavior_plugin.patterns.alignment import common, identities
from behavior_plugin.patterns.commands import CommandKind, command_kind
from behavior_plugin.patterns.short_work import short_work_steps
from behavior_plugin.patterns.steps import distil
from behavior_plugin.workflow import Episode, Remark, RemarkKind, Step, StepKind

# The share of the suggested steps that the work has to have, in their order, to have followed them.
MIN_FOLLOWED = 0.5
# A longer line of an edit is refused.
MAX_LINE_CHARS = 500

_WRITTEN_EDIT = re.compile(r"edit (?P<files>files|[^\s,]+(?:, [^\s,]+)*)(?: until `(?P<until>.+)` passes)?")
_WRITTEN_NAME = re.compile(r"(?P<kind>skill|subagent|tool) (?P<name>\S+)")
_NAMED_KINDS = {"skill": StepKind.SKILL, "subagent": StepKind.AGENT, "tool": StepKind.TOOL}
# What a person says outweighs what can be observed; a suggestion that was ignored may have come at the wrong moment.
FEEDBACK_WEIGHT, FOLLOWED_WEIGHT, IGNORED_WEIGHT = 2.0, 0.5, 0.25

_KINDS = {
    CommandKind.CHECK: StepKind.CHECK,
    CommandKind.DELIVER: StepKind.DELIVER,
    CommandKind.RUN: StepKind.RUN,
    CommandKind.LOOK: StepKind.LOOK,
}


@dataclass(frozen=True)
class Record:
    """The remarks on one pattern, counted. `worked` and `harmed` are of the suggestions that were followed."""

    shown: int = 0
    followed: int = 0
    worked: int = 0
    harmed: int = 0
    ignored: int = 0
    good: int = 0
    bad: int = 0
    is_hidden: bool = False
    # The steps that the user wrote instead of the computed ones; empty if there are none.
    steps: tuple[Step, ...] = ()

    @property
    def support(self) -> float:
        """The evidence for the pattern, in outcomes. Work that followed it weighs less: it is an outcome of its own."""
        return FOLLOWED_WEIGHT * self.worked + FEEDBACK_WEIGHT * self.good

    @property
    def doubt(self) -> float:
        """The evidence against it, in outcomes."""
        return FOLLOWED_WEIGHT * self.harmed + IGNORED_WEIGHT * self.ignored + FEEDBACK_WEIGHT * self.bad


def record_of(remarks: Iterable[Remark]) -> Record:
    """Count the remarks on one pattern; of those that undo each other the last one counts."""
    ordered = sorted(remarks, key=lambda remark: (remark.made_at, str(remark.id)))
    shown = [remark for remark in ordered if remark.kind is RemarkKind.SHOWN]
    followed = [remark for remark in shown if remark.is_followed]
    worked = sum(remark.outcome is Outcome.SUCCESS for remark in followed)
    hiding = [remark.kind for remark in ordered if remark.kind in (RemarkKind.HIDE, RemarkKind.SHOW)]
    edits = [remark for remark in ordered if remark.kind is RemarkKind.EDIT]
    return Record(
        shown=len(shown),
        followed=len(followed),
        worked=worked,
        harmed=len(followed) - worked,
        ignored=sum(remark.is_followed is False for remark in shown),
        good=sum(remark.kind is RemarkKind.GOOD for remark in ordered),
        bad=sum(remark.kind is RemarkKind.BAD for remark in ordered),
        is_hidden=hiding[-1:] == [RemarkKind.HIDE],
        steps=tuple(map(step_of, edits[-1].steps)) if edits else (),
    )


def merges(remarks: Iterable[Remark]) -> dict[str, str]:
    """The pattern that each merged one is a part of in the end; a merge that would close a circle is ignored."""
    ordered = sorted(remarks, key=lambda remark: (remark.made_at, str(remark.id)))
    into: dict[str, str] = {}
    for remark in ordered:
        if remark.kind is RemarkKind.MERGE and remark.into and _last(remark.into, into) != remark.pattern_key:
            into[remark.pattern_key] = remark.into
    return {key: _last(key, into) for key in into}


def follow_through(shown: Remark, episodes: Sequence[Episode]) -> Remark:
    """A suggestion, judged by the work that came next in its session; unchanged where there is none yet.

    `episodes` are those of the session. The prompt that it was for began just before it.
    """
    begun = [
        (turn.started_at, episode)
        for episode in episodes
        for turn in episode.turns
        if not episode.part_of and turn.started_at <= shown.made_at
    ]
    started_at, episode = max(begun, key=lambda pair: pair[0], default=(None, None))
    if not (started_at and episode):
        return shown
    following = [turn for turn in episode.turns if turn.started_at >= started_at]
    if not any(turn.actions for turn in following):
        return shown
    done = identities(distil(following, judged=[Outcome.SUCCESS] * len(following)) or short_work_steps(following))
    is_followed = bool(shown.steps) and common(shown.steps, done) >= MIN_FOLLOWED * len(shown.steps)
    return shown.model_copy(update={"is_followed": is_followed, "outcome": episode.judgement.outcome})


def line_of(step: Step) -> str:
    """A step as a line that a user can edit; `step_of` reads it again."""
    if step.kind is StepKind.EDIT:
        return _edit_line(step)
    names = {kind: f"{name} {step.text}" for name, kind in _NAMED_KINDS.items()}
    return names.get(step.kind, step.text)


def step_of(line: str) -> Step:
    """A step as a user writes it: a command, a sentence, or a line of `line_of`."""
    if found := _WRITTEN_NAME.fullmatch(line):
        return Step(kind=_NAMED_KINDS[found["kind"]], text=found["name"])
    if found := _WRITTEN_EDIT.fullmatch(line):
        files = () if found["files"] == "files" else tuple(found["files"].split(", "))
        return Step(kind=StepKind.EDIT, files=files, until=found["until"] or "")
    return Step(kind=_KINDS[command_kind(line)], text=line)


def _edit_line(step: Step) -> str:
    """As many files as one line has room for; names with spaces or commas are left out."""
    until = f" until `{step.until}` passes" if step.until else ""
    files = [file for file in step.files if not re.search(r"[\s,]", file)]
    lines = [f"edit {', '.join(files[:count])}{until}" for count in range(len(files), 0, -1)]
    return next((line for line in lines if len(line) <= MAX_LINE_CHARS), f"edit files{until}")


def _last(key: str, into: Mapping[str, str]) -> str:
    seen = {key}
    while (following := into.get(key)) and following not in seen:
        seen.add(following)
        key = following
    return key
