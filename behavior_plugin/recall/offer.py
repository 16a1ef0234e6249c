"""Leave dangerous steps, ways and lessons out of a pattern, and texts with such a command: they are never offered.

Everything of past work that an agent reads passes through here, also where a person asked for it. An offer counts what
it lacks, and `behavior show` names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from behavior_plugin.patterns.danger import danger_in_text, danger_of_action, danger_of_lesson, danger_of_step
from behavior_plugin.recall.wording import numbered, step_line, workflow_of
from behavior_plugin.workflow import Lesson, NextStep, StoredPattern, Suggestion, Workflow

# A way with a larger share of its steps left out would mislead.
MAX_LEFT_OUT = 0.5


@dataclass(frozen=True)
class Offer:
    """A pattern as an agent may read it, and the kind of danger of each step that it lacks."""

    pattern: StoredPattern
    left_out: tuple[str, ...] = ()


def offer_of(pattern: StoredPattern) -> Offer | None:
    """The pattern without its dangerous parts; None if the rest would mislead."""
    workflow = workflow_of(pattern)
    if dangers_against(workflow):
        return None
    safe = _safe(workflow)
    if safe == workflow:
        return Offer(pattern)
    return Offer(pattern.model_copy(update={"workflow": safe}), tuple(filter(None, step_dangers(workflow))))


def dangers_against(workflow: Workflow) -> tuple[str, ...]:
    """The kinds of danger for which a way is never offered: those of its last step, or of more than half of them."""
    kinds = step_dangers(workflow)
    is_misleading = bool(kinds) and (bool(kinds[-1]) or sum(map(bool, kinds)) > MAX_LEFT_OUT * len(kinds))
    return tuple(dict.fromkeys(filter(None, kinds))) if is_misleading else ()


def step_dangers(workflow: Workflow) -> tuple[str, ...]:
    """The kind of danger of each step, empty for an ordinary one. Users write steps as sentences, too."""
    return tuple(
        danger_of_step(step) or (danger_in_text(step.text) if workflow.is_edited else "") for step in workflow.steps
    )


def marked_steps(workflow: Workflow) -> list[str]:
    """All steps on numbered lines, for a person; behind a dangerous one its kind."""
    marked = zip(workflow.steps, step_dangers(workflow), strict=True)
    return numbered([f"{step_line(step)}{danger_mark(kind)}" for step, kind in marked])


def danger_mark(kind: str) -> str:
    """The remark behind something dangerous that a person is shown; empty for what is not."""
    return f"  (never offered: {kind})" if kind else ""


def offered_lessons(lessons: Iterable[Lesson]) -> tuple[Lesson, ...]:
    """The lessons that tell to do nothing dangerous."""
    return tuple(lesson for lesson in lessons if not danger_of_lesson(lesson))


def offered_next(steps: Iterable[NextStep]) -> list[NextStep]:
    """The next steps that are not dangerous."""
    return [each for each in steps if not danger_of_step(each.step)]


def offered_text(text: str) -> str:
    """A text of the agent or of a program; empty if it has a dangerous command, which would read as one to copy."""
    return "" if danger_in_text(text) else text


def with_offered_calls(suggestion: Suggestion) -> Suggestion:
    """The suggestion without dangerous calls in its run, for answers that have the run too."""
    pattern = suggestion.pattern
    root = pattern.context.root or pattern.context.directory
    calls = tuple(action for action in pattern.actions if not danger_of_action(action, root))
    return suggestion.model_copy(update={"pattern": pattern.model_copy(update={"actions": calls})})


def _safe(workflow: Workflow) -> Workflow:
    kinds = step_dangers(workflow)
    return workflow.model_copy(
        update={
            "job": offered_text(workflow.job),
            "steps": tuple(step for step, kind in zip(workflow.steps, kinds, strict=True) if not kind),
            "variants": tuple(way for way in workflow.variants if not any(map(danger_of_step, way.steps))),
            "lessons": tuple(
                lesson.model_copy(update={"error": offered_text(lesson.error)})
                for lesson in offered_lessons(workflow.lessons)
            ),
            "change": offered_text(workflow.change),
        }
    )
