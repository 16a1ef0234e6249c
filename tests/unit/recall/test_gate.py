"""The gate decides which prompts get an answer, and shows no session a suggestion twice."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest

from behavior_plugin.model import HUMAN, TASKS, Context, Outcome, PromptKind
from behavior_plugin.recall import gate
from behavior_plugin.recall.gate import MIN_ODDS, Policy, ShownPatterns, manual_answer, manual_question, prompt_question
from behavior_plugin.workflow import StoredPattern, Suggestion
from tests.factories import START, make_action

PROMPT = "fix the parser"


def suggestion(*, session_id: str = "earlier", trigger: str = PROMPT) -> Suggestion:
    pattern = StoredPattern(
        id=uuid.uuid4(),
        source_key="key",
        trigger=trigger,
        context=Context(),
        actions=(make_action(),),
        final_outcome=Outcome.SUCCESS,
        started_at=START,
        session_id=session_id,
        use_count=0,
        created_at=START + timedelta(hours=1),
    )
    return Suggestion(
        pattern=pattern, similarity=0.9, score=0.9, occurrences=1, successes=1, last_seen_at=START, reason="alike"
    )


@pytest.mark.parametrize("kind", sorted(TASKS))
def test_a_task_is_a_question_with_the_users_settings(kind: PromptKind) -> None:
    """They say how sure a suggestion has to be, and where it may come from."""
    question = prompt_question(PROMPT, kind, Policy("quiet", everywhere=True))

    assert question == gate.Question(PROMPT, gate.MAX_CHOICES, MIN_ODDS["quiet"], everywhere=True)
    assert prompt_question(PROMPT, kind, Policy()) == replace(question, min_odds=MIN_ODDS["normal"], everywhere=False)


def test_quiet_is_surer_than_normal_and_normal_than_eager() -> None:
    """Of two wrong suggestions in a hundred prompts a quiet user minds both."""
    assert 1 > MIN_ODDS["quiet"] >= 0.5 > MIN_ODDS["normal"] > MIN_ODDS["eager"] > gate.MANUAL_MIN_ODDS > 0


@pytest.mark.parametrize("kind", [None, *sorted((set(PromptKind) | HUMAN) - TASKS - {PromptKind.OWN_COMMAND})])
def test_other_prompts_are_left_alone(kind: PromptKind | None) -> None:
    """A wrong suggestion costs more than a missing one."""
    assert prompt_question(PROMPT, kind, Policy()) is None


def test_our_own_command_asks_for_more_that_is_less_likely() -> None:
    """A person asks, and wants to see what is near."""
    question = prompt_question("/behavior:recall fix the parser", PromptKind.OWN_COMMAND, Policy("quiet"))

    assert question == gate.Question(
        PROMPT, gate.MAX_COMMAND_ANSWERS, gate.MANUAL_MIN_ODDS, everywhere=False, is_manual=True
    )


@pytest.mark.parametrize(
    ("setting", "asked", "everywhere"), [(False, False, False), (True, False, True), (False, True, True)]
)
def test_a_person_looks_everywhere_by_setting_or_by_request(setting: bool, asked: bool, everywhere: bool) -> None:
    """A request cannot narrow the setting."""
    question = manual_question(PROMPT, Policy(everywhere=setting), limit=5, min_odds=0.0, everywhere=asked)

    assert (question.everywhere, question.min_odds, question.limit) == (everywhere, 0.0, 5)


def test_a_session_is_shown_a_pattern_once() -> None:
    """Whoever repeats a prompt has read the note, or did not want it."""
    shown, first, second = ShownPatterns(), suggestion(), suggestion()

    taken = [shown.take_new("s", [first, second], now=START) for _ in range(3)]

    assert taken == [first, second, None]
    assert shown.take_new("another", [first], now=START) == first


def test_the_sessions_that_are_remembered_are_bounded() -> None:
    """A worker may live for months; the oldest session is forgotten first."""
    shown, pattern = ShownPatterns(max_sessions=2), suggestion()
    for session in ("a", "b", "c"):
        shown.take_new(session, [pattern], now=START)

    assert shown.take_new("b", [pattern], now=START) is None
    assert shown.take_new("c", [pattern], now=START) is None
    assert shown.take_new("a", [pattern], now=START) == pattern


def test_a_compacted_session_is_shown_earlier_patterns_again() -> None:
    """Those that it was shown since are still in its context. Other sessions are not concerned."""
    shown, first, second = ShownPatterns(), suggestion(), suggestion()
    for session in ("s", "t"):
        shown.take_new(session, [first], now=START)
    shown.take_new("s", [second], now=START + timedelta(minutes=2))

    shown.rearm("s", START + timedelta(minutes=1))
    shown.rearm("unknown", START)

    assert shown.of_session("s") == {str(second.pattern.id)}
    assert shown.take_new("s", [first, second], now=START) == first
    assert shown.take_new("t", [first], now=START) is None


def test_patterns_that_an_earlier_worker_has_shown_count() -> None:
    """The session outlives the worker."""
    shown, known = ShownPatterns(), suggestion()

    shown.add("s", str(known.pattern.id), START)

    assert shown.take_new("s", [known], now=START) is None


def test_a_manual_answer_is_as_long_as_a_hook_passes_on() -> None:
    """A longer one would be dropped whole. Quotes are escaped there, so there is room left."""
    answer = manual_answer([suggestion(trigger="ж" * 500) for _ in range(40)])

    assert answer.count("<past-workflow") > 1
    assert len(answer.encode()) <= gate.MAX_ANSWER_BYTES
    assert answer.endswith("</past-workflow>\n")


def test_a_manual_question_always_has_an_answer() -> None:
    """A person waits for one."""
    assert manual_answer([]) == gate.NOTHING_KNOWN
