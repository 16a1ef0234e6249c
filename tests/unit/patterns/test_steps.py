"""Calls are distilled to steps: what changed, checked, delivered or ran something, and held."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from behavior_plugin.model import Action, Context, Outcome, Turn, Verdict
from behavior_plugin.patterns.rounds import MAX_FILES
from behavior_plugin.patterns.short_work import short_work_steps
from behavior_plugin.patterns.steps import distil, known_commands, top_steps
from behavior_plugin.workflow import Step, StepKind
from tests.factories import START, make_action
from tests.work import steps as steps_of_work

FAILED, PARTIAL, SUCCESS = Outcome.FAILED, Outcome.PARTIAL, Outcome.SUCCESS


def run(command: str, **changes: Any) -> Action:
    return make_action(parameters={"command": command}, **changes)


def edit(file: str, **changes: Any) -> Action:
    return make_action("Edit", parameters={"file_path": file}, **changes)


def make_turn(*actions: Action) -> Turn:
    context = Context(directory="/home/dev/shop", root="/home/dev/shop")
    return Turn(source_key="k", session_id="s", prompt="p", started_at=START, context=context, actions=actions)


def step_line(step: Step) -> str:
    """A step in short: "edit a.py until `npm test` (x3, 4 s)"."""
    until = f" until `{step.until}` passes" if step.until else ""
    names = {
        StepKind.EDIT: f"edit {' and '.join(step.files) if len(step.files) < 3 else f'{len(step.files)} files'}{until}",
        StepKind.SKILL: f"skill {step.text}",
        StepKind.AGENT: f"subagent {step.text}",
        StepKind.TOOL: step.text,
    }
    took_ms = step.took_ms or 0
    notes = [f"x{step.times}"] * (step.times > 1) + [f"{round(took_ms / 1000)} s"] * (took_ms >= 1_000)
    return names.get(step.kind, f"`{step.text}`") + (f" ({', '.join(notes)})" if notes else "")


def lines(*actions: Action) -> list[str]:
    return [step_line(step) for step in distil([make_turn(*actions)], judged=[SUCCESS])]


def test_looking_is_no_step() -> None:
    """Reading, searching and asking are done anew each time."""
    looking = [
        make_action(tool, parameters={}) for tool in ("Read", "Grep", "WebFetch", "TaskCreate", "AskUserQuestion")
    ]

    assert lines(*looking, run("git status | head"), run("ls")) == []


def test_denied_and_open_calls_are_no_steps() -> None:
    """Nobody knows how they would have ended."""
    assert lines(edit("a.py", outcome=PARTIAL), run("make test", outcome=PARTIAL), run("make lint")) == ["`make lint`"]


def test_a_subagents_own_calls_are_no_steps() -> None:
    """The call that started it is one."""
    agent = make_action("Agent", parameters={"subagent_type": "Explore"})

    assert lines(agent, run("make test", actor="a1"), agent) == ["subagent Explore (x2)"]


def test_edits_in_a_row_are_one_step() -> None:
    """Looking between them does not part them; failed ones are the assistant's slips."""
    read = make_action("Read", parameters={"file_path": "c.py"})

    steps = distil(
        [make_turn(edit("a.py"), read, edit("/home/dev/shop/b.py"), edit("c.py", outcome=FAILED))], judged=[SUCCESS]
    )

    assert steps == (Step(kind=StepKind.EDIT, files=("a.py", "b.py")),)


def test_a_line_that_changes_files_in_place_is_an_edit() -> None:
    """Beside other edits it is by the way; the rest of it is a step as ever."""
    change, red = "sed -i s/a/b/ a.py && npm test", {"outcome": FAILED}

    assert lines(edit("b.py"), run("sed -i s/a/b/ a.py")) == ["edit b.py"]
    assert lines(run(change), run("sed -i s/b/c/ a.py"), run("npm test")) == ["edit a.py until `npm test` passes (x2)"]
    assert lines(run("sed -i s/a/b/ a.py", **red)) == []


def test_edits_outside_the_project_are_no_steps() -> None:
    """Scratch files mean nothing in the next session."""
    assert lines(edit("/tmp/a.py")) == []


def test_the_files_of_a_step_are_limited() -> None:
    """A rename across the project has hundreds."""
    [step] = distil([make_turn(*(edit(f"{number}.py") for number in range(MAX_FILES + 5)))], judged=[SUCCESS])

    assert len(step.files) == MAX_FILES == 12


def test_edits_and_a_check_are_repeated_until_it_passes() -> None:
    """Rounds of the same are one step, with the time of one check that passed."""
    steps = distil(
        [
            make_turn(
                edit("a.py"),
                run("npm test 2>&1 | tail", outcome=FAILED, duration_ms=9_000),
                edit("b.py"),
                run("npm test", outcome=FAILED),
                run("npm run lint"),
                edit("a.py"),
                run("npm test", duration_ms=4_000),
            )
        ],
        judged=[SUCCESS],
    )

    assert steps == (
        Step(kind=StepKind.EDIT, files=("a.py", "b.py"), until="npm test", times=3, took_ms=4_000),
        Step(kind=StepKind.CHECK, text="npm run lint", took_ms=100),
    )


def test_a_check_before_the_first_edit_is_a_round() -> None:
    """It showed the failure that was mended."""
    assert lines(run("npm test", outcome=FAILED), edit("a.py"), run("npm test")) == [
        "edit a.py until `npm test` passes (x2)"
    ]


def test_one_check_behind_an_edit_is_a_step_of_its_own() -> None:
    """There was no second round."""
    assert lines(edit("a.py"), run("npm test")) == ["edit a.py", "`npm test`"]


def test_a_check_without_an_edit_between_is_only_repeated() -> None:
    """The same command counts at its last place."""
    assert lines(edit("a.py"), run("npm test"), run("npm run lint"), run("npm test")) == [
        "edit a.py",
        "`npm run lint`",
        "`npm test` (x2)",
    ]


def test_of_several_checks_the_one_that_ran_most_often_bounds_the_rounds() -> None:
    """The others follow with their counts."""
    test, lint = run("npm test"), run("npm run lint")

    assert lines(edit("a.py"), lint, test, edit("b.py"), test, edit("c.py"), lint, test) == [
        "edit 3 files until `npm test` passes (x3)",
        "`npm run lint` (x2)",
    ]


def test_rounds_end_with_a_delivery() -> None:
    """A commit stands at its last place, and the rounds before and after it become one step."""
    test, commit = run("npm test"), run("git commit -m x")

    assert lines(edit("a.py"), test, edit("b.py"), test, commit, edit("c.py"), test, edit("c.py"), test, commit) == [
        "edit 3 files until `npm test` passes (x4)",
        "`git commit -m {message}` (x2)",
    ]


@pytest.mark.parametrize("between", [run("git commit -m x"), make_action("Skill", parameters={"skill": "tidy"})])
def test_no_round_goes_across_a_delivery_or_a_skill(between: Action) -> None:
    """The work so far was good enough to go on with something else."""
    first, named, *rest = lines(edit("a.py"), run("npm test"), between, edit("b.py"), run("npm test"))

    assert (first, *rest) == ("edit a.py", "edit b.py", "`npm test` (x2)")
    assert named in ("`git commit -m {message}`", "skill tidy")


def test_a_check_twice_after_the_last_edit_is_one_round() -> None:
    """Nothing was edited between them."""
    test = run("npm test")

    assert lines(edit("a.py"), test, edit("b.py"), test, run("npm run lint"), test) == [
        "edit a.py and b.py until `npm test` passes (x2)",
        "`npm run lint`",
    ]


@pytest.mark.parametrize(
    "verdict", [Verdict(passed=3, failed=1), Verdict(ran_nothing=True)], ids=["some failed", "ran nothing"]
)
def test_a_check_that_says_so_has_failed(verdict: Verdict) -> None:
    """A pipe hides the exit code."""
    assert lines(edit("a.py"), run("npm test | tail", verdict=verdict)) == ["edit a.py"]


def test_a_check_that_counts_no_failures_has_passed() -> None:
    """The counts are there for every run."""
    assert lines(run("npm test", verdict=Verdict(passed=3, failed=0))) == ["`npm test`"]


def test_failures_that_were_not_repaired_are_no_steps() -> None:
    """A later success of the same command stands for it."""
    assert lines(run("make tset", outcome=FAILED), run("make lint", outcome=FAILED), run("make lint")) == [
        "`make lint`"
    ]


def test_a_line_with_all_commands_of_an_earlier_one_repeats_it() -> None:
    """The earlier one says nothing more."""
    assert lines(run("git add a"), run("npm test"), run("git add b && git commit -m x")) == [
        "`npm test`",
        "`git add {files} && git commit -m {message}` (x2)",
    ]


def test_a_line_counts_as_its_weightiest_command() -> None:
    """A line that installs, tests and pushes delivers."""
    [step] = distil([make_turn(run("npm ci && npm test && git push"))], judged=[SUCCESS])

    assert step.kind is StepKind.DELIVER


def test_calls_of_one_server_in_a_row_are_one_step() -> None:
    """It is named as most of them are."""
    calls = [make_action(f"mcp__tracker__{name}", parameters={}) for name in ("find", "comment", "comment")]
    other = make_action("mcp__docs__search", parameters={})

    assert lines(*calls, other) == ["mcp__tracker__comment (x3)", "mcp__docs__search"]


@pytest.mark.parametrize(
    "tool",
    [
        "mcp__playwright__browser_navigate",
        "mcp__claude-in-chrome__read_page",
        "mcp__desk__take_screenshot",
        "mcp__desk__doubleClick",
        "mcp__desk__wait_for",
    ],
)
def test_handling_a_page_is_no_step(tool: str) -> None:
    """Each page wants other clicks."""
    assert lines(make_action(tool, parameters={}), run("make test")) == ["`make test`"]


def test_a_word_of_page_handling_may_be_about_something_else() -> None:
    """The verb decides."""
    tools = ["mcp__tracker__list_issue_types", "mcp__cloud__create_snapshot"]

    assert [line for tool in tools for line in lines(make_action(tool, parameters={}))] == tools


@pytest.mark.parametrize(
    "command",
    ["kill -9 4711", "pkill -f vite", "mktemp -d", "mkdir -p tmp/out", "mkdir .scratch", "taskkill /PID 12 /F"],
)
def test_what_only_this_occasion_has_is_no_step(command: str) -> None:
    """It ends processes, or makes folders that are thrown away."""
    assert lines(run(command), run(f"{command} && make test")) == ["`make test`"]
    assert short_work_steps([make_turn(run(command))]) == ()


def test_a_folder_of_the_project_is_a_step() -> None:
    """Its name only begins like that of a scratch folder."""
    assert lines(run("mkdir src/templates")) == ["`mkdir {files}`"]


def test_a_skill_is_a_step() -> None:
    """Skills and other tools are named."""
    assert lines(make_action("Skill", parameters={"skill": "release"}), make_action("Deploy", parameters={})) == [
        "skill release",
        "Deploy",
    ]


@pytest.mark.parametrize(
    ("judged", "expected"),
    [
        ([FAILED, SUCCESS], ["`make two`"]),
        ([PARTIAL, SUCCESS], ["`make one`", "`make two`"]),
        ([FAILED, FAILED], ["`make one`", "`make two`"]),
    ],
)
def test_turns_that_failed_are_left_out(judged: Sequence[Outcome], expected: list[str]) -> None:
    """The user turned that work down; where nothing else is left, the attempt is shown."""
    turns = [make_turn(run("make one")), make_turn(run("make two"))]

    assert [step_line(step) for step in distil(turns, judged=judged)] == expected


def test_the_top_steps_are_chosen_by_kind_and_place() -> None:
    """Deliveries and checks first, an edit with its check among them, later before earlier; the order stays."""
    edit_step = Step(kind=StepKind.EDIT, files=("a",))
    loop = Step(kind=StepKind.EDIT, files=("a",), until="npm test")
    tool, skill = Step(kind=StepKind.TOOL, text="T"), Step(kind=StepKind.SKILL, text="s")
    first, second = Step(kind=StepKind.RUN, text="one"), Step(kind=StepKind.RUN, text="two")
    check, deliver = Step(kind=StepKind.CHECK, text="c"), Step(kind=StepKind.DELIVER, text="d")
    agent = Step(kind=StepKind.AGENT, text="a")
    steps = [tool, edit_step, loop, skill, first, second, check, deliver, agent]

    assert top_steps(steps) == (loop, skill, first, second, check, deliver, agent)
    assert top_steps(steps, 5) == (loop, skill, second, check, deliver)
    assert top_steps(steps, 4) == (loop, skill, check, deliver)
    assert top_steps(steps, 2) == (check, deliver)
    assert top_steps(steps, 1) == (deliver,)
    assert top_steps(steps, 8) == (edit_step, loop, skill, first, second, check, deliver, agent)


def test_a_project_is_known_by_single_commands() -> None:
    """A command is known however it was combined with others."""
    steps = [
        Step(kind=StepKind.EDIT, files=("a",), until="npm test"),
        Step(kind=StepKind.DELIVER, text="npm test && git commit -m {message}"),
        Step(kind=StepKind.SKILL, text="release"),
    ]

    assert known_commands(steps) == ("npm test", "git commit -m {message}")


def test_thousands_of_calls_cost_no_more_than_their_number() -> None:
    """Comparing each with each would take a worker minutes."""

    def work(times: int) -> int:
        turns = [make_turn(*[make_action(parameters={"command": f"./t{number}.sh"}) for number in range(times)])]
        checked = [make_turn(*[make_action(parameters={"command": "npm test"}) for _ in range(times)])]
        return steps_of_work(lambda: [distil(each, judged=[Outcome.SUCCESS]) for each in (turns, checked)])

    assert work(1_000) < 6 * work(250)
