"""Group the events of a session into turns: a prompt of a person, and the work up to the next one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from behavior_plugin.model import Context, DurationSource, Event, EventSource, Outcome, PromptKind
from behavior_plugin.patterns.reconcile import reconcile
from behavior_plugin.patterns.turns import orphaned_calls, turns_of
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
NOTIFICATION = "<task-notification>\n<task-id>b1</task-id>"


def work_of(events: list[Event]) -> list[tuple[str, list[str]]]:
    """Each prompt with the tools of its calls."""
    return [(turn.prompt, [action.tool for action in turn.actions]) for turn in turns_of(events)]


def test_each_prompt_is_a_turn_with_the_calls_after_it() -> None:
    """A follow-up is a turn too: its words judge the work before, and only then is it joined to it."""
    events = [make_prompt("fix the tests"), make_call("Read"), make_call("Edit"), make_prompt("go on"), make_call()]

    assert work_of(events) == [("fix the tests", ["Read", "Edit"]), ("go on", ["Bash"])]
    assert [turn.prompt_kind for turn in turns_of(events)] == [PromptKind.TASK, PromptKind.FOLLOW_UP]


def test_a_prompt_without_calls_is_a_turn() -> None:
    """ "no, that is wrong" may be all that says how the work before it ended."""
    assert work_of([make_prompt("fix the tests"), make_call(), make_prompt("that is wrong")])[1] == (
        "that is wrong",
        [],
    )


@pytest.mark.parametrize("text", [NOTIFICATION, "/compact keep it short", "/model opus"])
def test_neither_machines_nor_built_in_commands_begin_a_turn(text: str) -> None:
    """Claude Code sends notifications through the prompt hook; `/compact` is no work."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_prompt(text), make_call("Write")]

    assert work_of(events) == [("fix the tests", ["Edit", "Write"])]


def test_our_own_commands_and_their_calls_are_in_no_turn() -> None:
    """The assistant may run `behavior recall` to answer; the next prompt begins a turn again."""
    events = [
        make_prompt("fix the tests"),
        make_call("Edit"),
        make_prompt("/behavior:recall the invoice"),
        make_call("Bash"),
        make_prompt("yes, do that"),
        make_call("Write"),
    ]

    assert work_of(events) == [("fix the tests", ["Edit"]), ("yes, do that", ["Write"])]
    assert orphaned_calls(events[2:]) == []


def test_a_turn_is_ended_by_a_reported_end() -> None:
    """Without one it was broken off, and the work may be incomplete."""
    whole = [make_prompt("fix the tests"), make_call("Edit"), make_event("turn_end", closing="All tests pass.")]

    [ended], [broken] = turns_of(whole), turns_of([*whole[:2], make_event("session_end")])

    assert (ended.is_ended, ended.closing) == (True, "All tests pass.")
    assert (broken.is_ended, broken.closing) == (False, None)


def test_work_after_the_end_of_a_turn_needs_an_end_of_its_own() -> None:
    """A background call ended and the agent went on, but was interrupted."""
    events = [make_prompt("fix the tests"), make_call("Edit"), make_event("turn_end"), make_call_end("t9")]

    [turn] = turns_of(events)

    assert not turn.is_ended


def test_the_end_of_another_prompt_does_not_end_a_turn() -> None:
    """After an interrupt, a line in the user's shell is a turn of its own, with its own end."""
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit", prompt_id="p1"),
        make_call(actor="user", prompt_id="p2"),
        make_event("turn_end", prompt_id="p2"),
    ]

    [turn] = turns_of(events)

    assert not turn.is_ended


def test_a_prompt_typed_during_the_work_is_a_turn_of_its_own() -> None:
    """Its words say something about the calls before it, and the calls after it are made for it."""
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit"),
        make_prompt("no, not that file", prompt_id="p1"),
        make_call("Write"),
        make_event("turn_end", prompt_id="p1", closing="Done."),
        make_prompt("write the changelog", prompt_id="p2"),
    ]

    steered, steering, later = turns_of(events)

    assert [turn.is_interjected for turn in (steered, steering, later)] == [False, True, False]
    assert [[action.tool for action in turn.actions] for turn in (steered, steering)] == [["Edit"], ["Write"]]
    assert [turn.is_ended for turn in (steered, steering, later)] == [True, True, False]
    assert [turn.closing for turn in (steered, steering)] == [None, "Done."]
    assert len({turn.source_key for turn in (steered, steering, later)}) == 3


def test_the_end_of_a_steered_turn_ends_no_earlier_turn() -> None:
    """A turn that was broken off before stays so."""
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit"),
        make_prompt("write the changelog", prompt_id="p2"),
        make_prompt("in English", prompt_id="p2"),
        make_event("turn_end", prompt_id="p2"),
    ]

    assert [turn.is_ended for turn in turns_of(events)] == [False, True, True]


def test_a_task_with_the_id_of_a_notification_is_not_interjected() -> None:
    """Only a prompt typed during a turn steers that turn."""
    events = [make_prompt(NOTIFICATION, prompt_id="p1"), make_prompt("fix the tests", prompt_id="p1"), make_call()]

    [turn] = turns_of(events)

    assert not turn.is_interjected


def test_a_prompt_typed_during_our_own_command_is_not_interjected() -> None:
    """It belongs to no turn that it could steer."""
    events = [make_prompt("/behavior:status", prompt_id="p1"), make_call(), make_prompt("fix it all", prompt_id="p1")]

    [turn] = turns_of(events)

    assert not turn.is_interjected


@pytest.mark.parametrize("text", ["/clear", "/new", "/reset "])
def test_a_turn_follows_a_clear(text: str) -> None:
    """The prompt after it cannot mean the work before it."""
    events = [make_prompt("fix the tests"), make_prompt(text), make_prompt("write the changelog"), make_prompt("go on")]

    assert [turn.follows_clear for turn in turns_of(events)] == [False, True, False]


@pytest.mark.parametrize(("reason", "expected"), [("clear", True), ("resume", False), ("compact", False)])
def test_a_session_may_begin_by_a_clear(reason: str, expected: bool) -> None:
    """Claude Code begins a new session for the cleared one."""
    [turn] = turns_of([make_event("session_start", reason=reason), make_prompt("fix the tests")])

    assert turn.follows_clear is expected


def test_source_key_identifies_the_prompt_in_its_session() -> None:
    """Hook and transcript must update the same row; the same words in another session are other work."""
    prompt = make_prompt("fix the tests", prompt_id="p1")
    recorded = prompt.model_copy(update={"source": EventSource.TRANSCRIPT, "machine": "", "order": 3})
    forked = prompt.model_copy(update={"session_id": "other"})

    keys = [turns_of([each, make_call()])[0].source_key for each in (prompt, prompt, recorded, forked)]

    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_a_prompt_without_id_is_identified_by_time_and_machine() -> None:
    """Old versions of Claude Code send no prompt ids."""
    prompt = make_prompt("fix the tests")
    others = [prompt.model_copy(update=change) for change in ({"order": 10**9}, {"machine": "desktop"})]

    keys = [turns_of([each])[0].source_key for each in (prompt, *others)]

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

    [turn] = turns_of(events)

    assert turn.context.files_touched == ("src/app.py", "/home/dev/project2/x.py", "/etc/hosts")
    assert turn.actions[0].parameters["file_path"] == "src/app.py"
    assert turn.context.branch == "main"


@pytest.mark.parametrize("outcome", Outcome)
def test_a_background_call_gets_its_reported_outcome(outcome: Outcome) -> None:
    """Claude Code reports such a call when it starts, long before it ends."""
    prompt, call = make_prompt("build it"), make_call(id="t1", outcome=Outcome.PARTIAL)
    end = make_call_end("t1", outcome=outcome, at=call.at + timedelta(seconds=5))

    [turn] = turns_of([prompt, call, end, make_event("turn_end")])

    assert turn.actions[0].outcome is outcome
    assert turn.actions[0].duration_ms == 5000
    assert turn.actions[0].duration_source is DurationSource.TRANSCRIPT


def test_a_reported_duration_counts_as_measured() -> None:
    """The agent measured the subagent; the time between two events is only an estimate."""
    end = make_call_end("t1", duration_ms=675)

    [turn] = turns_of([make_prompt("survey"), make_call("Agent", id="t1"), end])

    assert turn.actions[0].duration_ms == 675
    assert turn.actions[0].duration_source is DurationSource.AGENT


def test_the_last_reported_end_of_a_call_wins() -> None:
    """A call that continues is reported more than once, and may end during another turn."""
    ends = [make_call_end("t1", outcome=Outcome.PARTIAL), make_call_end("t1", outcome=FAILED)]

    first, _ = turns_of([make_prompt("build it"), make_call(id="t1"), ends[0], make_prompt("go on"), ends[1]])

    assert first.actions[0].outcome is FAILED


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

    [turn] = turns_of(events)

    order = [action.id for action in turn.actions]
    assert order == ["a0", "a1", "a2", "inner1", "b0", "b1", "b2", "orphan", "main"]


def test_a_subagent_belongs_to_the_prompt_that_started_it() -> None:
    """A background subagent may still run during the next turn."""
    events = [
        make_prompt("survey"),
        make_call("Agent", id="a0", started_agent="a"),
        make_prompt("write the changelog"),
        make_call("Write", id="main"),
        make_call("Read", id="a1", actor="a"),
    ]

    first, second = turns_of(events)

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

    [turn] = turns_of(events)

    assert {action.id for action in turn.actions} == {"a", "b", "c"}


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

    found = [[action.id for action in turn.actions] for turn in turns_of(events)]

    assert found == [["first", "shell", "inner"], ["second"]]


def test_a_chain_of_5_000_subagents_is_one_turn() -> None:
    """Recursion would overflow the stack."""
    chain = [make_call("Agent", actor=f"a{number}", started_agent=f"a{number + 1}") for number in range(5_000)]

    [turn] = turns_of([make_prompt("survey"), *chain])

    assert len(turn.actions) == 5_000


@pytest.mark.parametrize("opening", ["", "/model", NOTIFICATION])
def test_reported_calls_without_a_prompt_are_orphaned(opening: str) -> None:
    """No turn contains them, so they must be reported before their session is deleted."""
    orphan = make_call("Read")
    events = [*([make_prompt(opening)] if opening else []), orphan, make_prompt("fix the tests"), make_call("Edit")]

    assert work_of(events) == [("fix the tests", ["Edit"])]
    assert orphaned_calls(events) == [orphan]


def test_calls_from_the_transcript_alone_are_never_orphaned() -> None:
    """The spool has no record of them, so there is nothing to make a dead letter of."""
    assert orphaned_calls([make_call("Bash", actor="user", source=EventSource.TRANSCRIPT), make_prompt("fix it")]) == []


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ((EventSource.HOOK, EventSource.HOOK), "hooks"),
        ((EventSource.TRANSCRIPT, EventSource.TRANSCRIPT), "transcript"),
        ((EventSource.HOOK, EventSource.TRANSCRIPT), "hooks+transcript"),
    ],
)
def test_a_turn_has_its_provenance(sources: tuple[EventSource, EventSource], expected: str) -> None:
    """Hooks and transcripts measure durations differently."""
    events = [make_prompt("fix it", source=sources[0]), make_call(source=sources[1])]

    [turn] = turns_of(events, follows="before")

    assert (turn.provenance.source, turn.provenance.follows) == (expected, "before")
    assert (turn.provenance.machine, turn.provenance.agent) == ("laptop", "claude-code")


def test_a_real_session_nests_its_subagents() -> None:
    """One subagent ran in the foreground, the other in the background while the main agent continued."""
    turn, _ = turns_of(reconcile([], recorded_events("print-subagents")))

    assert [(action.tool, action.outcome.value, action.actor) for action in turn.actions] == [
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
    assert [action.duration_ms for action in turn.actions if action.tool == "Agent"] == [326, 675]


@pytest.mark.parametrize("session", SESSIONS)
def test_hooks_and_transcript_give_the_same_turns(session: str) -> None:
    """Learning a real session again, with more events, then replaces the stored rows."""
    recorded = recorded_events(session)

    alone = turns_of(reconcile([], recorded))
    together = turns_of(reconcile(reported_events(recorded), recorded))

    assert [turn.source_key for turn in together] == [turn.source_key for turn in alone]
    for one, other in zip(together, alone, strict=True):
        assert (one.prompt, one.is_ended, one.is_interjected) == (other.prompt, other.is_ended, other.is_interjected)
        assert [action.id for action in one.actions] == [action.id for action in other.actions]
        assert one.context.files_touched == other.context.files_touched


def test_a_session_of_20_000_calls_is_one_turn() -> None:
    """Some sessions last for days."""
    events = [make_prompt("do it all"), *(make_call(id=f"t{number}") for number in range(20_000))]

    [turn] = turns_of(reconcile(events, []))

    assert len(turn.actions) == 20_000


@pytest.mark.parametrize("reply", ["yes", "go on"])
def test_a_private_prompt_its_calls_and_its_replies_are_in_no_turn(reply: str) -> None:
    """The commands of a turn give it away."""
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit", prompt_id="p1"),
        make_prompt("<private>sell the house</private>", prompt_id="p2"),
        make_call("Bash", prompt_id="p2"),
        make_prompt("and hurry", prompt_id="p2"),
        make_call("Grep", prompt_id="p2"),
        make_event("turn_end", prompt_id="p2", closing="Sold."),
        make_prompt(reply, prompt_id="p3"),
        make_call("Write", prompt_id="p3"),
        make_prompt("fix the docs", prompt_id="p4"),
        make_call("Read", prompt_id="p4"),
    ]

    assert work_of(events) == [("fix the tests", ["Edit"]), ("fix the docs", ["Read"])]
    assert orphaned_calls(events[2:]) == []


def test_a_private_prompt_typed_into_other_work_takes_the_calls_after_it() -> None:
    events = [
        make_prompt("fix the tests", prompt_id="p1"),
        make_call("Edit", prompt_id="p1"),
        make_prompt("<private>sell the house</private>", prompt_id="p1"),
        make_call("Bash", prompt_id="p1"),
    ]

    assert work_of(events) == [("fix the tests", ["Edit"])]
