"""Episodes are folded into patterns: one for each job in each project, whatever the order they come in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from behavior_plugin.model import Outcome
from behavior_plugin.patterns.confidence import confidence
from behavior_plugin.patterns.evidence import occurrence_of
from behavior_plugin.patterns.fold import FoldedPattern, fold, pattern_key, pattern_of
from behavior_plugin.patterns.steps import known_commands
from behavior_plugin.workflow import Digest, Lesson, Occurrence, Remark, RemarkKind, Remedy, Step, StepKind, Variant
from tests.factories import START, make_action, make_episode, make_turn

FAILED, PARTIAL, SUCCESS = Outcome.FAILED, Outcome.PARTIAL, Outcome.SUCCESS
TEST, LINT, BUILD = (Step(kind=StepKind.CHECK, text=f"npm run {name}") for name in ("test", "lint", "build"))
EDIT, COMMIT = Step(kind=StepKind.EDIT, files=("a.ts",)), Step(kind=StepKind.DELIVER, text="git commit -m {message}")


def run(text: str) -> Step:
    return Step(kind=StepKind.RUN, text=text)


def episode(key: str, *steps: Step, day: int = 0, outcome: Outcome = SUCCESS, **changes: Any) -> Occurrence:
    """An episode of the job "commit"; changes to fields of the digest belong to the digest."""
    of_digest = {name: changes.pop(name) for name in Digest.model_fields if name in changes}
    digest = {"version": 1, "job": "commit", "steps": steps, "commands": known_commands(steps)}
    defaults: dict[str, Any] = {
        "source_key": key,
        "session_id": f"session {key}",
        "trigger": f"prompt {key}",
        "project": "shop",
        "started_at": START + timedelta(days=day),
        "outcome": outcome,
        "digest": Digest(**{**digest, **of_digest}),
    }
    return Occurrence(**{**defaults, **changes})


def folded(*episodes: Occurrence) -> FoldedPattern:
    [pattern] = fold(episodes)
    return pattern


STEPS = st.lists(st.sampled_from([EDIT, TEST, LINT, COMMIT, run("make proto"), run("make keys")]), max_size=4)
LESSONS = st.lists(
    st.builds(
        Lesson,
        failed=st.sampled_from(["a", "b"]),
        worked=st.sampled_from(["c", "d"]),
        is_plain=st.booleans(),
        error=st.sampled_from(["x", "y"]),
        failures=st.integers(1, 3),
    ),
    max_size=2,
)
EPISODES = st.lists(
    st.builds(
        lambda number, steps, lessons, job, **changes: episode(
            str(number), *steps, lessons=tuple(lessons), job=job, change=f"change {number}", **changes
        ),
        number=st.integers(0, 9),
        steps=STEPS,
        lessons=LESSONS,
        job=st.sampled_from(["commit", "check", ""]),
        day=st.integers(0, 3),
        outcome=st.sampled_from(Outcome),
        session_id=st.sampled_from(["s1", "s2"]),
        trigger=st.sampled_from(["one", "One", "two"]),
        part_of=st.sampled_from(["", "1", "2"]),
        project=st.sampled_from(["shop", "bank"]),
        took_ms=st.integers(0, 9),
    ),
    max_size=12,
)


@given(EPISODES, st.randoms(use_true_random=False))
def test_order_and_repetition_make_no_difference(episodes: list[Occurrence], random: Any) -> None:
    """Patterns can be computed anew from what is stored, in whatever order it is read."""
    again = [*episodes, *random.choices(episodes, k=5)] if episodes else []
    random.shuffle(again)

    assert fold(again) == fold(episodes)


def test_episodes_of_the_same_moment_have_an_order() -> None:
    """Their keys decide."""
    episodes = [episode("2", COMMIT), episode("1", COMMIT)]

    assert fold(episodes) == fold(episodes[::-1])
    assert folded(*episodes).members == ("1", "2")


def test_each_job_of_each_project_has_one_pattern() -> None:
    """Its key stays the same while episodes come; an episode without a job is in none."""
    patterns = fold(
        [episode("1"), episode("2"), episode("3", job="check"), episode("4", project="bank"), episode("5", job="")]
    )

    assert {(pattern.source_key, pattern.members) for pattern in patterns} == {
        (pattern_key("shop", "commit"), ("1", "2")),
        (pattern_key("shop", "check"), ("3",)),
        (pattern_key("bank", "commit"), ("4",)),
    }
    assert pattern_key("shop", "commit") == "9aa2529757dbe9f00cf84af653a1b5ff7c452968"


def test_a_pattern_counts_its_episodes() -> None:
    """Times, successes, sessions, the median duration, the last change that worked."""
    pattern = folded(
        episode("1", COMMIT, day=1, session_id="s", took_ms=1_000, change="first"),
        episode("2", COMMIT, day=2, session_id="s", took_ms=3_000, change="second"),
        episode("3", COMMIT, day=3, session_id="t", took_ms=8_000),
        episode("4", COMMIT, day=4, outcome=FAILED, took_ms=99_000, change="refused"),
    )

    workflow = pattern.workflow
    assert (workflow.times, workflow.worked, workflow.sessions) == (4, 3, 3)
    assert (workflow.typical_ms, workflow.change) == (3_000, "second")
    assert workflow.last_at == START + timedelta(days=4)
    assert pattern.members == ("4", "3", "2", "1")
    ages = [START + timedelta(days=day) for day in (1, 2, 3, 4)]
    assert pattern.confidence == pytest.approx(confidence([SUCCESS, SUCCESS, SUCCESS, FAILED], ages))


def test_work_that_never_worked_has_no_duration() -> None:
    """There is no change either."""
    workflow = folded(episode("1", COMMIT, outcome=PARTIAL, took_ms=5, change="x")).workflow

    assert (workflow.worked, workflow.typical_ms, workflow.change) == (0, None, "")


def test_the_representative_is_most_like_the_others() -> None:
    """Its steps are the workflow."""
    usual = [EDIT, TEST, LINT, COMMIT]

    pattern = folded(
        episode("1", *usual),
        episode("2", *usual, day=1),
        episode("3", EDIT, TEST, COMMIT, day=2),
        episode("4", *usual[:3], day=3),
    )

    assert pattern.representative == "2"
    assert pattern.workflow.steps == tuple(usual)
    assert pattern.workflow.variants == ()


def test_a_failed_episode_never_stands_for_others() -> None:
    """Unless all failed; partial work stands before failed work."""
    worked, partial, failed = (
        episode(str(outcome), COMMIT, outcome=outcome, day=day)
        for day, outcome in enumerate([SUCCESS, PARTIAL, FAILED])
    )

    assert [(pattern.representative, pattern.final_outcome) for pattern in (folded(worked, partial, failed),)] == [
        ("success", SUCCESS)
    ]
    assert folded(partial, failed).final_outcome is PARTIAL
    assert folded(failed).final_outcome is FAILED


def test_different_ways_stay_apart() -> None:
    """The way that worked most often comes first, however often another was tried."""
    first, second, third = [EDIT, TEST], [LINT, COMMIT], [run("make proto"), BUILD]

    workflow = folded(
        *(episode(f"a{number}", *first) for number in range(2)),
        *(episode(f"b{number}", *second, outcome=FAILED if number else SUCCESS) for number in range(3)),
        *(episode(f"c{number}", *third, outcome=PARTIAL) for number in range(1)),
    ).workflow

    assert workflow.steps == tuple(first)
    assert workflow.variants == (
        Variant(steps=tuple(second), times=3, worked=1),
        Variant(steps=(BUILD,), times=1, worked=0),
    )
    assert (workflow.times, workflow.worked) == (6, 3)


def test_the_shown_way_has_odds_of_its_own() -> None:
    """Those of the job count episodes that did it in other ways."""
    shown = [episode(str(day), EDIT, TEST, day=day, outcome=PARTIAL if day == 2 else SUCCESS) for day in range(3)]
    other = episode("x", LINT, COMMIT)

    workflow = folded(*shown, other).workflow

    assert (workflow.way_times, workflow.way_worked) == (3, 2)
    assert (workflow.times, workflow.worked) == (4, 3)


@pytest.mark.parametrize(
    ("other", "ways"), [([EDIT, TEST, BUILD], 1), ([EDIT, LINT, BUILD], 2)], ids=["two of three", "one of three"]
)
def test_ways_are_alike_from_six_tenths_on(other: Sequence[Step], ways: int) -> None:
    """Less in common is another way."""
    workflow = folded(episode("1", EDIT, TEST, COMMIT), episode("2", *other)).workflow

    assert 1 + len(workflow.variants) == ways


def test_only_some_variants_are_kept() -> None:
    """The most frequent ones."""
    steps = [Step(kind=StepKind.CHECK, text=f"make check-{name}") for name in "abcde"]

    workflow = folded(
        *(episode(f"{name}{turn}", steps[name]) for name in range(5) for turn in range(5 - name))
    ).workflow

    assert [(variant.times, variant.steps) for variant in workflow.variants] == [
        (4, (steps[1],)),
        (3, (steps[2],)),
        (2, (steps[3],)),
    ]


def test_a_command_that_was_run_once_is_no_step() -> None:
    """Another episode of the project must have it, of whatever job; checks and deliveries stay."""
    one = episode("1", run("make proto"), run("make keys"), TEST, COMMIT)
    part = episode("2", run("make keys"), job="run make", part_of="1")
    other = episode("3", run("make proto"), job="run make")
    foreign = episode("4", run("make keys"), job="run make", project="bank")

    [steps] = [each.workflow.steps for each in fold([one, part, other, foreign]) if each.representative == "1"]

    assert steps == (run("make proto"), TEST, COMMIT)


def test_only_files_that_most_episodes_edit_are_shown() -> None:
    """The others belong to one occasion."""
    first, second = (Step(kind=StepKind.EDIT, files=("CHANGELOG.md", f"{name}.ts")) for name in "ab")

    assert folded(episode("1", first)).workflow.steps == (first,)
    assert folded(episode("1", first), episode("2", second)).workflow.steps[0].files == ("CHANGELOG.md",)


def test_a_step_takes_its_usual_time() -> None:
    """The median of this way of doing it, whatever the representative took."""
    times = (1_000, 9_000, 3_000, None)
    steps = [COMMIT.model_copy(update={"took_ms": took_ms}) for took_ms in times]

    workflow = folded(*(episode(str(number), step) for number, step in enumerate(steps))).workflow

    assert workflow.steps == (COMMIT.model_copy(update={"took_ms": 3_000}),)


@pytest.mark.parametrize(("times", "ways"), [(19, 2), (20, 1)])
def test_exceptions_are_no_variants(times: int, ways: int) -> None:
    """One in twenty is a way, one of more is not."""
    usual = [episode(str(number), COMMIT) for number in range(times)]

    assert 1 + len(folded(*usual, episode("x", TEST)).workflow.variants) == ways


def test_a_workflow_has_seven_steps() -> None:
    """More is not read."""
    checks = [Step(kind=StepKind.CHECK, text=f"make check-{number}") for number in range(9)]

    assert folded(episode("1", *checks)).workflow.steps == tuple(checks[2:])


def test_a_part_of_an_episode_of_the_same_job_counts_once() -> None:
    """The whole is there already; a part of another job is an episode of its own."""
    whole, part = episode("1", COMMIT), episode("2", COMMIT, part_of="1")

    assert folded(whole, part).members == ("1",)
    assert folded(episode("1", COMMIT, job=""), part).members == ("2",)


def test_a_lesson_is_kept_if_it_is_plain_or_came_again() -> None:
    """Failures add up over the project, and sessions are counted once."""
    seen = Lesson(failed="npm run lint", worked="npm run fix", remedy=Remedy.FIRST, failures=2)
    once, plain = Lesson(failed="a", worked="b"), Lesson(failed="c", worked="d", is_plain=True)

    workflow = folded(
        episode("1", session_id="s", lessons=(seen, once, plain)),
        episode("2", session_id="s", lessons=(seen, once)),
        episode("3", session_id="t", lessons=(seen.model_copy(update={"error": "E1"}),), day=1),
    ).workflow

    assert workflow.lessons == (seen.model_copy(update={"failures": 6, "sessions": 2, "error": "E1"}), plain)


def test_a_lesson_of_another_job_confirms_but_is_not_shown() -> None:
    """Two sessions of the project met it, in different jobs."""
    lesson, other = Lesson(failed="a", worked="b"), Lesson(failed="c", worked="d", is_plain=True)

    patterns = fold([episode("1", lessons=(lesson,)), episode("2", lessons=(lesson, other), job="check")])

    [shown] = [pattern.workflow.lessons for pattern in patterns if pattern.workflow.job == "commit"]
    assert shown == (lesson.model_copy(update={"failures": 2, "sessions": 2}),)


def test_only_the_most_frequent_lessons_are_kept() -> None:
    """Five are read."""
    lessons = tuple(Lesson(failed=str(number), worked="x", is_plain=True, failures=number) for number in range(1, 8))

    assert folded(episode("1", lessons=lessons)).workflow.lessons == lessons[:1:-1]


def test_triggers_are_distinct_and_the_newest_first() -> None:
    """Case and spaces make no difference."""
    texts = ["commit", "Commit  ", *(f"prompt {number}" for number in range(9))]
    episodes = [episode(str(day), day=-day, trigger=text) for day, text in enumerate(texts)]

    assert folded(*episodes).workflow.triggers == ("commit", *(f"prompt {number}" for number in range(7)))


def test_of_two_computations_of_an_episode_the_later_counts() -> None:
    """A new version of the plugin computes steps anew."""
    old, new = episode("1", EDIT), episode("1", TEST, version=2)

    assert folded(new, old).workflow.steps == (TEST,)


# Remarks


def remark(kind: RemarkKind, key: str = "", second: int = 0, **changes: Any) -> Remark:
    made_at = START + timedelta(seconds=second)
    return Remark(kind=kind, pattern_key=key or pattern_key("shop", "commit"), made_at=made_at, **changes)


def test_what_people_say_outweighs_what_was_seen() -> None:
    """One bad word costs more than one good run earns."""
    runs = [episode("1", COMMIT), episode("2", COMMIT, day=1)]
    [plain], [praised], [blamed] = (
        fold(runs, remarks) for remarks in ([], [remark(RemarkKind.GOOD)], [remark(RemarkKind.BAD)])
    )

    assert blamed.confidence < folded(runs[0]).confidence < plain.confidence < praised.confidence
    assert (praised.workflow.good, blamed.workflow.bad) == (1, 1)


def test_followed_suggestions_count_by_their_outcome() -> None:
    """Ignored ones weigh little: the moment may have been wrong."""
    runs = [episode("1", COMMIT)]
    worked = remark(RemarkKind.SHOWN, is_followed=True, outcome=SUCCESS)
    harmed = remark(RemarkKind.SHOWN, is_followed=True, outcome=FAILED)
    ignored = remark(RemarkKind.SHOWN, is_followed=False, outcome=SUCCESS)
    confidences = [fold(runs, remarks)[0].confidence for remarks in ([harmed], [ignored], [], [worked])]

    assert confidences == sorted(set(confidences))
    assert fold(runs, [worked, ignored])[0].workflow.shown == 2
    assert fold(runs, [worked, ignored])[0].workflow.followed == 1


def test_steps_of_a_user_replace_the_computed_ones() -> None:
    """He knows better; the run behind them stays."""
    [pattern] = fold([episode("1", TEST, COMMIT)], [remark(RemarkKind.EDIT, steps=("git commit -s",))])

    assert [step.text for step in pattern.workflow.steps] == ["git commit -s"]
    assert pattern.workflow.is_edited
    assert (pattern.workflow.way_times, pattern.workflow.way_worked) == (0, 0)
    assert pattern.representative == "1"


def test_hidden_pattern_stays_and_says_so() -> None:
    """It is computed on, so that hiding can be taken back."""
    [pattern] = fold([episode("1", COMMIT)], [remark(RemarkKind.HIDE)])

    assert pattern.workflow.is_hidden


def test_merged_patterns_are_one_under_the_name_of_the_second() -> None:
    """Its episodes, triggers and counts come along, but it does not hide the other or change its steps."""
    into = pattern_key("shop", "push")
    remarks = [
        remark(RemarkKind.HIDE),
        remark(RemarkKind.EDIT, steps=("git commit -s",)),
        remark(RemarkKind.MERGE, into=into),
        remark(RemarkKind.GOOD, second=1),
    ]

    [pattern] = fold([episode("1", COMMIT), episode("2", run("git push"), job="push", day=1)], remarks)

    assert (pattern.source_key, pattern.workflow.job) == (into, "push")
    assert pattern.members == ("2", "1")
    assert (pattern.workflow.times, pattern.workflow.good) == (2, 1)
    assert not pattern.workflow.is_hidden
    assert not pattern.workflow.is_edited


def test_a_pattern_has_the_ends_of_a_long_run_and_some_of_its_files() -> None:
    """A store refuses rows that are too large, and then the project would have no pattern at all."""
    calls = tuple(make_action(id=str(number)) for number in range(300))
    long = make_episode(make_turn("fix it", *calls, files=tuple(f"src/{number}.py" for number in range(300))))

    pattern = pattern_of(folded(occurrence_of(long)), long)

    assert [action.id for action in pattern.actions] == [str(number) for number in [*range(100), *range(200, 300)]]
    assert pattern.context.files_touched == tuple(f"src/{number}.py" for number in range(200))
