"""Divide turns into episodes: a prompt joins the work before it unless something speaks for a new beginning."""

from __future__ import annotations

from typing import Any

import pytest

from behavior_plugin.model import Action, Outcome, Turn
from behavior_plugin.patterns.boundaries import split, starts_episode
from tests.factories import make_action, make_turn

# Ten words that neither refer to anything nor begin like a task.
NEUTRAL = "the login page has room for one big button below"
FAR = NEUTRAL + " with rounded corners"


def edit(file: str = "src/app.py") -> Action:
    return make_action("Edit", parameters={"file_path": file})


def command(line: str, outcome: Outcome = Outcome.SUCCESS) -> Action:
    return make_action(parameters={"command": line}, outcome=outcome)


def before(*actions: Action, **changes: Any) -> Turn:
    return make_turn("Fix the parser", *(actions or (edit(),)), **{"files": ("src/app.py",), **changes})


def test_the_first_turn_starts_an_episode() -> None:
    """There is nothing that it could go on with."""
    assert starts_episode(make_turn("yes"), [])


def test_a_session_is_divided_where_episodes_start() -> None:
    """Each turn is in one episode, in its order."""
    turns = [before(), make_turn("yes"), make_turn("/release 1.2"), make_turn("commit"), make_turn("next task: docs")]

    assert split(turns) == [tuple(turns[:2]), tuple(turns[2:4]), tuple(turns[4:])]
    assert split([]) == []


@pytest.mark.parametrize(
    "text",
    [
        NEUTRAL,
        "why is the parser slow?",
        "it should be at the top of the page",
        "do #2 and the third one of your list",
        "ok, rename the parser as well",
        "fix lint",
        "add the two gaps as well",
        "update the changelog",
        "/commit",
        "/team:code-review high",
        "switch to the other branch that you made",
    ],
)
def test_most_prompts_go_on_with_the_work(text: str) -> None:
    """Only every eighth prompt begins another piece of work."""
    assert not starts_episode(make_turn(text), [before()])


@pytest.mark.parametrize(
    "text",
    [
        "Implement the following plan: a cache for the parser",
        "back to main, please",
        "new task: the docs need a page",
        "/release 1.2",
        "/todo-check",
        "rename the module in the demo",
        "ok, investigate the slow login page",
        "次のタスクをお願いします",
    ],
)
def test_words_begin_other_work(text: str) -> None:
    """Such words name a beginning, or a job of their own."""
    assert starts_episode(make_turn(text), [before()])


def test_a_cleared_conversation_starts_an_episode() -> None:
    """The assistant has forgotten the work before, so even an answer begins anew."""
    assert starts_episode(make_turn("yes", follows_clear=True), [before()])


@pytest.mark.parametrize(
    "last",
    [before(is_ended=False), before(make_action("Edit", outcome=Outcome.PARTIAL, error="The user rejected it"))],
)
def test_work_that_was_broken_off_goes_on(last: Turn) -> None:
    """The next prompt says how."""
    assert not starts_episode(make_turn("rename the module in the demo"), [last])
    assert starts_episode(make_turn("/release 1.2"), [last])


def test_a_command_that_was_broken_off_may_be_given_again() -> None:
    """The second try is the same work."""
    again = make_turn("/release 1.2")

    assert not starts_episode(again, [make_turn("/release 1.2", edit(), is_ended=False)])
    assert starts_episode(again, [make_turn("/release 1.2", edit())])


def test_a_prompt_to_deliver_is_short() -> None:
    """A long prompt that names a release is about something else."""
    fifteen = "rename the module in the demo and commit all of this with a short message"

    assert len(fifteen.split()) == 15
    assert not starts_episode(make_turn(fifteen), [before()])
    assert starts_episode(make_turn(f"{fifteen} please"), [before()])


def test_three_words_mean_the_work_before() -> None:
    """They are too few for a task."""
    assert not starts_episode(make_turn("rename the module"), [before()])
    assert starts_episode(make_turn("rename the old module"), [before()])


def test_the_same_files_are_the_same_work() -> None:
    """Half of them are enough."""
    text = "rename the module in the demo"

    assert not starts_episode(make_turn(text, files=("src/app.py", "a.py")), [before()])
    assert starts_episode(make_turn(text, files=("src/app.py", "a.py", "b.py")), [before()])


def test_a_long_prompt_about_other_files_starts_an_episode() -> None:
    """The words alone do not say so."""
    assert len(FAR.split()) == 13

    assert starts_episode(make_turn(FAR, files=("a.py",)), [before()])
    assert not starts_episode(make_turn(NEUTRAL, files=("a.py",)), [before()])
    assert not starts_episode(make_turn(FAR, files=()), [before()])
    assert not starts_episode(make_turn(f"still {FAR}", files=("a.py",)), [before()])
    assert not starts_episode(make_turn(f"{FAR} and they are wrong", files=("a.py",)), [before()])


def test_only_the_first_words_refer_to_the_work_before() -> None:
    """Later, "it" is something in the prompt itself."""
    assert starts_episode(make_turn("review the login page and the menu and the footer, make it pretty"), [before()])
    assert not starts_episode(make_turn("review the login page, make it pretty"), [before()])


def test_behind_delivered_work_a_sentence_starts_an_episode() -> None:
    """A commit with no edit after it is an end."""
    text = "the login page has a button"
    delivered = before(edit(), command("git commit -m 'Fix it'"))

    assert starts_episode(make_turn(text), [delivered])
    assert starts_episode(make_turn(text), [delivered, make_turn("thanks")])
    assert not starts_episode(make_turn("the login page has buttons"), [delivered])
    assert not starts_episode(make_turn(text), [before(command("git commit -m 'Fix it'"), edit())])
    assert not starts_episode(make_turn(text), [before(command("git commit -m 'Fix it'", Outcome.FAILED))])
    assert not starts_episode(make_turn(f"but {text}"), [delivered])
    assert not starts_episode(make_turn(f"ok, {text}"), [delivered])
    assert not starts_episode(make_turn("3 seems like the one to tackle"), [delivered])
