"""Judge how work ended: by the next words, else by the last delivery, the last check and the last call."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.model import Action, Outcome, Turn, Verdict
from behavior_plugin.patterns.outcome import has_failed, judge_episode, judge_turn
from tests.factories import make_action, make_turn

SUCCESS, PARTIAL, FAILED = Outcome.SUCCESS, Outcome.PARTIAL, Outcome.FAILED


def edit(**changes: Any) -> Action:
    return make_action("Edit", parameters={"file_path": "src/app.py"}, **changes)


def command(line: str, outcome: Outcome = SUCCESS, **changes: Any) -> Action:
    return make_action(parameters={"command": line}, outcome=outcome, **changes)


COMMIT, TEST = command("git commit -m 'Fix it'"), command("npm test 2>&1 | tail -3")
RED_TEST = command("npm test 2>&1 | tail -3", verdict=Verdict(passed=3, failed=2))


def outcome_of(*actions: Action, **changes: Any) -> Outcome:
    return judge_turn(make_turn("Fix the parser", *actions, **changes), None).outcome


def heard(text: str, work: Turn | None = None) -> Outcome:
    return judge_turn(work or make_turn("Fix the parser", edit()), make_turn(text)).outcome


@pytest.mark.parametrize(
    "text",
    [
        "no, do it differently",
        "no, that is wrong, it must be an integer. Do it again",
        "that's not what I asked for",
        "still failing on CI",
        "I've reverted your changes",
        "undo that",
        "The tree view is broken now",
        "it doesn't work, great",
        "das ist falsch",
    ],
)
def test_the_next_words_may_reject_the_work(text: str) -> None:
    """Half of the rejected attempts look like successes."""
    assert heard(text) is FAILED


@pytest.mark.parametrize(
    "text",
    [
        "works, but the button is missing",
        "are you sure?",
        "hmm, given the load I think a queue is better",
        "it should not be in the header",
        "I see warnings in the console",
    ],
)
def test_the_next_words_may_doubt_the_work(text: str) -> None:
    """Something of it is wanted otherwise."""
    assert heard(text) is PARTIAL


@pytest.mark.parametrize(
    "text",
    ["commit", "ok, push it, the error is known", "now update the changelog", "perfect, thanks", "nice! and the docs?"],
)
def test_praise_and_a_wish_to_deliver_mean_success(text: str) -> None:
    """Nobody delivers what is wrong, even if the assistant left a check red."""
    assert heard(text, make_turn("Fix the parser", edit(), RED_TEST)) is SUCCESS


def test_a_wish_to_deliver_is_short() -> None:
    """A long prompt that names a commit is about something else."""
    fifteen = "in the list of pages sort them by name and then by date and commit"

    assert len(fifteen.split()) == 15
    assert heard(fifteen, make_turn("Fix it", is_ended=False)) is SUCCESS
    assert heard(f"{fifteen} them", make_turn("Fix it", is_ended=False)) is PARTIAL


def test_a_delivery_with_a_defect_is_no_success() -> None:
    """It opens with the defect."""
    assert heard("there are errors in the release") is PARTIAL


@pytest.mark.parametrize("text", ["yes", "go on", "sort them by name", "no", "что дальше?"])
def test_other_words_say_nothing(text: str) -> None:
    """Then the work itself is judged."""
    assert heard(text) is SUCCESS
    assert heard(text, make_turn("Fix the parser", edit(), is_ended=False)) is PARTIAL


@pytest.mark.parametrize(
    "following",
    [
        make_turn("it is broken", follows_clear=True),
        make_turn("/debug the login is broken"),
        make_turn("another bug: the login is broken"),
    ],
)
def test_words_about_other_work_say_nothing(following: Turn) -> None:
    """They are not about the work before."""
    assert judge_turn(make_turn("Fix the parser", edit()), following).outcome is SUCCESS


def test_work_without_a_failure_is_a_success() -> None:
    """Also an answer without any call."""
    assert outcome_of(edit(), TEST) is SUCCESS
    assert outcome_of() is SUCCESS
    assert outcome_of(command("npm test", FAILED), edit(), TEST) is SUCCESS


def test_a_call_that_never_ended_leaves_the_work_partial() -> None:
    """The session ended in it, whatever was delivered before."""
    judgement = judge_turn(make_turn("Fix it", COMMIT, command("npm run dev", PARTIAL)), None)

    assert (judgement.outcome, judgement.because) == (PARTIAL, "a call never ended")


def test_a_delivery_is_a_success_even_if_the_work_was_broken_off_then() -> None:
    """What was asked for is done."""
    judgement = judge_turn(make_turn("Fix it", edit(), COMMIT, is_ended=False), None)

    assert (judgement.outcome, judgement.because) == (SUCCESS, "`git commit` worked, with no edit after it")
    assert outcome_of(COMMIT, edit(), is_ended=False) is PARTIAL
    assert outcome_of(edit(), command("git push", FAILED), is_ended=False) is PARTIAL


def test_work_that_was_broken_off_is_partial() -> None:
    """Nobody knows what was missing."""
    turned_down = edit(outcome=PARTIAL, error="The user doesn't want to proceed")

    assert judge_turn(make_turn("Fix it", edit(), is_ended=False), None).because == "broken off"
    assert judge_turn(make_turn("Fix it", turned_down), None).because == "the last call was turned down"
    assert outcome_of(turned_down) is PARTIAL


def test_a_check_that_failed_last_leaves_the_work_partial() -> None:
    """By its exit code, or by what it printed, since a pipe hides the exit code."""
    judgement = judge_turn(make_turn("Fix it", edit(), RED_TEST), None)

    assert (judgement.outcome, judgement.because) == (PARTIAL, "`npm test` failed last")
    assert outcome_of(RED_TEST, edit(), TEST) is SUCCESS
    assert outcome_of(edit(), command("npm test", FAILED), command("ls")) is PARTIAL


def test_a_refused_delivery_leaves_the_work_partial() -> None:
    """A check that passes after it delivers nothing."""
    assert outcome_of(edit(), command("git commit -m 'Fix it'", FAILED), TEST) is PARTIAL
    assert outcome_of(edit(), command("git commit -m 'Fix it'", FAILED), edit(), COMMIT) is SUCCESS


def test_many_failures_and_one_at_the_end_are_a_failed_piece_of_work() -> None:
    """Three failed calls, the last of them the end."""
    red = command("curl -d x localhost", FAILED)

    judgement = judge_turn(make_turn("Start it", red, red, red, is_ended=False), None)

    assert (judgement.outcome, judgement.because) == (FAILED, "the last call failed, after 2 others")
    assert outcome_of(red, red) is SUCCESS
    assert outcome_of(red, red, red, command("ls")) is SUCCESS


def test_only_the_main_agent_decides() -> None:
    """It judges a subagent's failed attempts, and the user's own shell is not its work."""
    red = [command("npm test", FAILED, actor=actor) for actor in ("a1", "user")]

    assert outcome_of(TEST, *red) is SUCCESS
    assert outcome_of(red[0]) is PARTIAL
    assert outcome_of(red[1]) is SUCCESS


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (command("npm test"), False),
        (command("npm test", FAILED), True),
        (command("npm test", verdict=Verdict(passed=3)), False),
        (command("npm test", verdict=Verdict(passed=3, failed=0)), False),
        (command("npm test", verdict=Verdict(failed=1)), True),
        (command("npm test", verdict=Verdict(passed=3, error="error: the one that a test expects")), False),
        (command("npm test", verdict=Verdict(passed=3, failed=1)), True),
        (command("npm test", verdict=Verdict(ran_nothing=True)), True),
        (command("npm test", verdict=Verdict(error="error: no such script")), True),
    ],
)
def test_a_verdict_counts_like_an_exit_code(action: Action, *, expected: bool) -> None:
    """A check that ran no test has checked nothing."""
    assert has_failed(action) is expected


def test_an_episode_ends_as_its_last_work_did() -> None:
    """What went wrong before was repaired."""
    turns = [make_turn("Fix it", RED_TEST), make_turn("still red", edit(), TEST), make_turn("thanks")]

    assert judge_episode(turns).outcome is SUCCESS
    assert judge_episode(turns[:1]).outcome is PARTIAL


def test_words_after_the_last_work_judge_an_episode() -> None:
    """The user rejected it and left, or went on to other work."""
    turns = [make_turn("Fix it", edit(), TEST), make_turn("ok"), make_turn("no, that is wrong")]

    judgement = judge_episode(turns)

    assert (judgement.outcome, judgement.because) == (FAILED, "the next prompt says: no, that is wrong")


def test_an_episode_without_work_is_judged_by_its_last_turn() -> None:
    """A question was asked and answered, or not."""
    assert judge_episode([make_turn("why?", is_ended=False), make_turn("and why not?")]).outcome is SUCCESS
    assert judge_episode([make_turn("why?"), make_turn("and then?", is_ended=False)]).outcome is PARTIAL


def test_the_quoted_prompt_is_short() -> None:
    """It is one line of `behavior show`."""
    because = [
        judge_turn(make_turn("Fix it"), make_turn(text)).because.removeprefix("the next prompt says: ")
        for text in ("wrong\n one two", "wrong " * 8, "wrong " * 9, "wrong " + "x" * 200)
    ]

    assert because[:3] == ["wrong one two", ("wrong " * 8).strip(), "wrong " * 8 + "..."]
    assert because[3] == "wrong " + "x" * 94 + " ..."


def test_work_after_a_rejection_needs_more_than_silence() -> None:
    """The second attempt is often the same; a delivery or praise says that it was not."""
    first, wrong = make_turn("Prepare the release", make_action()), "no, that is wrong, do it differently"
    delivered = make_action(parameters={"command": "git push"})

    silent = judge_episode([first, make_turn(wrong, make_action())])
    pushed = judge_episode([first, make_turn(wrong, make_action(), delivered)])
    praised = judge_episode([first, make_turn(wrong, make_action()), make_turn("perfect, thanks")])
    never_rejected = judge_episode([first, make_turn("also update the docs", make_action())])

    assert silent.outcome is PARTIAL
    assert "turned down before" in silent.because
    assert {each.outcome for each in (pushed, praised, never_rejected)} == {SUCCESS}
