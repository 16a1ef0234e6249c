"""Which actions belong to which prompt, and how the work ended."""

from __future__ import annotations

from datetime import timedelta

import pytest

from behavior_plugin.model import Context, DurationSource, Event, EventSource, Outcome
from behavior_plugin.patterns.episodes import assemble, orphaned_calls
from behavior_plugin.patterns.reconcile import reconcile
from tests.factories import (
    SESSIONS,
    make_call,
    make_call_end,
    make_event,
    make_prompt,
    recorded_events,
    reported_events,
)

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


def test_the_key_is_the_works_own() -> None:
    """Delivered again it is the same row, whoever tells of it; the same words in another session are another."""
    prompt = make_prompt("fix the tests", prompt_id="p1")
    recorded = prompt.model_copy(update={"source": EventSource.TRANSCRIPT, "machine": "", "order": 3})
    forked = prompt.model_copy(update={"session_id": "other"})

    keys = [assemble([each, make_call()])[0].source_key for each in (prompt, prompt, recorded, forked)]

    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_a_prompt_without_an_id_is_known_by_when_and_where_it_was_typed() -> None:
    """Old clients name no prompts."""
    prompt = make_prompt("fix the tests")
    others = [prompt.model_copy(update=change) for change in ({"order": 10**9}, {"machine": "desktop"})]

    keys = [assemble([each, make_call()])[0].source_key for each in (prompt, *others)]

    assert len(set(keys)) == 3


def test_paths_are_told_from_the_top_of_the_worktree() -> None:
    """In another clone the same workflow has the same files; what tools leave behind is nobody's work."""
    context = Context(directory="/home/dev/project/sub", root="/home/dev/project", project="remote", branch="main")
    app = "/home/dev/project/src/app.py"
    events = [
        make_prompt("fix it", context=context),
        make_call(
            "Edit",
            parameters={"file_path": app},
            files=(app, app, "/home/dev/project/src/__pycache__/app.pyc", "/home/dev/project2/x.py", "/etc/hosts"),
        ),
    ]

    [pattern] = assemble(events)

    assert pattern.context.files_touched == ("src/app.py", "/home/dev/project2/x.py", "/etc/hosts")
    assert pattern.actions[0].parameters["file_path"] == "src/app.py"
    assert pattern.context.branch == "main"


@pytest.mark.parametrize("outcome", Outcome)
def test_a_call_in_the_background_ends_as_reported_later(outcome: Outcome) -> None:
    """The client reports such a call when it was started, long before it ends."""
    prompt, call = make_prompt("build it"), make_call(id="t1", outcome=Outcome.PARTIAL)
    end = make_call_end("t1", outcome=outcome, at=call.at + timedelta(seconds=5))

    [pattern] = assemble([prompt, call, end, make_event("turn_end")])

    assert pattern.actions[0].outcome is outcome
    assert pattern.actions[0].duration_ms == 5000
    assert pattern.actions[0].duration_source is DurationSource.TRANSCRIPT


def test_a_reported_duration_is_the_agents() -> None:
    """It says how long a subagent took, which the time between two events only suggests."""
    end = make_call_end("t1", duration_ms=675)

    [pattern] = assemble([make_prompt("survey"), make_call("Agent", id="t1"), end])

    assert pattern.actions[0].duration_ms == 675
    assert pattern.actions[0].duration_source is DurationSource.AGENT


def test_the_last_end_of_a_call_counts() -> None:
    """Work that goes on is reported more than once."""
    ends = [make_call_end("t1", outcome=Outcome.PARTIAL), make_call_end("t1", outcome=FAILED)]

    [pattern] = assemble([make_prompt("build it"), make_call(id="t1"), *ends])

    assert pattern.actions[0].outcome is FAILED


def test_a_call_may_end_when_something_else_is_worked_on() -> None:
    """It completes the call it names, wherever that is, and joins nothing."""
    events = [
        make_prompt("build it"),
        make_call(id="t1", outcome=Outcome.PARTIAL),
        make_event("turn_end"),
        make_prompt("write the changelog"),
        make_call("Write", id="t2"),
        make_call_end("t1", outcome=FAILED),
        make_event("turn_end"),
    ]

    first, second = assemble(events)

    assert first.final_outcome is FAILED
    assert second.final_outcome is Outcome.SUCCESS


def test_subagents_calls_stand_behind_the_call_that_started_them() -> None:
    """Side by side they interleave, and the hook of the call that started them may come last."""
    events = [
        make_prompt("survey"),
        make_call("Read", id="b1", actor="b"),
        make_call("Agent", id="a0", started_agent="a"),
        make_call("Read", id="a1", actor="a"),
        make_call("Agent", id="b0", started_agent="b"),
        make_call("Agent", id="a2", actor="a", started_agent="inner"),
        make_call("Read", id="inner1", actor="inner"),
        make_call("Read", id="b2", actor="b"),
        make_call("Read", id="lone", actor="unknown"),
        make_call("Bash", id="main"),
    ]

    [pattern] = assemble(events)

    order = [action.id for action in pattern.actions]
    assert order == ["a0", "a1", "a2", "inner1", "b0", "b1", "b2", "lone", "main"]


def test_a_subagent_works_for_the_prompt_that_it_was_started_for() -> None:
    """In the background it may go on while the next task is worked on."""
    events = [
        make_prompt("survey"),
        make_call("Agent", id="a0", started_agent="a"),
        make_prompt("write the changelog"),
        make_call("Write", id="main"),
        make_call("Read", id="a1", actor="a"),
    ]

    first, second = assemble(events)

    assert [action.id for action in first.actions] == ["a0", "a1"]
    assert [action.id for action in second.actions] == ["main"]


def test_agents_that_claim_to_have_started_each_other_lose_no_call() -> None:
    """Ids are what a payload says they are."""
    events = [
        make_prompt("survey"),
        make_call("Agent", id="a", actor="a", started_agent="b"),
        make_call("Agent", id="b", actor="b", started_agent="a"),
        make_call("Agent", id="c", actor="c", started_agent="c"),
    ]

    [pattern] = assemble(events)

    assert {action.id for action in pattern.actions} == {"a", "b", "c"}


def test_a_chain_of_thousands_of_agents_is_no_trouble() -> None:
    """A recursion would not survive it."""
    chain = [make_call("Agent", actor=f"a{number}", started_agent=f"a{number + 1}") for number in range(5_000)]

    [pattern] = assemble([make_prompt("survey"), *chain])

    assert len(pattern.actions) == 5_000


def test_the_outcome_is_the_main_agents() -> None:
    """A subagent's failed attempt is the main agent's to judge, and the user's shell is the user's."""
    events = [
        make_prompt("survey"),
        make_call("Agent", started_agent="a"),
        make_call("Read", actor="a", outcome=FAILED),
        make_event("turn_end"),
        make_call(actor="user", outcome=FAILED),
    ]

    [pattern] = assemble(events)

    assert pattern.final_outcome is Outcome.SUCCESS


def test_a_prompt_typed_during_the_work_steers_it() -> None:
    """It is a part of the same turn, however much it says."""
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit"),
        make_prompt("use the new parser for that", prompt_id="p1"),
        make_call("Write"),
    ]

    [pattern] = assemble(events)

    assert len(pattern.actions) == 2


def test_a_built_in_command_opens_nothing_and_a_custom_one_does() -> None:
    """`/compact` is no work; `/release` is."""
    events = [
        make_prompt("fix the tests"),
        make_call("Edit"),
        make_event("turn_end"),
        make_prompt("/compact keep it short"),
        make_prompt("go on"),
        make_call("Write"),
        make_event("turn_end"),
        make_prompt("/release 1.2"),
        make_call("Bash"),
        make_event("turn_end"),
        make_prompt("/clear"),
    ]

    patterns = assemble(events)

    assert [(pattern.trigger, len(pattern.actions)) for pattern in patterns] == [
        ("fix the tests", 2),
        ("/release 1.2", 1),
    ]
    assert {pattern.final_outcome for pattern in patterns} == {Outcome.SUCCESS}


@pytest.mark.parametrize("opening", ["", "/model", "/compact", "<task-notification>\n<task-id>b1</task-id>"])
def test_reported_calls_that_no_prompt_set_off_are_named(opening: str) -> None:
    """They are in no pattern, and must not vanish with their session."""
    stray = make_call("Read")
    events = [*([make_prompt(opening)] if opening else []), stray, make_prompt("fix the tests"), make_call("Edit")]

    [pattern] = assemble(events)

    assert [action.tool for action in pattern.actions] == ["Edit"]
    assert orphaned_calls(events) == [stray]


def test_calls_that_only_the_transcript_tells_of_are_not_missed() -> None:
    """They lie nowhere, so there is nothing to set aside."""
    assert orphaned_calls([make_call("Bash", actor="user", source=EventSource.TRANSCRIPT), make_prompt("fix it")]) == []


def test_what_our_own_command_sets_off_is_no_work() -> None:
    """The assistant may run `behavior recall` to answer; a task that follows is a task all the same."""
    events = [
        make_prompt("fix the tests"),
        make_call("Edit"),
        make_prompt("/behavior:recall the invoice"),
        make_call("Bash"),
        make_prompt("yes, do that"),
        make_call("Write"),
    ]

    found = [(pattern.trigger, [action.tool for action in pattern.actions]) for pattern in assemble(events)]

    assert found == [("fix the tests", ["Edit"]), ("yes, do that", ["Write"])]
    assert orphaned_calls(events[2:]) == []


def test_a_task_with_the_id_of_a_notification_is_a_task() -> None:
    """Only what is typed while a task is worked on steers it."""
    events = [
        make_prompt("<task-notification>\n<task-id>b1</task-id>", prompt_id="p1"),
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit"),
    ]

    [pattern] = assemble(events)

    assert pattern.trigger == "fix the tests"


def test_the_users_own_shell_alone_is_no_work() -> None:
    """There is nothing to learn from before the assistant did something."""
    assert assemble([make_prompt("hello"), make_call(actor="user")]) == []


@pytest.mark.parametrize("follow_up", [make_prompt("go on"), make_call_end("t9")])
def test_a_turn_that_was_broken_off_leaves_the_work_unfinished(follow_up: Event) -> None:
    """The turn before it came to its end, and the next did not."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_event("turn_end"), follow_up]

    [pattern] = assemble(events)

    assert pattern.final_outcome is Outcome.PARTIAL


def test_the_end_of_another_turn_ends_nothing() -> None:
    """After an interrupt a line in the user's shell makes a turn of its own, and that has an end."""
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit", prompt_id="p1"),
        make_call(actor="user", prompt_id="p2"),
        make_event("turn_end", prompt_id="p2"),
    ]

    [pattern] = assemble(events)

    assert pattern.final_outcome is Outcome.PARTIAL


@pytest.mark.parametrize(
    ("sources", "told_by"),
    [
        ((EventSource.HOOK, EventSource.HOOK), "hooks"),
        ((EventSource.TRANSCRIPT, EventSource.TRANSCRIPT), "transcript"),
        ((EventSource.HOOK, EventSource.TRANSCRIPT), "hooks+transcript"),
    ],
)
def test_a_pattern_says_who_told_of_it(sources: tuple[EventSource, EventSource], told_by: str) -> None:
    """Durations of the one and of the other are not alike."""
    [pattern] = assemble([make_prompt("fix it", source=sources[0]), make_call(source=sources[1])])

    assert pattern.provenance.source == told_by


def test_a_real_session_nests_its_subagents() -> None:
    """One ran in the foreground, one in the background while the main agent worked on."""
    [pattern] = assemble(reconcile([], recorded_events("print-subagents")))

    assert [(action.tool, action.outcome.value, action.actor) for action in pattern.actions] == [
        ("Agent", "success", "main"),
        ("Bash", "success", "a6747a4b1259f8dcf"),
        ("Agent", "success", "main"),
        ("Bash", "success", "a1a578ecf73e36bf7"),
        ("Read", "failed", "a1a578ecf73e36bf7"),
        ("Bash", "success", "main"),
        ("Bash", "failed", "main"),
        ("NoSuchTool", "failed", "main"),
        ("Edit", "failed", "main"),
    ]
    assert [action.duration_ms for action in pattern.actions if action.tool == "Agent"] == [326, 675]
    assert pattern.final_outcome is FAILED


@pytest.mark.parametrize("session", SESSIONS)
def test_hooks_and_transcript_make_the_same_patterns_of_a_real_session(session: str) -> None:
    """So a session that is learned from again, with more known of it, replaces what was stored."""
    recorded = recorded_events(session)

    alone = assemble(reconcile([], recorded))
    together = assemble(reconcile(reported_events(recorded), recorded))

    assert [pattern.source_key for pattern in together] == [pattern.source_key for pattern in alone]
    for one, other in zip(together, alone, strict=True):
        assert (one.trigger, one.final_outcome) == (other.trigger, other.final_outcome)
        assert [action.id for action in one.actions] == [action.id for action in other.actions]
        assert one.context.files_touched == other.context.files_touched


def test_a_session_of_20_000_calls_is_one_pattern() -> None:
    """Some sessions last for days."""
    events = [make_prompt("do it all"), *(make_call(id=f"t{number}") for number in range(20_000))]

    [pattern] = assemble(reconcile(events, []))

    assert len(pattern.actions) == 20_000


@pytest.mark.parametrize("started", ["main", "user", "a"])
def test_a_call_that_claims_to_have_started_its_own_like_moves_nothing(started: str) -> None:
    """One such answer would move all work to the last prompt."""
    events = [
        make_prompt("survey"),
        make_call(id="first"),
        make_call(id="shell", actor="user"),
        make_call(id="inner", actor="a"),
        make_prompt("write the changelog"),
        make_call(id="second", actor="a", started_agent=started),
    ]

    patterns = assemble(events)

    assert [[action.id for action in pattern.actions] for pattern in patterns] == [
        ["first", "shell", "inner"],
        ["second"],
    ]
