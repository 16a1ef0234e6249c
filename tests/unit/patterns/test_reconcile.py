"""One list of what hooks and transcript tell, on the real client's sessions and on made ones."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.agents.claude_code import transcript
from behavior_plugin.model import Action, Context, DurationSource, Event, EventKind, EventSource, Outcome
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


def recorded_turn(number: int, text: str = "fix it") -> list[Event]:
    """A turn as the transcript has it."""
    prompt_id = f"p{number}"
    return [
        make_prompt(text, prompt_id=prompt_id, source=TRANSCRIPT),
        make_call(id=f"t{number}", prompt_id=prompt_id, source=TRANSCRIPT),
        make_event("turn_end", prompt_id=prompt_id, source=TRANSCRIPT),
    ]


def as_hooks_tell(events: Iterable[Event]) -> list[Event]:
    return [event.model_copy(update={"source": EventSource.HOOK}) for event in events]


@pytest.mark.parametrize("session", SESSIONS)
def test_each_happening_of_a_real_session_is_there_once(session: str) -> None:
    """In the order and number of the transcript, which knows them all."""
    recorded = recorded_events(session)

    events = reconcile(reported_events(recorded), recorded)

    assert sorted(map(str, ids(events))) == sorted(map(str, ids(recorded)))
    assert prompts(events) == prompts(recorded)
    assert [event.kind for event in events].count(EventKind.TURN_END) == [event.kind for event in recorded].count(
        EventKind.TURN_END
    )


@pytest.mark.parametrize("session", SESSIONS)
def test_the_hosts_duration_is_kept_and_gaps_have_the_transcripts(session: str) -> None:
    """The host's leaves out the waiting for a permission."""
    recorded = recorded_events(session)
    reported = reported_events(recorded)

    events = reconcile(reported, recorded)

    durations = {event.action.id: event.action.duration_ms for event in reported if event.action}
    for action in filter(None, (event.action for event in events)):
        by_host = action.id in durations
        assert action.duration_source is (DurationSource.AGENT if by_host else DurationSource.TRANSCRIPT)
        assert not by_host or action.duration_ms == durations[action.id]


def test_a_call_began_when_the_transcript_says() -> None:
    """A hook is started some time after the call's end, and can only reckon back."""
    turn = recorded_turn(1)
    late = make_call(id="t1", prompt_id="p1", timestamp=turn[1].at + timedelta(seconds=30))

    [call] = [event for event in reconcile([*as_hooks_tell(turn[:1]), late], turn) if event.action]

    assert call.action
    assert call.action.timestamp == turn[1].at


@pytest.mark.parametrize("session", SESSIONS)
def test_whatever_hook_is_missing_the_calls_are_the_same(session: str) -> None:
    """Hooks of a headless run are killed at its end."""
    recorded = recorded_events(session)
    reported = reported_events(recorded)
    whole = reconcile(reported, recorded)

    for missing in range(1, len(reported)):
        events = reconcile(reported[:missing] + reported[missing + 1 :], recorded)
        assert (ids(events), prompts(events)) == (ids(whole), prompts(whole))


@pytest.mark.parametrize("session", SESSIONS)
@pytest.mark.parametrize("seed", range(10))
def test_order_and_number_of_deliveries_do_not_matter(session: str, seed: int) -> None:
    """Hooks run side by side, are registered twice, and their records arrive as they please."""
    dice = random.Random(seed)
    recorded = recorded_events(session)
    reported = reported_events(recorded)
    twice = reported + dice.sample(reported, k=len(reported) // 2)
    dice.shuffle(twice)

    assert reconcile(twice, recorded) == reconcile(reported, recorded)
    assert reconcile(twice, []) == reconcile(reported, [])


@pytest.mark.parametrize("session", SESSIONS)
def test_a_transcript_that_ends_early_takes_nothing_from_the_hooks(session: str) -> None:
    """The client may not have written everything when it was killed."""
    lines = transcript_lines(session)
    reported = reported_events(recorded_events(session))

    for end in range(len(lines)):
        events = reconcile(reported, transcript.read(lines[:end], session_id=session))
        assert set(ids(reported)) <= set(ids(events))
        assert set(prompts(reported)) <= set(prompts(events))
        assert len(ids(events)) == len(set(ids(events)))


def test_without_a_transcript_the_reports_are_taken_in_order() -> None:
    """Its file may be gone."""
    events = [make_prompt("fix it", prompt_id="p1"), make_call(id="t1"), make_call(), make_event("turn_end")]

    assert reconcile([*events[::-1], *events], []) == events


def test_a_hook_that_is_registered_twice_reports_one_event() -> None:
    """The two reports differ in when they were written."""
    prompt, call, end = make_prompt("fix it", prompt_id="p1"), make_call(id="t1"), make_event("turn_end")
    later = [
        event.model_copy(update={"at": event.at + timedelta(milliseconds=5), "order": event.order + 1})
        for event in (prompt, call, end)
    ]

    assert reconcile([prompt, call, end, *later], []) == [prompt, call, end]


def test_calls_stand_where_they_began() -> None:
    """A hook hears of a call at its end; the longer of two that ran side by side would seem the later."""
    short = make_call("Read", id="t2")
    long = make_call(id="t1", timestamp=short.at - timedelta(seconds=9))

    assert ids(reconcile([short, long], [])) == ["t1", "t2"]


def test_a_call_stands_behind_its_prompt_whatever_it_is_said_to_have_taken() -> None:
    """A call before the first prompt would be nobody's."""
    prompt = make_prompt("fix it", prompt_id="p1")
    call = make_call(id="t1", prompt_id="p1", timestamp=prompt.at - timedelta(minutes=1))
    recorded = prompt.model_copy(update={"source": TRANSCRIPT, "at": call.at + timedelta(seconds=1)})

    for events in (reconcile([call, prompt], []), reconcile([call, prompt], [recorded])):
        assert [event.kind for event in events] == [EventKind.PROMPT, EventKind.ACTION]


def test_a_clock_that_is_set_back_changes_no_order() -> None:
    """Within one process the monotonic clock tells what came first."""
    events = [make_event("other", agent_pid=7) for _ in range(4)]
    back = [event.model_copy(update={"at": event.at - timedelta(days=3650)}) for event in events[2:]]

    assert [event.order for event in reconcile([*back, *events[:2]], [])] == [event.order for event in events]


def test_a_resumed_session_takes_only_what_is_new() -> None:
    """What came before was stored when it was closed; the transcript still has it."""
    before, after = recorded_turn(1), recorded_turn(2, "write the changelog")

    events = reconcile(as_hooks_tell(after), [*before, *after])

    assert ids(events) == ["t2"]


def test_a_turn_that_no_hook_told_of_is_taken_if_it_began_since() -> None:
    """Every hook of it may have been killed."""
    started, turn, other = make_event("session_start"), recorded_turn(1), recorded_turn(2)

    events = reconcile([started, *as_hooks_tell(turn)], [*turn, *other])

    assert ids(events) == ["t1", "t2"]


def test_a_follow_up_brings_the_task_that_it_follows() -> None:
    """ "go on" in a resumed session goes on with what the session was closed over."""
    old, task, more, follow_up = (
        recorded_turn(0),
        recorded_turn(1),
        recorded_turn(2, "yes"),
        recorded_turn(3, "go on"),
    )

    events = reconcile(as_hooks_tell(follow_up), [*old, *task, *more, *follow_up])

    assert ids(events) == ["t1", "t2", "t3"]


def test_a_fork_takes_the_copied_records_only_where_it_goes_on_with_them() -> None:
    """They were another session's work, and are stored as such."""
    copied = recorded_turn(1)
    started = make_event("session_start", reason="fork")
    new, follow_up = recorded_turn(2, "write the changelog"), recorded_turn(3, "go on")

    assert ids(reconcile([started, *as_hooks_tell(new)], [*copied, *new])) == ["t2"]
    assert ids(reconcile([started, *as_hooks_tell(follow_up)], [*copied, *follow_up])) == ["t1", "t3"]


def test_a_late_call_brings_its_whole_turn() -> None:
    """Alone it would be an action without the prompt that it belongs to."""
    before, turn = recorded_turn(1), recorded_turn(2)
    [late] = as_hooks_tell([turn[1]])

    events = reconcile([late], [*before, *turn])

    assert [event.kind for event in events] == [EventKind.PROMPT, EventKind.ACTION, EventKind.TURN_END]
    assert events[0].prompt_id == "p2"


def test_a_subagent_that_works_on_belongs_to_the_turn_that_started_it() -> None:
    """It may go on while the next task is worked on, and that may be another session's to learn from."""
    first, second = recorded_turn(1), recorded_turn(2)
    inner = make_call(id="inner", actor="a1", prompt_id="p1", source=TRANSCRIPT)

    assert ids(reconcile(as_hooks_tell(second), [*first, *second, inner])) == ["t2"]
    assert ids(reconcile(as_hooks_tell(first[:2]), [*first, inner])) == ["t1", "inner"]


def test_what_hooks_saw_of_the_place_holds_for_what_only_the_transcript_tells() -> None:
    """A record knows the directory and the branch, and not the project that they belong to."""
    seen = Context(directory="/p", root="/p", project="remote/p", project_type="python", branch="main")
    reported = make_event("session_start", context=seen)
    turn = [
        event.model_copy(update={"context": Context(directory="/p/sub", branch="feature"), "machine": ""})
        for event in recorded_turn(1)
    ]

    prompt = reconcile([reported], turn)[1]

    assert prompt.context == seen.model_copy(update={"directory": "/p/sub", "branch": "feature"})
    assert prompt.machine == "laptop"


def test_a_prompt_is_one_however_it_is_written() -> None:
    """Hook and record may differ in white space and in where an image stood."""
    recorded = make_prompt("[Image #1] centre the title", prompt_id="p1", source=TRANSCRIPT)
    reported = make_prompt(" centre  the title\n", prompt_id="p1")

    [event] = reconcile([reported], [recorded])

    assert event.source is EventSource.HOOK


def test_the_same_words_typed_twice_are_two_prompts() -> None:
    """People do ask for the same thing again."""
    turns = [*recorded_turn(1, "Make a pipe"), *recorded_turn(2, "Make a pipe")]

    assert prompts(reconcile(as_hooks_tell(turns), turns)) == ["Make a pipe"] * 2


def test_the_end_of_a_background_call_is_one_event() -> None:
    """The hook names another prompt for it than the transcript does."""
    turn = recorded_turn(1)
    recorded = make_call_end("t1", prompt_id="p2", source=TRANSCRIPT)
    reported = make_call_end("t1", prompt_id="p1")

    events = reconcile([*as_hooks_tell(turn), reported], [*turn, recorded])

    assert [event.kind for event in events].count(EventKind.CALL_END) == 1
    assert events[-1].prompt_id == "p2"  # the turn that it starts has this name
    assert events[-1].at == recorded.at < reported.at  # the hook runs only when the model is given it


def test_an_outcome_that_no_hook_reported_is_the_transcripts() -> None:
    """A call that the user rejected fires no hook when it ends."""
    turn = recorded_turn(1)
    rejected = make_call(id="t9", prompt_id="p1", outcome=Outcome.PARTIAL, source=TRANSCRIPT)

    events = reconcile(as_hooks_tell(turn[:2]), [*turn[:2], rejected])

    assert [event.action.outcome for event in events if event.action] == [Outcome.SUCCESS, Outcome.PARTIAL]


def test_without_reports_all_that_is_recorded_is_taken() -> None:
    """Then nothing of it can have been learned from before."""
    turns = [*recorded_turn(1), *recorded_turn(2)]

    assert reconcile([], turns) == turns


def test_the_place_that_lies_nearest_is_the_one() -> None:
    """A repository may lie in another one; the branch of the first look at it is as good as any."""
    places = [Context(directory=root, root=root, project=root) for root in ("/p/sub", "/p", "/p/su")]
    reported = [make_event("session_start", context=place) for place in places]
    turn = [event.model_copy(update={"context": Context(directory="/p/sub/deep")}) for event in recorded_turn(1)]

    assert {event.context.project for event in reconcile(reported, turn)[-3:]} == {"/p/sub"}


def test_many_prompts_in_many_places_are_linear_work() -> None:
    """Who goes from folder to folder all day must not keep the worker busy for hours."""

    def work(count: int) -> int:
        places = [Context(directory=f"/p{place}", root=f"/p{place}") for place in range(count)]
        reported = [make_prompt("go", prompt_id=f"p{place}", context=seen) for place, seen in enumerate(places)]
        recorded = [event.model_copy(update={"source": TRANSCRIPT}) for event in reported]
        return steps(lambda: reconcile(reported, recorded))

    assert work(400) < 2.5 * work(200)


@pytest.mark.parametrize(("is_provisional", "outcome", "duration_ms"), [(True, "failed", 250), (False, "partial", 100)])
def test_the_log_decides_how_a_provisional_call_ended(is_provisional: bool, outcome: str, duration_ms: int) -> None:
    """Codex reports no outcome to its hooks; Claude Code measures what its transcript only shows from outside."""
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


# A value for each field of a call, by its type; a field of a new type needs one here.
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
}


OPTIONAL = [name for name, field in Action.model_fields.items() if field.default is None and name != "id"]


@pytest.mark.parametrize("field", OPTIONAL)
def test_a_field_that_only_the_log_has_survives_the_merge(field: str) -> None:
    """Also one that is declared tomorrow: merging walks the fields."""
    whole = Action(**VALUES)
    prompt = make_prompt("fix it", prompt_id="p1")
    reported = make_call(prompt_id="p1").model_copy(update={"action": whole.model_copy(update={field: None})})
    recorded = make_call(prompt_id="p1", source=TRANSCRIPT).model_copy(update={"action": whole})

    [call] = [event for event in reconcile([prompt, reported], [prompt, recorded]) if event.action]

    assert call.action
    assert getattr(call.action, field) == VALUES[field]
