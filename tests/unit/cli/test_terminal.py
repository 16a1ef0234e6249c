"""Lists fit the terminal that they are shown in, and one pattern is shown whole."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from behavior_plugin.cli import terminal
from behavior_plugin.model import Context, Outcome, Verdict
from behavior_plugin.recall import MIN_CONFIDENCE
from behavior_plugin.recall.wording import day
from behavior_plugin.workflow import Judgement, Lesson, StepKind, StoredPattern, Suggestion, Variant
from tests.factories import START, make_action, make_episode, make_pattern, make_step, make_workflow

LONG = "Find out why the total at the checkout ignores the discount, and repair it " * 3
WHEN = f"{START.astimezone():%Y-%m-%d %H:%M}"
Shown = Callable[[], str]


def stored(**changes: Any) -> StoredPattern:
    pattern = make_pattern(**{"started_at": START, **changes})
    return StoredPattern(**pattern.model_dump(), id=uuid.UUID(int=7), use_count=1234, created_at=START)


def in_project(name: str) -> Context:
    return Context(directory=f"/home/dev/{name}", project=name)


def suggestion_of(pattern: StoredPattern) -> Suggestion:
    return Suggestion(
        pattern=pattern,
        similarity=0.8,
        score=0.8,
        occurrences=9,
        successes=9,
        last_seen_at=START,
        reason="the prompts are 80% alike",
    )


@pytest.fixture
def shown_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Shown]:
    """A terminal of some width, and what it shows."""

    def of_width(width: int) -> Shown:
        file = io.StringIO()
        shown = Console(file=file, width=width, force_terminal=True, color_system=None, highlight=False, soft_wrap=True)
        monkeypatch.setattr(terminal, "console", shown)
        return file.getvalue

    return of_width


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_list_has_every_column_on_one_line(width: int, shown_at: Callable[[int], Shown]) -> None:
    """The prompt gives way where there is little room."""
    shown = shown_at(width)
    workflow = make_workflow("open a pull request", triggers=(LONG,), times=64, worked=46, typical_ms=900_000)

    terminal.show_list([stored(workflow=workflow)])

    heading, row = shown().splitlines()
    assert heading.split() == ["id", "job", "worked", "takes", "last", "prompt"]
    assert row.startswith("00000000 ")
    assert "open a pull" in row
    assert all(part in row for part in ("46/64", "15 min", day(START), "Find out why"))
    assert len(row.rstrip()) <= width


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_list_names_projects_where_there_are_several(width: int, shown_at: Callable[[int], Shown]) -> None:
    """Rows of different projects look alike otherwise."""
    shown = shown_at(width)
    workflow = make_workflow("rebase and squash the fixups", triggers=(LONG,), times=640, worked=460)
    patterns = [
        stored(workflow=workflow, context=in_project(name)) for name in ("github.com/me/checkout-service", "x/y")
    ]

    terminal.show_list(patterns)

    heading, first, second = shown().splitlines()
    assert heading.split() == ["id", "job", "project", "worked", "takes", "last", "prompt"]
    assert "checkout-se" in first
    assert " y " in second
    assert "Find out" in first
    assert len(first.rstrip()) <= width


def test_projects_with_the_same_last_name_keep_their_owner() -> None:
    """A fork is not the original."""
    names = terminal.short_names(["github.com/me/shop", "github.com/you/shop", "/home/dev/api/", "C:\\work\\web"])

    assert list(names.values()) == ["me/shop", "you/shop", "api", "web"]


def test_a_list_in_a_pipe_has_a_line_for_each_row(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts read lines."""
    terminal.show_list([stored(workflow=make_workflow(triggers=(LONG,))), stored(trigger="no workflow")])

    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split()[0] == "id"
    assert LONG[:60] in first
    assert "7/8" in first
    assert "1/1" in second


def test_turns_are_listed_with_time_outcome_calls_and_project(shown_at: Callable[[int], Shown]) -> None:
    """They are the evidence as it was recorded."""
    shown = shown_at(80)

    terminal.show_turns([stored(trigger=LONG, context=in_project("me/shop"), final_outcome=Outcome.PARTIAL)])

    heading, row = shown().splitlines()
    assert heading.split() == ["when", "outcome", "calls", "project", "prompt"]
    assert row.split()[:5] == [*WHEN.split(), "partial", "1", "shop"]
    assert "Find out why" in row
    assert len(row.rstrip()) <= 80


def test_turns_outside_of_a_project_have_their_folder(shown_at: Callable[[int], Shown]) -> None:
    """Otherwise their place would be empty."""
    shown = shown_at(80)

    terminal.show_turns([stored(context=Context(directory="/home/dev/notes"))])

    assert shown().splitlines()[1].split()[4] == "notes"


def test_turns_of_one_project_need_not_name_it(shown_at: Callable[[int], Shown]) -> None:
    """The user asked for it with --here."""
    shown = shown_at(80)

    terminal.show_turns([stored(context=in_project("me/shop"))], has_projects=False)

    assert shown().splitlines()[0].split() == ["when", "outcome", "calls", "prompt"]
    assert "shop" not in shown()


def test_a_pattern_is_shown_whole(shown_at: Callable[[int], Shown]) -> None:
    """Odds, steps and lessons come first, and a run with uncut commands last."""
    shown = shown_at(80)
    command = "python3 -m pytest " + "tests/unit/test_one.py " * 20
    failed = make_action(
        parameters={"command": command},
        outcome=Outcome.FAILED,
        duration_ms=12_000,
        error="Traceback\nAssertionError: total is 6",
        verdict=Verdict(passed=11, failed=1),
    )
    workflow = make_workflow(
        "commit",
        steps=(make_step("git commit -m {message}", StepKind.DELIVER),),
        lessons=(Lesson(failed="rtk bun test", worked="bun run test", failures=46, sessions=12),),
        variants=(Variant(steps=(make_step("make all"),), times=3, worked=1),),
        triggers=("commit", "commit it"),
        change="a1b2c3d Count all",
    )
    refused = Judgement(outcome=Outcome.PARTIAL, because="the next prompt says: no")
    episodes = [make_episode(prompt="commit", started_at=START, session_id="0123456789", judgement=refused)]

    pattern = stored(workflow=workflow, trigger="commit", actions=(failed,), confidence=0.834)
    terminal.show_pattern(pattern, episodes, has_run=True)

    lines = shown().splitlines()
    assert lines[:5] == [
        f"id                {uuid.UUID(int=7)}",
        "job               commit",
        f"how often         worked 7 of 8 times, in 5 sessions, last on {day(START)}; usually takes 3 min",
        "confidence        0.83 of 1",
        "suggested         0 times, followed 0 times",
    ]
    assert lines[5:12] == [
        "Steps",
        "   1. `git commit -m {message}`",
        "Lessons",
        "   `rtk bun test` failed 46 times in 12 sessions; `bun run test` worked",
        "Other ways",
        "   worked 1 of 3 times: `make all`",
        "Facts",
    ]
    facts = {line[:18].strip(): line[18:] for line in lines[12:20]}
    assert facts["last prompt"] == "commit"
    assert facts["other prompts"] == '"commit it"'
    assert facts["last change"] == 'commit a1b2c3d "Count all"'
    assert lines[20:] == [
        "Evidence",
        f'   {WHEN}  partial  "commit": the next prompt says: no (session 0123456…)',
        f'One run, {WHEN}, success, for the prompt "commit"',
        f"   1. Bash {command.rstrip()} (failed, 12 s, 11 passed, 1 failed)",
        "      AssertionError: total is 6",
    ]


@pytest.mark.parametrize(("count", "words"), [(1, "1 call; `behavior show 00000000 --run` shows it"), (0, "")])
def test_a_run_is_shown_on_request_only(count: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Hundreds of calls hid the steps."""
    terminal.show_pattern(stored(workflow=make_workflow(), actions=(make_action(),) * count))

    text = capsys.readouterr().out
    assert "Bash make test" not in text
    assert text.endswith(f"   {words}\n") if words else "One run" not in text


def test_a_long_prompt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """It may be a whole page."""
    terminal.show_pattern(stored(workflow=make_workflow(triggers=("x " * 500,))))

    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("last prompt")]
    assert line == f"last prompt       {'x ' * 149}x…"


@pytest.mark.parametrize(("times", "more"), [(75, "and 25 more; `behavior list --turns"), (50, "")])
def test_evidence_that_is_left_out_is_counted(times: int, more: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A list that ends without a word looks complete."""
    terminal.show_pattern(stored(workflow=make_workflow(times=times), actions=()), [make_episode() for _ in range(50)])

    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"   {more}") if more else "more" not in last


def test_only_the_last_prompts_of_a_job_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Hundreds of "commit it" would hide the rest."""
    terminal.show_pattern(stored(workflow=make_workflow(triggers=tuple(f"prompt {number}" for number in range(12)))))

    text = capsys.readouterr().out
    assert "\nlast prompt       prompt 0\n" in text
    assert text.count('"prompt ') == 5


def test_a_pattern_that_never_worked_has_no_steps_to_follow(capsys: pytest.CaptureFixture[str]) -> None:
    """Its heading says how it went."""
    terminal.show_pattern(stored(workflow=make_workflow(worked=0), final_outcome=Outcome.FAILED))

    text = capsys.readouterr().out
    assert "Tried, and did not work\n   1. `make test`\n" in text
    assert "\nSteps\n" not in text


def test_a_pattern_without_a_workflow_is_shown_with_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A caller wrote it."""
    terminal.show_pattern(stored(trigger="Fix it"), has_run=True)

    text = capsys.readouterr().out
    assert "\nlast prompt       Fix it\n" in text
    assert "worked 1 of 1 time, in 1 session" in text
    assert "1. Bash make test (0.1 s)" in text
    assert not {"job  ", "Evidence", "Lessons", "other prompts"} & set(text.splitlines())


def test_suggestions_have_the_odds_of_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    """They do not depend on the number of similar prompts that were found."""
    lesson = Lesson(failed="lint", worked="lint:fix")
    known = stored(workflow=make_workflow(lessons=(lesson,), triggers=("repair it",)))
    failed = stored(workflow=make_workflow(worked=0))

    terminal.show_suggestions([suggestion_of(known), suggestion_of(failed)])

    assert capsys.readouterr().out.splitlines()[:6] == [
        "1. fix and check",
        f"   00000000  odds 80%  worked 7 of 8 times, in 5 sessions, last on {day(START)}; usually takes 3 min; "
        "the prompts are 80% alike",
        '   for the prompt "repair it"',
        "   1. `make test`",
        "   `lint` failed 1 time; `lint:fix` worked",
        "2. fix and check",
    ]


def test_a_suggestion_names_the_prompt_that_is_similar(capsys: pytest.CaptureFixture[str]) -> None:
    """The similarity above it is that of this prompt."""
    known = suggestion_of(stored(workflow=make_workflow(triggers=("ship it", "save the work"))))

    terminal.show_suggestions([known.model_copy(update={"trigger": "save the work"})])

    text = capsys.readouterr().out
    assert '\n   similar to the prompt "save the work"\n' in text
    assert "ship it" not in text


def test_odds_of_the_steps_are_shown_beside_those_of_the_job(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps that were done once have not worked seven times."""
    pattern = stored(workflow=make_workflow(way_times=1, way_worked=1))

    terminal.show_suggestions([suggestion_of(pattern)])
    terminal.show_pattern(pattern)

    assert capsys.readouterr().out.count("worked 7 of 8 times, once with these steps; in 5 sessions") == 2


@pytest.mark.parametrize(
    ("outcome", "ending"),
    [
        (Outcome.SUCCESS, ""),
        (None, ""),
        (Outcome.PARTIAL, ", which was not finished"),
        (Outcome.FAILED, ", which did not work"),
    ],
)
def test_the_similar_work_may_have_failed(
    outcome: Outcome | None, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way has worked, but not for this prompt."""
    known = suggestion_of(stored(workflow=make_workflow(triggers=("ship it", "save it"))))

    for trigger in ("ship it", "save it"):
        terminal.show_suggestions([known.model_copy(update={"trigger": trigger, "trigger_outcome": outcome})])

    text = capsys.readouterr().out
    assert f'\n   for the prompt "ship it"{ending}\n' in text
    assert f'\n   similar to the prompt "save it"{ending}\n' in text


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({}, "worked 7 of 8"),
        ({"confidence": MIN_CONFIDENCE}, "worked 7 of 8"),
        ({"confidence": MIN_CONFIDENCE - 0.01}, "refused or failed too often to be suggested: worked 7 of 8"),
        ({"workflow": make_workflow(worked=0), "final_outcome": "partial"}, "tried, and was not finished: worked 0"),
        ({"workflow": make_workflow(worked=0), "final_outcome": "failed"}, "tried, and did not work: worked 0"),
    ],
)
def test_what_speaks_against_a_way_stands_before_it(
    changes: dict[str, Any], mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.show_suggestions([suggestion_of(stored(**{"workflow": make_workflow(), **changes}))])

    assert f"\n   00000000  odds 80%  {mark}" in capsys.readouterr().out


def test_an_explanation_is_shown_below_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    explained = suggestion_of(stored()).model_copy(update={"explanation": ("+1.00 [words]", "which is 80%")})

    terminal.show_suggestions([explained])

    assert capsys.readouterr().out.endswith("\n   +1.00 [words]\n   which is 80%\n")


def test_a_suggestion_that_never_worked_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Its steps are listed, so the reader must know."""
    terminal.show_suggestions([suggestion_of(stored(workflow=make_workflow(worked=0)))])

    assert "00000000  odds 80%  tried, and did not work: worked 0 of 8 times" in capsys.readouterr().out


def test_commands_with_tags_can_be_copied(capsys: pytest.CaptureFixture[str]) -> None:
    """The signs matter only to a model that reads them in a note."""
    command = "kubectl logs <pod>"
    workflow = make_workflow(command, steps=(make_step(command),), triggers=(command,))

    terminal.show_list([stored(workflow=workflow)])
    terminal.show_suggestions([suggestion_of(stored(workflow=workflow))])
    terminal.show_pattern(stored(workflow=workflow), [make_episode(prompt=command)])

    text = capsys.readouterr().out
    assert "‹" not in text
    assert text.count(command) >= 8


def test_no_text_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Prompts, commands and answers are untrusted."""
    evil = "\x1b[2J[red]clear\u202e"
    workflow = make_workflow(
        evil,
        steps=(make_step(evil),),
        lessons=(Lesson(failed=evil, worked=evil, error=evil),),
        triggers=(evil,),
        change=evil,
    )
    pattern = stored(
        trigger=evil,
        workflow=workflow,
        context=in_project(evil),
        actions=(make_action(parameters={"command": evil}, error=evil),),
        session_id=evil,
    )

    terminal.show_list([pattern, stored()])
    terminal.show_turns([pattern])
    terminal.show_suggestions([suggestion_of(pattern)])
    terminal.show_pattern(pattern, [make_episode(prompt=evil, session_id=evil)], has_run=True)

    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert text.count("[red]clear") > 12
