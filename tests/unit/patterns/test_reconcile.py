"""Merging hook events and transcript events, on real sessions and on made-up ones."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.agents.claude_code import transcript
from behavior_plugin.model import Action, Context, DurationSource, Event, EventKind, EventSource, Outcome, Verdict
from behavior_plugin.patterns.reconcile import reconcile
from tests.factories import (
    SESSIONS,
    START,
    make_call,
    make_call_end,
    make_event,
    make_prompt,
    recorded_events,
    reported_events,
    transcript_lines,
)
from tests.work import steps

TRANSCRIPT = EventSource.TRANSCRIPT


def ids(events: Iterable[Event]) -> list[str | None]:
    return [event.action.id for event in events if event.action]


def prompts(events: Iterable[Event]) -> list[str | None]:
    return [event.prompt for event in events if event.prompt]


def recorded_turn(number: int, text: str = "fix the parser") -> list[Event]:
    """A turn as it stands in the transcript."""
    prompt_id = f"p{number}"
    return [
        make_prompt(text, prompt_id=prompt_id, source=TRANSCRIPT),
        make_call(id=f"t{number}", prompt_id=prompt_id, source=TRANSCRIPT),
        make_event("turn_end", prompt_id=prompt_id, source=TRANSCRIPT),
    ]


def as_hook_events(events: Iterable[Event]) -> list[Event]:
    return [event.model_copy(update={"source": EventSource.HOOK}) for event in events]


@pytest.mark.parametrize("session", SESSIONS)
def test_a_real_session_is_merged_without_duplicates(session: str) -> None:
    """The transcript is complete, so the merge has its events, in its order and number."""
    recorded = recorded_events(session)

    events = reconcile(reported_events(recorded), recorded)

    assert sorted(map(str, ids(events))) == sorted(map(str, ids(recorded)))
    assert prompts(events) == prompts(recorded)
    assert [event.kind for event in events].count(EventKind.TURN_END) == [event.kind for event in recorded].count(
        EventKind.TURN_END
    )


@pytest.mark.parametrize("session", SESSIONS)
def test_the_measured_duration_wins_over_the_transcripts(session: str) -> None:
    """The agent's own measurement leaves out the wait for a permission."""
    recorded = recorded_events(session)
    reported = reported_events(recorded)

    events = reconcile(reported, recorded)

    durations = {event.action.id: event.action.duration_ms for event in reported if event.action}
    for action in filter(None, (event.action for event in events)):
        is_measured = action.id in durations
        assert action.duration_source is (DurationSource.AGENT if is_measured else DurationSource.TRANSCRIPT)
        assert not is_measured or action.duration_ms == durations[action.id]


def test_the_start_of_a_call_comes_from_the_transcript() -> None:
    """A hook starts some time after the call's end and can only estimate its start."""
    turn = recorded_turn(1)
    late = make_call(id="t1", prompt_id="p1", timestamp=turn[1].at + timedelta(seconds=30))

    [call] = [event for event in reconcile([*as_hook_events(turn[:1]), late], turn) if event.action]

    assert call.action
    assert call.action.timestamp == turn[1].at


@pytest.mark.parametrize("session", SESSIONS)
def test_one_missing_hook_does_not_change_the_calls(session: str) -> None:
    """Claude Code kills the hooks of a headless run at its end."""
    recorded = recorded_events(session)
    reported = reported_events(recorded)
    whole = reconcile(reported, recorded)

    for missing in range(1, len(reported)):
        events = reconcile(reported[:missing] + reported[missing + 1 :], recorded)
        assert (ids(events), prompts(events)) == (ids(whole), prompts(whole))


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("seed", range(10))
def test_order_and_repetition_of_events_do_not_matter(session: str, seed: int) -> None:
    """Hooks run in parallel and may be registered twice, so their records arrive in any order."""
    dice = random.Random(seed)
    recorded = recorded_events(session)
    reported = reported_events(recorded)
    twice = reported + dice.sample(reported, k=len(reported) // 2)
    dice.shuffle(twice)

    assert reconcile(twice, recorded) == reconcile(reported, recorded)
    assert reconcile(twice, []) == reconcile(reported, [])


@pytest.mark.parametrize("session", SESSIONS)
def test_a_truncated_transcript_drops_no_hook_event(session: str) -> None:
    """A killed agent may have written only a part of its transcript."""
    lines = transcript_lines(session)
    reported = reported_events(recorded_events(session))

    for end in range(len(lines)):
        events = reconcile(reported, transcript.read(lines[:end], session_id=session))
        assert set(ids(reported)) <= set(ids(events))
        assert set(prompts(reported)) <= set(prompts(events))
        assert len(ids(events)) == len(set(ids(events)))


def test_without_a_transcript_hook_events_are_sorted() -> None:
    """The transcript's file may be deleted."""
    events = [make_prompt("fix it", prompt_id="p1"), make_call(id="t1"), make_call(), make_event("turn_end")]

    assert reconcile([*events[::-1], *events], []) == events


def test_a_hook_that_is_registered_twice_reports_one_event() -> None:
    """The two records differ only in their time."""
    prompt, call, end = make_prompt("fix it", prompt_id="p1"), make_call(id="t1"), make_event("turn_end")
    later = [
        event.model_copy(update={"at": event.at + timedelta(milliseconds=5), "order": event.order + 1})
        for event in (prompt, call, end)
    ]

    assert reconcile([prompt, call, end, *later], []) == [prompt, call, end]


def test_calls_are_ordered_by_their_start() -> None:
    """Hooks report calls at their end, so the longer of two parallel calls arrives last."""
    short = make_call("Read", id="t2")
    long = make_call(id="t1", timestamp=short.at - timedelta(seconds=9))

    assert ids(reconcile([short, long], [])) == ["t1", "t2"]


def test_a_call_follows_its_prompt_despite_an_earlier_timestamp() -> None:
    """A call before the first prompt would be orphaned."""
    prompt = make_prompt("fix it", prompt_id="p1")
    call = make_call(id="t1", prompt_id="p1", timestamp=prompt.at - timedelta(minutes=1))
    recorded = prompt.model_copy(update={"source": TRANSCRIPT, "at": call.at + timedelta(seconds=1)})

    for events in (reconcile([call, prompt], []), reconcile([call, prompt], [recorded])):
        assert [event.kind for event in events] == [EventKind.PROMPT, EventKind.ACTION]


def test_setting_the_clock_back_does_not_change_the_order() -> None:
    """Within one process the monotonic clock decides the order."""
    events = [make_event("other", agent_pid=7) for _ in range(4)]
    back = [event.model_copy(update={"at": event.at - timedelta(days=3650)}) for event in events[2:]]

    assert [event.order for event in reconcile([*back, *events[:2]], [])] == [event.order for event in events]


def test_a_resumed_session_takes_only_what_is_new() -> None:
    """Earlier turns were stored when the session was closed, but the transcript still contains them."""
    before, after = recorded_turn(1), recorded_turn(2, "write the changelog")

    events = reconcile(as_hook_events(after), [*before, *after])

    assert ids(events) == ["t2"]


def test_an_unreported_turn_is_taken_if_it_began_since() -> None:
    """All hooks of a turn may have been killed."""
    started, turn, other = make_event("session_start"), recorded_turn(1), recorded_turn(2)

    events = reconcile([started, *as_hook_events(turn)], [*turn, *other])

    assert ids(events) == ["t1", "t2"]


def test_a_follow_up_includes_the_task_before_it() -> None:
    """ "go on" in a resumed session continues the last task from before it was closed."""
    old, task, more, follow_up = (
        recorded_turn(0),
        recorded_turn(1),
        recorded_turn(2, "yes"),
        recorded_turn(3, "go on"),
    )

    events = reconcile(as_hook_events(follow_up), [*old, *task, *more, *follow_up])

    assert ids(events) == ["t1", "t2", "t3"]


def test_a_fork_takes_copied_turns_only_to_continue_them() -> None:
    """Copied records are another session's work, and are already stored under it."""
    copied = recorded_turn(1)
    started = make_event("session_start", reason="fork")
    new, follow_up = recorded_turn(2, "write the changelog"), recorded_turn(3, "go on")

    assert ids(reconcile([started, *as_hook_events(new)], [*copied, *new])) == ["t2"]
    assert ids(reconcile([started, *as_hook_events(follow_up)], [*copied, *follow_up])) == ["t1", "t3"]


def test_a_late_call_includes_its_whole_turn() -> None:
    """Alone, the call would be an action without its prompt."""
    before, turn = recorded_turn(1), recorded_turn(2)
    [late] = as_hook_events([turn[1]])

    events = reconcile([late], [*before, *turn])

    assert [event.kind for event in events] == [EventKind.PROMPT, EventKind.ACTION, EventKind.TURN_END]
    assert events[0].prompt_id == "p2"


def test_a_late_subagent_call_belongs_to_its_starting_turn() -> None:
    """A subagent may outlive its task, while another session learns from the next one."""
    first, second = recorded_turn(1), recorded_turn(2)
    inner = make_call(id="inner", actor="a1", prompt_id="p1", source=TRANSCRIPT)

    assert ids(reconcile(as_hook_events(second), [*first, *second, inner])) == ["t2"]
    assert ids(reconcile(as_hook_events(first[:2]), [*first, inner])) == ["t1", "inner"]


def test_transcript_events_get_their_project_from_hooks() -> None:
    """A transcript record has the directory and the branch, but not their project."""
    seen = Context(directory="/p", root="/p", project="remote/p", project_type="python", branch="main")
    reported = make_event("session_start", context=seen)
    turn = [
        event.model_copy(update={"context": Context(directory="/p/sub", branch="feature"), "machine": ""})
        for event in recorded_turn(1)
    ]

    prompt = reconcile([reported], turn)[1]

    assert prompt.context == seen.model_copy(update={"directory": "/p/sub", "branch": "feature"})
    assert prompt.machine == "laptop"


def test_prompts_match_despite_white_space_and_images() -> None:
    """Hook and transcript may differ in white space and in the position of an image."""
    recorded = make_prompt("[Image #1] centre the title", prompt_id="p1", source=TRANSCRIPT)
    reported = make_prompt(" centre  the title\n", prompt_id="p1")

    [event] = reconcile([reported], [recorded])

    assert event.source is EventSource.HOOK


def test_the_same_words_typed_twice_are_two_prompts() -> None:
    """People repeat their prompts."""
    turns = [*recorded_turn(1, "Make a pipe"), *recorded_turn(2, "Make a pipe")]

    assert prompts(reconcile(as_hook_events(turns), turns)) == ["Make a pipe"] * 2


@pytest.mark.parametrize("source", [EventSource.HOOK, TRANSCRIPT])
def test_the_end_of_a_turn_keeps_the_closing_words_of_either_source(source: EventSource) -> None:
    """At the end of a turn, the log may lack the last message."""
    prompt = make_prompt("fix it", prompt_id="p1")
    ends = [
        make_event("turn_end", prompt_id="p1", source=each, closing="Rounded once." if each is source else None)
        for each in (EventSource.HOOK, TRANSCRIPT)
    ]

    [end] = [event for event in reconcile([prompt, ends[0]], [prompt, ends[1]]) if event.kind is EventKind.TURN_END]

    assert end.closing == "Rounded once."


def test_the_end_of_a_background_call_is_merged() -> None:
    """Hook and transcript name different prompts for it."""
    turn = recorded_turn(1)
    recorded = make_call_end("t1", prompt_id="p2", source=TRANSCRIPT)
    reported = make_call_end("t1", prompt_id="p1")

    events = reconcile([*as_hook_events(turn), reported], [*turn, recorded])

    assert [event.kind for event in events].count(EventKind.CALL_END) == 1
    assert events[-1].prompt_id == "p2"  # the id of the turn that the notification starts
    assert events[-1].at == recorded.at < reported.at  # the hook runs only when the model receives the notification


def test_unreported_calls_are_taken_from_the_transcript() -> None:
    """A call that the user rejected runs no hook at its end."""
    turn = recorded_turn(1)
    rejected = make_call(id="t9", prompt_id="p1", outcome=Outcome.PARTIAL, source=TRANSCRIPT)

    events = reconcile(as_hook_events(turn[:2]), [*turn[:2], rejected])

    assert [event.action.outcome for event in events if event.action] == [Outcome.SUCCESS, Outcome.PARTIAL]


def test_without_hook_events_the_whole_transcript_is_taken() -> None:
    """Without hooks, no part of it can have been learned before."""
    turns = [*recorded_turn(1), *recorded_turn(2)]

    assert reconcile([], turns) == turns


def test_the_innermost_repository_is_the_project() -> None:
    """A repository may lie inside another one."""
    places = [Context(directory=root, root=root, project=root) for root in ("/p/sub", "/p", "/p/su")]
    reported = [make_event("session_start", context=place) for place in places]
    turn = [event.model_copy(update={"context": Context(directory="/p/sub/deep")}) for event in recorded_turn(1)]

    assert {event.context.project for event in reconcile(reported, turn)[-3:]} == {"/p/sub"}


def test_many_prompts_in_many_folders_take_linear_work() -> None:
    """A session that changes folders all day must not occupy the worker for hours."""

    def work(count: int) -> int:
        places = [Context(directory=f"/p{place}", root=f"/p{place}") for place in range(count)]
        reported = [make_prompt("go", prompt_id=f"p{place}", context=seen) for place, seen in enumerate(places)]
        recorded = [event.model_copy(update={"source": TRANSCRIPT}) for event in reported]
        return steps(lambda: reconcile(reported, recorded))

    assert work(400) < 2.5 * work(200)


@pytest.mark.parametrize(("is_provisional", "outcome", "duration_ms"), [(True, "failed", 250), (False, "partial", 100)])
def test_the_log_overrides_only_a_provisional_outcome(is_provisional: bool, outcome: str, duration_ms: int) -> None:
    """Codex reports no outcome to its hooks, whereas the hooks of Claude Code have the exact one."""
    same = {"id": "t1", "prompt_id": "p1"}
    prompt = make_prompt("fix it", prompt_id="p1")
    called = make_call(**same, outcome=Outcome.PARTIAL, duration_ms=100, files=("a.py",), is_provisional=is_provisional)
    recorded = [
        prompt.model_copy(update={"source": TRANSCRIPT}),
        make_call(**same, outcome=Outcome.FAILED, duration_ms=250, error="no", files=("b.py",), source=TRANSCRIPT),
    ]

    [call] = [event for event in reconcile([prompt, called], recorded) if event.action]

    assert call.action
    assert (call.action.outcome, call.action.duration_ms) == (outcome, duration_ms)
    assert call.files == ("a.py", "b.py")


# A value for each field of a call; a new field needs one here.
VALUES: dict[str, Any] = {
    "id": "t1",
    "tool": "Bash",
    "parameters": {"command": "make"},
    "outcome": Outcome.FAILED,
    "timestamp": START,
    "duration_ms": 7,
    "duration_source": DurationSource.TRANSCRIPT,
    "actor": "main",
    "started_agent": "a1",
    "error": "exit code 2",
    "verdict": Verdict(failed=2),
}


OPTIONAL = [name for name, field in Action.model_fields.items() if field.default is None and name != "id"]


def test_optional_fields_of_a_call_default_to_none() -> None:
    """Any other default would look like a value, and win over the one that the other source has."""
    others = [name for name, field in Action.model_fields.items() if not field.is_required() and name not in OPTIONAL]

    assert others == ["id", "parameters", "actor"]


def test_a_provisional_call_keeps_fields_that_the_log_lacks() -> None:
    """Only its outcome is in doubt."""
    prompt = make_prompt("fix it", prompt_id="p1")
    reported = make_call(id="t1", prompt_id="p1", started_agent="a1", is_provisional=True)
    recorded = make_call(id="t1", prompt_id="p1", source=TRANSCRIPT)

    [call] = [event for event in reconcile([prompt, reported], [prompt, recorded]) if event.action]

    assert call.action
    assert call.action.started_agent == "a1"


@pytest.mark.parametrize("is_provisional", [True, False])
def test_the_log_brings_no_secret_back_that_a_hook_has_masked(is_provisional: bool) -> None:
    """Only the hook knew the environment; otherwise the log has the fuller account of a provisional call."""
    prompt = make_prompt("fix it", prompt_id="p1")
    same: dict[str, Any] = {"id": "t1", "prompt_id": "p1"}
    reported = make_call(**same, parameters={"command": "deploy [REDACTED]"}, is_provisional=is_provisional)
    recorded = make_call(**same, parameters={"command": "deploy hunter2x"}, source=TRANSCRIPT)

    [call] = [event for event in reconcile([prompt, reported], [prompt, recorded]) if event.action]

    assert call.action
    assert call.action.parameters == {"command": "deploy [REDACTED]"}


@pytest.mark.parametrize("field", OPTIONAL)
def test_a_field_from_the_log_alone_survives_the_merge(field: str) -> None:
    """The merge walks the model's fields, so a new field is covered too."""
    whole = Action(**VALUES)
    prompt = make_prompt("fix it", prompt_id="p1")
    reported = make_call(prompt_id="p1").model_copy(update={"action": whole.model_copy(update={field: None})})
    recorded = make_call(prompt_id="p1", source=TRANSCRIPT).model_copy(update={"action": whole})

    [call] = [event for event in reconcile([prompt, reported], [prompt, recorded]) if event.action]

    assert call.action
    assert getattr(call.action, field) == VALUES[field]


def test_a_call_that_names_no_prompt_is_not_older_than_the_first() -> None:
    """It is said to have taken longer than the prompt is old; one that was reported before it is older."""
    older = make_call(id="c0", boot="b", timestamp=START)
    prompt = make_prompt("fix it", boot="b")
    call = make_call(id="c1", boot="b", timestamp=START - timedelta(hours=1), duration_ms=3_600_000)

    assert [event.order for event in reconcile([call, prompt, older], [])] == [older.order, prompt.order, call.order]


def test_the_monotonic_clock_orders_hook_events_of_one_boot() -> None:
    """No process is known, and the wall clock was set back; after another start of the machine only that is left."""
    prompt = make_prompt("fix it", boot="b", order=100)
    call = make_call(id="c1", boot="b", order=101, at=prompt.at - timedelta(minutes=1))
    later = make_prompt("now the report", boot="c", order=3)

    assert [event.order for event in reconcile([later, call, prompt], [])] == [100, 101, 3]
