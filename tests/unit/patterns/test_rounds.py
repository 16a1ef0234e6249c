"""Tests of calls that are rounds of the same thing. `test_steps` has whole turns."""

from __future__ import annotations

from typing import Any

from behavior_plugin.patterns.rounds import Call, joined
from behavior_plugin.workflow import Step, StepKind


def edit(file: str) -> Call:
    return Call(Step(kind=StepKind.EDIT, files=(file,)), key="edit")


def check(text: str, *, worked: bool = True, **fields: Any) -> Call:
    step = Step(kind=StepKind.CHECK, text=text, **fields)
    return Call(step, key=text, worked=worked, commands=frozenset(text.split(" && ")))


def test_edits_until_a_check_passes_are_one_call() -> None:
    calls = [edit("a.py"), check("npm test", worked=False), edit("b.py"), check("npm test")]

    [call] = joined(calls)

    assert (call.step.kind, call.step.until, call.step.times) == (StepKind.EDIT, "npm test", 2)
    assert call.step.files == ("a.py", "b.py")


def test_a_round_takes_as_long_as_the_median_check_that_passed() -> None:
    calls = [each for ms in (10, 20, 90) for each in (edit("a.py"), check("npm test", took_ms=ms))]

    [call] = joined(calls)

    assert call.step.took_ms == 20


def test_a_repeated_line_stands_once_at_its_last_place() -> None:
    calls = [check("npm test"), check("npm run lint"), check("npm test")]

    assert [(call.step.text, call.step.times) for call in joined(calls)] == [("npm run lint", 1), ("npm test", 2)]


def test_a_line_that_never_worked_is_left_out() -> None:
    assert joined([check("npm test", worked=False), check("npm run lint")]) == [check("npm run lint")]
