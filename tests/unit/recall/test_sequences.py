"""The next call, predicted from earlier work."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behavior_plugin.model import USER, Context, Outcome
from behavior_plugin.recall import sequences
from behavior_plugin.recall.sequences import Call, EarlierWork, Sequences, call_in, call_of, calls_of, earlier_work
from behavior_plugin.workflow import NextStep, StepKind
from tests.factories import START, make_action, make_turn

ROOT = "/home/dev/project"
LINES = ("make lint", "make test", "git add a.py", "git commit -m x", "git push")


def work(prompt: str, *steps: str, days: int = 0) -> EarlierWork:
    return EarlierWork(prompt, START + timedelta(days=days), tuple(map(call_in, steps)))


def after(works: list[EarlierWork], *done: str, prompt: str = "") -> list[NextStep]:
    return Sequences(prompt, works).after([call_in(step) for step in done])


def texts(found: list[NextStep]) -> list[str]:
    return [each.step.text for each in found]


def odds(found: list[NextStep]) -> dict[str, float]:
    return {each.step.text: each.odds for each in found}


def shell(line: str) -> Call:
    return call_of(make_action(parameters={"command": line}))


WORKS = st.lists(
    st.tuples(
        st.sampled_from(["fix it", "release", ""]),
        st.lists(st.sampled_from(LINES), min_size=1, max_size=6),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=8,
).map(lambda rows: [work(prompt, *steps, days=days) for prompt, steps, days in rows])
DONE = st.lists(st.sampled_from([*LINES, "make unheard-of"]), max_size=6)


@given(works=WORKS, done=DONE, prompt=st.sampled_from(["fix it", "release now", ""]))
def test_odds_are_shares_of_one(works: list[EarlierWork], done: list[str], prompt: str) -> None:
    """Otherwise they could not be read as odds."""
    found = after(works, *done, prompt=prompt)

    assert sum(each.odds for each in found) == pytest.approx(1)
    assert all(0 < each.odds <= 1 for each in found)
    assert [each.odds for each in found] == sorted((each.odds for each in found), reverse=True)
    assert len(set(texts(found))) == len(found)


@given(works=WORKS, done=DONE, data=st.data())
def test_order_of_the_works_makes_no_difference(works: list[EarlierWork], done: list[str], data: st.DataObject) -> None:
    """Two workers read the same rows in another order; only time counts, and equal times are equal."""
    mixed = data.draw(st.permutations(works))

    assert odds(after(mixed, *done, prompt="fix")) == pytest.approx(odds(after(works, *done, prompt="fix")))


def test_nothing_follows_where_nothing_is_known() -> None:
    """The steps of the work itself are not enough."""
    assert after([]) == []
    assert after([], "make lint", "make test") == []


def test_work_of_one_step_is_enough() -> None:
    assert odds(after([work("fix it", "make test")])) == {"make test": pytest.approx(1)}


def test_the_step_that_followed_the_last_one_is_likeliest() -> None:
    works = [work("fix it", "make lint", "make test", "git push")]

    assert texts(after(works))[0] == "make lint"
    assert texts(after(works, "make lint"))[0] == "make test"
    assert texts(after(works, "make lint", "make test"))[0] == "git push"


def test_the_steps_before_the_last_one_count() -> None:
    """After the same test, work that began with an edit is committed, and other work goes on."""
    works = [work("a", "Edit a.py", "make test", "git commit -m x"), work("b", "make lint", "make test", "git push")]

    assert texts(after(works, "Edit b.py", "make test"))[0] == "git commit -m {message}"
    assert texts(after(works, "make lint", "make test"))[0] == "git push"


def test_a_step_has_the_form_that_counts_most_in_all() -> None:
    """A form of the newest work, which was tried once, is no form to suggest."""
    works = [
        *(work("fix it", "make lint", "make test") for _ in range(3)),
        work("", "make lint", "rtk make test", days=1),
    ]

    assert call_in("rtk make test").name == call_in("make test").name
    assert texts(after(works, "make lint"))[0] == "make test"


def test_the_argument_of_the_last_step_counts() -> None:
    """After the changelog is edited, something else follows than after code."""
    works = [
        work("a", "Read x", "Edit CHANGELOG.md", "git push", days=1),
        work("b", "Read x", "Edit app.py", "make test", days=1),
    ]

    assert texts(after(works, "Read x", "Edit CHANGELOG.md"))[0] == "git push"
    assert texts(after(works, "Read x", "Edit app.py"))[0] == "make test"


def test_work_for_a_similar_prompt_counts_more() -> None:
    works = [work("cut a release", "git tag v1"), *(work("fix the parser", "make test") for _ in range(9))]

    assert texts(after(works, prompt="fix the total"))[0] == "make test"
    assert texts(after(works, prompt="cut a release"))[0].startswith("git tag")


def test_newer_work_counts_more() -> None:
    """Tools change."""
    works = [work("fix it", "npm test", days=number) for number in range(3)]
    works += [work("fix it", "make test", days=100 + number) for number in range(3)]

    found = odds(after([*works, *(work("other", "ls", days=10 + number) for number in range(60))], prompt="fix it"))

    assert found["make test"] > 2 * found["npm test"]


def test_the_calls_of_this_work_so_far_count_too() -> None:
    """A new habit shows first in the work itself."""
    works = [work("fix it", "make test", "git push")]
    done = ("make test", "Read log.txt", "make test")

    assert after(works, *done, prompt="other")[0].step.text == "Read"


def test_times_counts_how_often_a_step_came_next() -> None:
    works = [work("a", "make lint", "make test"), work("b", "make lint", "make test", "make lint", "git push")]

    found = {each.step.text: each.times for each in after(works, "make lint")}

    assert found == {"make test": 2, "git push": 1, "make lint": 0}


def test_a_shell_line_is_named_by_its_first_command_that_says_something() -> None:
    """As steps are, without the values of one occasion."""
    assert shell("cd app && git add a.py && git commit -m 'Mend it'").step.text == (
        "git add {files} && git commit -m {message}"
    )
    assert shell("cd app && git log -3 | head").step.text == "git log"
    assert shell("python3 - <<'X'\nprint(1)\nX").name == shell("python3 -c 'print(2)'").name == "python3"
    assert shell("cd app").name == shell("export A=1").name == sequences.NAMELESS
    assert shell("git push origin x").name == "git push"


def test_calls_of_tools_are_known_by_tool_and_argument() -> None:
    edit = call_of(make_action("Edit", parameters={"file_path": f"{ROOT}/src/a.py", "old_string": "x"}), ROOT)
    grep = call_of(make_action("Grep", parameters={"pattern": "total"}))
    skill = call_of(make_action("Skill", parameters={"skill": "commit"}))
    agent = call_of(make_action("Agent", parameters={"description": "look", "subagent_type": "Explore"}))
    other = call_of(make_action("mcp__mail__send", parameters={"urgent": False, "to": "me"}))

    assert (edit.name, edit.argument, edit.step.kind) == ("edit", "src/a.py", StepKind.EDIT)
    assert call_in("edit src/a.py") == call_in("Edit src/a.py") == call_in(f"Write {ROOT}/src/a.py", ROOT) == edit
    assert (grep.name, grep.argument, grep.step.kind) == ("Grep", "total", StepKind.TOOL)
    assert call_in("Grep total") == call_in("tool Grep total") == grep
    assert call_in("skill commit") == skill
    assert call_in("subagent Explore") == agent
    assert call_in("mcp__mail__send me") == other


def test_a_person_can_name_tools_that_only_the_history_has() -> None:
    assert call_in("cancel_order 7").step.kind is StepKind.RUN
    assert call_in("cancel_order 7", tools={"cancel_order"}).step.kind is StepKind.TOOL
    assert call_in("grep total").step.kind is StepKind.LOOK


def test_only_the_calls_of_the_main_agent_count() -> None:
    """A subagent's calls are its own, and lines of the user's shell too."""
    own, inner = make_action(), make_action("Read", actor="agent-1")
    turn = make_turn("fix it", own, inner, make_action(actor=USER))

    assert [call.name for call in calls_of(turn)] == ["make test"]


def test_each_turn_counts_once_and_turns_without_calls_do_not() -> None:
    """A part of an episode has the same turn as the whole."""
    turn = make_turn("fix it", make_action(outcome=Outcome.FAILED), context=Context(root=ROOT))

    [found] = earlier_work([turn, turn, make_turn("thanks")])

    assert (found.prompt, len(found.calls), found.started_at) == ("fix it", 1, turn.started_at)
