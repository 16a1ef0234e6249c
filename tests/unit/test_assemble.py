"""Which actions belong to which prompt, and how the work ended."""

from __future__ import annotations

from datetime import timedelta

from behavior_plugin.assemble import assemble
from behavior_plugin.model import Context, Outcome
from tests.factories import START, make_call, make_event, make_prompt

FAILED = Outcome.FAILED


def test_a_prompt_and_its_calls_are_one_pattern() -> None:
    """The heart of it: what set the work off, and what was done."""
    events = [make_prompt("fix the tests"), make_call("Read"), make_call("Edit"), make_event("turn_end")]

    [pattern] = assemble(events)

    assert pattern.trigger == "fix the tests"
    assert [action.tool for action in pattern.actions] == ["Read", "Edit"]
    assert pattern.final_outcome is Outcome.SUCCESS


def test_each_task_is_a_pattern_of_its_own() -> None:
    """One session often holds several pieces of work."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_prompt("write the changelog"), make_call("Write")]

    assert [pattern.trigger for pattern in assemble(events)] == ["fix the tests", "write the changelog"]


def test_a_follow_up_continues_the_work_before_it() -> None:
    """ "yes, go on" is no task, and what follows it belongs to the task."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_prompt("yes, go on"), make_call("Write")]

    [pattern] = assemble(events)

    assert [action.tool for action in pattern.actions] == ["Edit", "Write"]


def test_machine_text_starts_nothing() -> None:
    """The client sends notifications through the prompt hook."""
    events = [
        make_prompt("fix the tests"),
        make_call("Edit"),
        make_prompt("<task-notification>done</task-notification>"),
        make_call("Write"),
    ]

    [pattern] = assemble(events)

    assert len(pattern.actions) == 2


def test_a_prompt_without_calls_is_no_pattern() -> None:
    """An answered question is no workflow."""
    assert assemble([make_prompt("what is a monad?"), make_event("turn_end")]) == []


def test_failed_last_action_makes_a_failed_outcome() -> None:
    """A session whose last command failed is not offered as something that worked."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_call(outcome=FAILED), make_event("turn_end")]

    [pattern] = assemble(events)

    assert pattern.final_outcome is FAILED


def test_a_repaired_failure_is_a_success() -> None:
    """A failing test, an edit and a passing test is how success looks."""
    events = [make_prompt("fix it"), make_call(outcome=FAILED), make_call(), make_event("turn_end")]

    [pattern] = assemble(events)

    assert pattern.final_outcome is Outcome.SUCCESS


def test_work_that_was_broken_off_is_partial() -> None:
    """Without the turn's end nobody knows whether it was finished."""
    [pattern] = assemble([make_prompt("fix the tests"), make_call("Edit"), make_event("session_end")])

    assert pattern.final_outcome is Outcome.PARTIAL


def test_an_event_that_comes_twice_counts_once() -> None:
    """A hook that is registered twice reports everything twice."""
    prompt, call = make_prompt("fix the tests", prompt_id="p1"), make_call(id="t1")
    again = call.model_copy(update={"at": call.at + timedelta(milliseconds=5)})

    [pattern] = assemble([prompt, prompt.model_copy(update={"order": 10**9}), call, again])

    assert len(pattern.actions) == 1


def test_late_delivery_does_not_change_the_order() -> None:
    """Hooks run side by side, and their records arrive as they please."""
    prompt, first, second = make_prompt("fix the tests"), make_call("Read"), make_call("Edit")

    [pattern] = assemble([second, prompt, first])

    assert [action.tool for action in pattern.actions] == ["Read", "Edit"]


def test_the_key_is_the_works_own() -> None:
    """Delivered again it is the same row; the same words in another session, or on another machine, are another."""
    prompt = make_prompt("fix the tests", prompt_id="p1")
    elsewhere = prompt.model_copy(update={"machine": "desktop"})
    later = prompt.model_copy(update={"session_id": "other"})

    keys = [assemble([each, make_call()])[0].source_key for each in (prompt, prompt, elsewhere, later)]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_paths_are_told_from_the_project() -> None:
    """In another clone the same workflow has the same files; what tools leave behind is nobody's work."""
    context = Context(directory="/home/dev/project", project="/home/dev/project", branch="main")
    events = [
        make_prompt("fix it", context=context, at=START - timedelta(days=1)),
        make_call(
            "Edit",
            parameters={"file_path": "/home/dev/project/src/app.py"},
            files=("/home/dev/project/src/app.py", "/home/dev/project/src/__pycache__/app.pyc", "/etc/hosts"),
        ),
    ]

    [pattern] = assemble(events)

    assert pattern.context.files_touched == ("src/app.py", "/etc/hosts")
    assert pattern.actions[0].parameters["file_path"] == "src/app.py"
    assert pattern.context.branch == "main"
