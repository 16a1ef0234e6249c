"""Group actions under their prompts, and judge how the work ended."""

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
    """A pattern records the prompt that started the work and the actions taken for it."""
    events = [make_prompt("fix the tests"), make_call("Read"), make_call("Edit"), make_event("turn_end")]

    [pattern] = assemble(events)

    assert pattern.trigger == "fix the tests"
    assert [action.tool for action in pattern.actions] == ["Read", "Edit"]
    assert pattern.final_outcome is Outcome.SUCCESS


def test_each_task_is_its_own_pattern() -> None:
    """One session often holds several pieces of work."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_prompt("write the changelog"), make_call("Write")]

    assert [pattern.trigger for pattern in assemble(events)] == ["fix the tests", "write the changelog"]


def test_a_follow_up_continues_the_work_before_it() -> None:
    """ "yes, go on" is not a task; its calls belong to the task before it."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_prompt("yes, go on"), make_call("Write")]

    [pattern] = assemble(events)

    assert [action.tool for action in pattern.actions] == ["Edit", "Write"]


def test_machine_text_starts_nothing() -> None:
    """Claude Code sends notifications through the prompt hook."""
    events = [
        make_prompt("fix the tests"),
        make_call("Edit"),
        make_prompt("<task-notification>done</task-notification>"),
        make_call("Write"),
    ]

    [pattern] = assemble(events)

    assert len(pattern.actions) == 2


def test_a_prompt_without_calls_is_not_a_pattern() -> None:
    """Answering a question is not a workflow."""
    assert assemble([make_prompt("what is a monad?"), make_event("turn_end")]) == []


def test_a_failed_last_action_makes_the_outcome_failed() -> None:
    """A session that ended with a failed command must not be suggested as successful work."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_call(outcome=FAILED), make_event("turn_end")]

    [pattern] = assemble(events)

    assert pattern.final_outcome is FAILED


def test_a_fixed_failure_is_a_success() -> None:
    """A failing test, an edit and a passing test are a typical success."""
    events = [make_prompt("fix it"), make_call(outcome=FAILED), make_call(), make_event("turn_end")]

    [pattern] = assemble(events)

    assert pattern.final_outcome is Outcome.SUCCESS


def test_unfinished_work_is_partial() -> None:
    """Without the end of the turn, the work may be incomplete."""
    [pattern] = assemble([make_prompt("fix the tests"), make_call("Edit"), make_event("session_end")])

    assert pattern.final_outcome is Outcome.PARTIAL


def test_source_key_identifies_the_prompt_in_its_session() -> None:
    """Hook and transcript must update the same row; the same words in another session are other work."""
    prompt = make_prompt("fix the tests", prompt_id="p1")
    recorded = prompt.model_copy(update={"source": EventSource.TRANSCRIPT, "machine": "", "order": 3})
    forked = prompt.model_copy(update={"session_id": "other"})

    keys = [assemble([each, make_call()])[0].source_key for each in (prompt, prompt, recorded, forked)]

    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_a_prompt_without_id_is_identified_by_time_and_machine() -> None:
    """Old versions of Claude Code send no prompt ids."""
    prompt = make_prompt("fix the tests")
    others = [prompt.model_copy(update=change) for change in ({"order": 10**9}, {"machine": "desktop"})]

    keys = [assemble([each, make_call()])[0].source_key for each in (prompt, *others)]

    assert len(set(keys)) == 3


def test_paths_are_relative_to_the_worktree() -> None:
    """The same workflow then has the same files in every clone; build products are left out."""
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
def test_a_background_call_gets_its_reported_outcome(outcome: Outcome) -> None:
    """Claude Code reports such a call when it starts, long before it ends."""
    prompt, call = make_prompt("build it"), make_call(id="t1", outcome=Outcome.PARTIAL)
    end = make_call_end("t1", outcome=outcome, at=call.at + timedelta(seconds=5))

    [pattern] = assemble([prompt, call, end, make_event("turn_end")])

    assert pattern.actions[0].outcome is outcome
    assert pattern.actions[0].duration_ms == 5000
    assert pattern.actions[0].duration_source is DurationSource.TRANSCRIPT


def test_a_reported_duration_counts_as_measured() -> None:
    """The agent measured the subagent; the time between two events is only an estimate."""
    end = make_call_end("t1", duration_ms=675)

    [pattern] = assemble([make_prompt("survey"), make_call("Agent", id="t1"), end])

    assert pattern.actions[0].duration_ms == 675
    assert pattern.actions[0].duration_source is DurationSource.AGENT


def test_the_last_reported_end_of_a_call_wins() -> None:
    """A call that continues is reported more than once."""
    ends = [make_call_end("t1", outcome=Outcome.PARTIAL), make_call_end("t1", outcome=FAILED)]

    [pattern] = assemble([make_prompt("build it"), make_call(id="t1"), *ends])

    assert pattern.actions[0].outcome is FAILED


def test_a_call_may_end_during_another_task() -> None:
    """The end completes its own call and does not join the two tasks."""
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


def test_subagent_calls_follow_the_call_that_started_them() -> None:
    """Parallel subagents interleave, and the hook of the starting call may come last."""
    events = [
        make_prompt("survey"),
        make_call("Read", id="b1", actor="b"),
        make_call("Agent", id="a0", started_agent="a"),
        make_call("Read", id="a1", actor="a"),
        make_call("Agent", id="b0", started_agent="b"),
        make_call("Agent", id="a2", actor="a", started_agent="inner"),
        make_call("Read", id="inner1", actor="inner"),
        make_call("Read", id="b2", actor="b"),
        make_call("Read", id="orphan", actor="unknown"),
        make_call("Bash", id="main"),
    ]

    [pattern] = assemble(events)

    order = [action.id for action in pattern.actions]
    assert order == ["a0", "a1", "a2", "inner1", "b0", "b1", "b2", "orphan", "main"]


def test_a_subagent_belongs_to_the_prompt_that_started_it() -> None:
    """A background subagent may still run during the next task."""
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


def test_a_cycle_of_subagents_loses_no_call() -> None:
    """Ids come from payloads and may be wrong."""
    events = [
        make_prompt("survey"),
        make_call("Agent", id="a", actor="a", started_agent="b"),
        make_call("Agent", id="b", actor="b", started_agent="a"),
        make_call("Agent", id="c", actor="c", started_agent="c"),
    ]

    [pattern] = assemble(events)

    assert {action.id for action in pattern.actions} == {"a", "b", "c"}


def test_a_chain_of_5_000_subagents_is_one_pattern() -> None:
    """Recursion would overflow the stack."""
    chain = [make_call("Agent", actor=f"a{number}", started_agent=f"a{number + 1}") for number in range(5_000)]

    [pattern] = assemble([make_prompt("survey"), *chain])

    assert len(pattern.actions) == 5_000


def test_only_the_main_agent_decides_the_outcome() -> None:
    """The main agent judges a subagent's failed attempt, and the user's own shell is not its work."""
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
    """Such a prompt is part of the same turn, however long it is."""
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit"),
        make_prompt("use the new parser for that", prompt_id="p1"),
        make_call("Write"),
    ]

    [pattern] = assemble(events)

    assert len(pattern.actions) == 2


def test_custom_commands_start_tasks_and_built_in_ones_do_not() -> None:
    """`/release` is work; `/compact` is not."""
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
def test_reported_calls_without_a_task_are_orphaned(opening: str) -> None:
    """No pattern contains them, so they must be reported before their session is deleted."""
    orphan = make_call("Read")
    events = [*([make_prompt(opening)] if opening else []), orphan, make_prompt("fix the tests"), make_call("Edit")]

    [pattern] = assemble(events)

    assert [action.tool for action in pattern.actions] == ["Edit"]
    assert orphaned_calls(events) == [orphan]


def test_calls_from_the_transcript_alone_are_never_orphaned() -> None:
    """The spool has no record of them, so there is nothing to make a dead letter of."""
    assert orphaned_calls([make_call("Bash", actor="user", source=EventSource.TRANSCRIPT), make_prompt("fix it")]) == []


def test_our_own_commands_start_no_task() -> None:
    """The assistant may run `behavior recall` to answer; the next prompt still starts a task."""
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
    """Only a prompt typed during a task steers that task."""
    events = [
        make_prompt("<task-notification>\n<task-id>b1</task-id>", prompt_id="p1"),
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit"),
    ]

    [pattern] = assemble(events)

    assert pattern.trigger == "fix the tests"


def test_the_users_shell_calls_alone_are_not_a_pattern() -> None:
    """Without a call by the assistant there is nothing to learn."""
    assert assemble([make_prompt("hello"), make_call(actor="user")]) == []


@pytest.mark.parametrize("follow_up", [make_prompt("go on"), make_call_end("t9")])
def test_an_interrupted_follow_up_leaves_the_work_partial(follow_up: Event) -> None:
    """The first turn ended, but the follow-up's turn did not."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_event("turn_end"), follow_up]

    [pattern] = assemble(events)

    assert pattern.final_outcome is Outcome.PARTIAL


def test_the_end_of_another_turn_does_not_complete_the_work() -> None:
    """After an interrupt, a line in the user's shell is a turn of its own, with its own end."""
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit", prompt_id="p1"),
        make_call(actor="user", prompt_id="p2"),
        make_event("turn_end", prompt_id="p2"),
    ]

    [pattern] = assemble(events)

    assert pattern.final_outcome is Outcome.PARTIAL


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ((EventSource.HOOK, EventSource.HOOK), "hooks"),
        ((EventSource.TRANSCRIPT, EventSource.TRANSCRIPT), "transcript"),
        ((EventSource.HOOK, EventSource.TRANSCRIPT), "hooks+transcript"),
    ],
)
def test_a_pattern_names_its_sources(sources: tuple[EventSource, EventSource], expected: str) -> None:
    """Hooks and transcripts measure durations differently."""
    [pattern] = assemble([make_prompt("fix it", source=sources[0]), make_call(source=sources[1])])

    assert pattern.provenance.source == expected


def test_a_real_session_nests_its_subagents() -> None:
    """One subagent ran in the foreground, the other in the background while the main agent continued."""
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
def test_hooks_and_transcript_give_the_same_patterns(session: str) -> None:
    """Learning a real session again, with more events, then replaces the stored rows."""
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
def test_a_call_cannot_claim_to_have_started_its_own_actor(started: str) -> None:
    """One such payload would move all work to the last prompt."""
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
