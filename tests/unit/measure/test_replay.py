"""A replay answers each prompt from earlier sessions, and never peeks into the future."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from behavior_plugin.measure import replay as replaying
from behavior_plugin.measure.lift import Bigrams, bits_of
from behavior_plugin.measure.past import PastWork
from behavior_plugin.measure.replay import DRAWS, Replayed, replay
from behavior_plugin.model import Outcome
from behavior_plugin.recall.index import Index
from tests.unit.measure.history import TASK, at, past

ODDS = 0.15
OTHER = "write the release notes for customers"


def answered(history: Sequence[PastWork], **changes: Any) -> list[bool]:
    return [each.is_answered for each in replay(history, **{"min_odds": ODDS, **changes})]


# Only what was known then


def test_a_prompt_is_answered_from_earlier_sessions_only() -> None:
    """The first time nothing was known, and the last time is not known to the others."""
    assert answered([past(1), past(2), past(3)]) == [False, True, True]
    assert answered([past(2), past(1)]) == [False, True]


def test_a_session_that_is_not_over_is_not_known() -> None:
    """It is learned from at its end. The first work has an end of its own, but its session went on."""
    long = past(1, until=5)
    later_in_it = past(4, OTHER, session_id="long")
    begun = past(1, session_id="long")

    assert answered([long, past(2), past(6)]) == [False, False, True]
    assert answered([begun, past(2), later_in_it, past(6, until=9)]) == [False, False, False, True]


def test_a_session_goes_on_in_another_project() -> None:
    """It is learned from as a whole."""
    first = past(1, session_id="long")
    elsewhere = past(4, OTHER, session_id="long", project="other")

    assert answered([first, past(2), elsewhere])[:2] == [False, False]
    assert answered([first, past(2)]) == [False, True]


def test_a_sessions_own_work_is_not_known_to_it() -> None:
    """It has it in front of it."""
    assert answered([past(1, session_id="a"), past(2, session_id="a"), past(3, session_id="a")]) == [False] * 3


def test_work_that_ends_as_the_prompt_is_typed_is_not_known() -> None:
    """Equal times say nothing about the order."""
    first = past(1, until=2)

    assert answered([first, past(2)]) == [False, False]
    assert answered([first, past(2).model_copy(update={"started_at": at(2) + timedelta(seconds=1)})]) == [False, True]


prompts = st.sampled_from([TASK, OTHER, "fix the lexer of the invoice", "deploy it", "/release"])
steps = st.lists(st.sampled_from(["edit", "make test", "git push", "git tag"]), max_size=4)
works = st.lists(st.tuples(prompts, steps, st.sampled_from(Outcome), st.floats(0.01, 3)), min_size=1, max_size=14)


@settings(deadline=None, max_examples=40)
@given(works, st.data())
def test_later_work_changes_no_earlier_answer(told: list[tuple[Any, ...]], data: st.DataObject) -> None:
    """Neither the suggestion nor a figure: random, usual and rare kinds are those of the time."""
    history = [
        past(hour, prompt, until=hour + took, outcome=outcome, names=tuple(done))
        for hour, (prompt, done, outcome, took) in enumerate(told)
    ]
    cut = data.draw(st.integers(0, len(history)))

    assert replay(history, min_odds=ODDS)[:cut] == replay(history[:cut], min_odds=ODDS)


@pytest.mark.parametrize("until", [41, 40])
def test_an_index_that_is_ahead_gives_no_later_work(until: float) -> None:
    """It has a twentieth more than was known, to be made seldom. Its pattern is known, and it is the nearest by far."""
    known = [past(hour, f"{OTHER} {hour}", "edit", pattern_key="job") for hour in range(40)]
    ahead = past(39.5, TASK, "git tag", pattern_key="job", until=until)
    prompt, later = past(40, TASK), past(42, TASK)

    found = {each.started_at: each for each in replay([*known, ahead, prompt, later], min_odds=ODDS)}

    assert not found[at(40)].is_answered
    assert found[at(42)].is_answered


# As the product would answer


def test_work_of_another_project_is_known_only_by_setting() -> None:
    history = [past(1), past(2, project="other")]

    assert answered(history) == [False, False]
    assert answered(history, everywhere=True) == [False, True]


def test_failed_work_is_no_answer_and_neither_is_a_pattern_that_never_worked() -> None:
    """Both would be left out by recall."""
    for outcome, is_answered in ((Outcome.FAILED, False), (Outcome.PARTIAL, False), (Outcome.SUCCESS, True)):
        assert answered([past(1, outcome=outcome), past(2)])[1] is is_answered
    # The pattern worked later, and its partial work is the similar one.
    worked = [past(1, outcome=Outcome.PARTIAL, pattern_key="job"), past(2, OTHER, pattern_key="job"), past(3)]
    assert answered(worked)[2]


def test_a_pattern_that_failed_too_often_is_no_answer() -> None:
    failed = [past(hour, outcome=Outcome.FAILED) for hour in range(1, 12)]

    assert answered([past(0), past(20)])[-1]
    assert not answered([past(0), *failed, past(20)])[-1]


def test_work_without_a_pattern_is_asked_but_is_no_answer() -> None:
    """It had no steps, but its prompt might have got a suggestion, perhaps a wrong one."""
    looked = past(2, names=(), pattern_key="")
    [_, about_it, after] = replay([past(1), looked, past(3, prompt="quite another thing")], min_odds=ODDS)

    assert (about_it.is_answered, about_it.steps, about_it.suggested) == (True, 0, None)
    assert not after.is_answered
    assert answered([looked, past(3)]) == [False, False]


def test_a_session_gets_each_pattern_once() -> None:
    assert answered([past(1), past(2, session_id="a"), past(3, session_id="a")]) == [False, True, False]


def test_only_tasks_are_asked_and_the_rest_is_known() -> None:
    """A reply gets no suggestion."""
    assert answered([past(1, is_task=False), past(2)]) == [True]


def test_since_asks_later_prompts_only_and_knows_the_earlier_work() -> None:
    assert answered([past(1), past(2), past(3)], since=at(2)) == [True, True]


def test_the_odds_decide() -> None:
    assert answered([past(1), past(2)], min_odds=1.0) == [False, False]
    assert answered([past(1), past(2, OTHER)], min_odds=ODDS) == [False, False]


def test_vectors_count_where_the_prompt_can_be_read() -> None:
    """Words in common are not needed then; in another language all vectors are alike, so letters are compared."""
    vector = numpy.array([1, 0, 0], dtype=numpy.float32).tobytes()
    one, other = past(1, "repair the cart", vector=vector), past(2, "mend a basket", vector=vector)

    def read(*history: PastWork) -> list[bool]:
        return answered([each.model_copy(update={"is_readable": True}) for each in history])

    assert read(one, other) == [False, True]
    assert answered([one, other]) == [False, False]


# Figures


def test_the_suggestion_is_compared_with_random_work_of_the_project() -> None:
    """By hand: two earlier ways, of which the prompt gets the one that the work then went."""
    history = [past(1, TASK, "edit", "make test"), past(2, OTHER, "git tag"), past(3, TASK, "edit", "make test")]

    [*_, last] = replay(history, min_odds=ODDS)

    project = Bigrams()
    for each in history[:2]:
        project.add(each.names)
    same, other = (bits_of(history[2].names, each.names, project) for each in history[:2])
    assert (last.sessions, last.steps) == (2, 2)
    assert last.suggested
    assert last.chance
    assert last.usual
    assert last.suggested.bits == pytest.approx(same)
    assert (last.suggested.named, last.suggested.rare) == (1, None)
    # Of DRAWS random workflows some are the same one.
    share = (last.chance.bits - other) / (same - other)
    assert share * DRAWS == pytest.approx(round(share * DRAWS))
    assert 0 < share < 1
    assert last.chance.named == pytest.approx(share)
    # Each kind is in one piece of work: as many as the suggestion has are named, in the order in which they came.
    assert last.usual.named >= 0.5


def test_random_workflows_are_those_that_could_be_suggested() -> None:
    """Failed work, and work of other projects, would make chance look worse than it is."""
    bad = [past(1, "x", "bad", outcome=Outcome.FAILED), past(2, "x", "bad", project="other"), past(3, "x", names=())]

    for everywhere in (False, True):
        found = replay([*bad, past(4), past(5)], min_odds=ODDS, everywhere=everywhere)
        last = max(found, key=lambda each: each.started_at)
        assert last.suggested
        assert last.chance
        assert last.chance.bits == pytest.approx(last.suggested.bits)
        assert last.chance.named == last.suggested.named == 1


def test_a_replay_is_the_same_each_time() -> None:
    history = [past(hour, TASK if hour % 2 else OTHER, f"step {hour % 3}") for hour in range(12)]

    assert replay(history, min_odds=ODDS) == replay(list(reversed(history)), min_odds=ODDS)


def test_progress_counts_every_prompt() -> None:
    seen: list[int] = []

    replay([past(1), past(2, project="b"), past(3)], min_odds=ODDS, on_progress=seen.append)

    assert seen == [1, 2, 3]


def test_an_index_is_made_anew_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one for each prompt would take hours for a long history."""
    made: list[int] = []

    def counted(triggers: Sequence[Any]) -> Index:
        made.append(len(triggers))
        return Index(triggers)

    monkeypatch.setattr(replaying, "Index", counted)
    history = [past(hour, f"task {hour}") for hour in range(400)]

    found = replay(history, min_odds=ODDS)

    assert len(found) == 400
    assert len(made) < 100
    # Before each prompt one more was known, so an index had at most a twentieth more than was known when it was made.
    assert all(size <= 1.05 * (before + 1) for before, size in pairwise([0, *made]))


def test_nothing_to_replay() -> None:
    assert replay([], min_odds=ODDS) == []
    assert replay([past(1, prompt=" "), past(2, prompt="\ud800 \0")], min_odds=ODDS)[0] == Replayed(
        at(1), 0, is_answered=False, steps=2
    )


def test_past_work_survives_the_wire() -> None:
    """Vectors are bytes, which JSON has none of."""
    work = past(1, vector=numpy.array([0.25, -1], dtype=numpy.float32).tobytes())
    adapter = TypeAdapter(list[PastWork])

    text = adapter.dump_json([work])

    assert adapter.validate_json(text) == [work]
    assert json.loads(text)[0]["vector"] == "AACAPgAAgL8="
