"""What became of suggestions, and what users say of patterns."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from behavior_plugin.model import Outcome, Turn
from behavior_plugin.patterns.evidence import episodes_of
from behavior_plugin.patterns.remarks import follow_through, line_of, merges, record_of, step_of
from behavior_plugin.workflow import Remark, RemarkKind, Step, StepKind
from tests.factories import START, make_action

STEPS = ("edit", "npm test", "git commit", "git push")


def remark(kind: RemarkKind, second: int = 0, **changes: Any) -> Remark:
    return Remark(kind=kind, pattern_key="key", made_at=START + timedelta(seconds=second), **changes)


def shown(second: int = 5, **changes: Any) -> Remark:
    return remark(RemarkKind.SHOWN, second, session_id="session", steps=STEPS, **changes)


def turn(second: int, *commands: str, prompt: str = "Add a page to the shop", **changes: Any) -> Turn:
    start = START + timedelta(seconds=second)
    actions = [make_action(parameters={"command": command}, timestamp=start) for command in commands]
    actions = [*([make_action("Edit", parameters={"file_path": "a.ts"})] if commands else []), *actions]
    fields = {"source_key": f"turn-{second}", "session_id": "session", "prompt": prompt, "started_at": start}
    return Turn(**{**fields, "context": {}, "actions": tuple(actions), **changes})


# Follow-through


@pytest.mark.parametrize(
    ("commands", "is_followed"),
    [
        pytest.param(("npm test", "git commit -m x", "git push"), True, id="all of it"),
        pytest.param(("npm test",), True, id="half of it"),
        pytest.param(("cargo test", "npm run build"), False, id="another way"),
    ],
)
def test_suggestion_is_followed_by_work_with_half_of_its_steps(commands: tuple[str, ...], is_followed: bool) -> None:
    """Nobody repeats a workflow to the letter."""
    judged = follow_through(shown(), episodes_of([turn(4, *commands)]))

    assert judged.is_followed is is_followed
    assert judged.outcome is Outcome.SUCCESS


def test_work_before_the_suggestion_does_not_follow_it() -> None:
    """It was shown for the second prompt."""
    before = turn(1, "npm test", "git commit -m x", "git push")
    after = turn(4, "cargo test", prompt="still wrong, look at the other module")

    judged = follow_through(shown(), episodes_of([before, after]))

    assert judged.is_followed is False


def test_suggestion_waits_for_work() -> None:
    """The session may not have been learned from yet, or was only a question."""
    assert follow_through(shown(), []) == shown()
    assert follow_through(shown(), episodes_of([turn(9, "npm test")])) == shown()


def test_outcome_is_the_work_s() -> None:
    """A suggestion that leads nowhere has to fade."""
    failing = turn(4, "npm test", is_ended=False)

    judged = follow_through(shown(), episodes_of([failing]))

    assert (judged.is_followed, judged.outcome) == (True, Outcome.PARTIAL)


# Counting


def test_remarks_are_counted_by_what_became_of_them() -> None:
    """A suggestion without work yet is neither followed nor ignored."""
    found = record_of(
        [
            shown(1, is_followed=True, outcome=Outcome.SUCCESS),
            shown(2, is_followed=True, outcome=Outcome.PARTIAL),
            shown(3, is_followed=False, outcome=Outcome.SUCCESS),
            shown(4),
            remark(RemarkKind.GOOD, 5),
            remark(RemarkKind.BAD, 6),
        ]
    )

    assert (found.shown, found.followed, found.worked, found.harmed, found.ignored) == (4, 2, 1, 1, 1)
    assert (found.good, found.bad) == (1, 1)


def test_last_of_hiding_and_showing_counts_in_any_order_of_arrival() -> None:
    """A user changes his mind."""
    hide, show = remark(RemarkKind.HIDE, 1), remark(RemarkKind.SHOW, 2)

    assert record_of([hide]).is_hidden
    assert not record_of([hide, show]).is_hidden
    assert not record_of([show, hide]).is_hidden


def test_last_edit_replaces_the_steps() -> None:
    """Commands keep their kind, so that follow-through can be seen."""
    edits = [remark(RemarkKind.EDIT, 1, steps=("make all",)), remark(RemarkKind.EDIT, 2, steps=("npm test", "Ask Ann"))]

    steps = record_of(edits).steps

    assert [(step.kind, step.text) for step in steps] == [(StepKind.CHECK, "npm test"), (StepKind.RUN, "Ask Ann")]
    assert record_of([]).steps == ()


@pytest.mark.parametrize(("line", "kind"), [("git push", StepKind.DELIVER), ("ls", StepKind.LOOK)])
def test_written_step_has_the_kind_of_its_command(line: str, kind: StepKind) -> None:
    assert step_of(line).kind is kind


STEP_LINES = [
    pytest.param(Step(kind=StepKind.CHECK, text="npm test"), "npm test", id="command"),
    pytest.param(Step(kind=StepKind.DELIVER, text="git push"), "git push", id="delivery"),
    pytest.param(Step(kind=StepKind.RUN, text="Ask Ann"), "Ask Ann", id="sentence"),
    pytest.param(Step(kind=StepKind.SKILL, text="review"), "skill review", id="skill"),
    pytest.param(Step(kind=StepKind.AGENT, text="Explore"), "subagent Explore", id="subagent"),
    pytest.param(Step(kind=StepKind.TOOL, text="mcp__web__open"), "tool mcp__web__open", id="tool"),
    pytest.param(Step(kind=StepKind.EDIT), "edit files", id="edit"),
    pytest.param(Step(kind=StepKind.EDIT, files=("a.py", "b/c.py")), "edit a.py, b/c.py", id="edit of files"),
    pytest.param(
        Step(kind=StepKind.EDIT, files=("a.py",), until="echo `x` && make"),
        "edit a.py until `echo `x` && make` passes",
        id="edit until",
    ),
]


@pytest.mark.parametrize(("step", "line"), STEP_LINES)
def test_written_steps_can_be_read_again(step: Step, line: str) -> None:
    """A user who changes one line leaves the others as they were."""
    assert line_of(step) == line
    assert step_of(line) == step


@pytest.mark.parametrize("line", ["edit the config so that it fits", "skill up in Rust", "edit a.py until it works"])
def test_sentence_is_no_step_of_another_kind(line: str) -> None:
    assert step_of(line) == Step(kind=StepKind.RUN, text=line)


def test_edit_of_many_files_fits_a_line() -> None:
    """A remark with a longer line would be refused."""
    step = Step(kind=StepKind.EDIT, files=("x" * 200, "y" * 200, "z" * 200), until="make")

    assert line_of(step) == f"edit {'x' * 200}, {'y' * 200} until `make` passes"
    assert line_of(step.model_copy(update={"files": ("x" * 600,)})) == "edit files until `make` passes"
    assert len(line_of(step.model_copy(update={"files": ("x" * 475,)}))) == 500
    assert len(line_of(step.model_copy(update={"files": ("x" * 476,)}))) < 500


# Merging


def merge(one: str, into: str, second: int) -> Remark:
    return remark(RemarkKind.MERGE, second, into=into).model_copy(update={"pattern_key": one})


def test_merges_are_followed_to_the_end() -> None:
    """A pattern that was merged may be merged on."""
    remarks = [merge("a", "b", 1), merge("b", "c", 2)]

    for order in permutations(remarks):
        assert merges(order) == {"a": "c", "b": "c"}


def test_merge_that_would_close_a_circle_is_ignored() -> None:
    """Two machines of one user may merge both ways; all work has to end in one pattern."""
    assert merges([merge("a", "b", 1), merge("b", "a", 2)]) == {"a": "b"}
    assert merges([merge("a", "b", 1), merge("b", "c", 2), merge("c", "a", 3)]) == {"a": "c", "b": "c"}
