"""Merging accounts of work, and cutting sessions into episodes."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from behavior_plugin.model import Context, Outcome, PromptKind, Turn, Verdict
from behavior_plugin.patterns.evidence import DIGEST_VERSION, effects, episodes_of, merge_turns
from behavior_plugin.workflow import Episode, Saved
from tests.factories import START, make_action

HERE = Context(directory="/home/dev/shop", root="/home/dev/shop", project="git.example.com/dev/shop")


def turn(key: str, prompt: str, *commands: str, minute: int = 0, session: str = "one", **changes: Any) -> Turn:
    """A turn of commands and edits, each one second after the last."""
    start = START + timedelta(minutes=minute)
    edit = {"tool": "Edit", "parameters": {"file_path": "src/total.py"}}
    calls = [edit if command == "edit" else {"parameters": {"command": command}} for command in commands]
    actions = tuple(
        make_action(id=f"{key}-{place}", timestamp=start + timedelta(seconds=place), **call)
        for place, call in enumerate(calls)
    )
    fields = {"source_key": key, "session_id": session, "prompt": prompt, "started_at": start, "context": HERE}
    return Turn(**{**fields, "actions": actions, **changes})


def fix(**changes: Any) -> Turn:
    return turn("fix", "Fix the rounding of the invoice total", "edit", "make test", **changes)


def shape(episodes: list[Episode]) -> list[tuple[str, str, list[str]]]:
    return [(each.source_key, each.part_of, [turn.source_key for turn in each.turns]) for each in episodes]


# Merging


def test_fuller_account_of_a_turn_wins_in_any_order() -> None:
    """A session that is learned while it goes on is delivered again, longer."""
    short, whole = fix(actions=fix().actions[:1], is_ended=False), fix()

    assert merge_turns([short], [whole]) == merge_turns([whole], [short]) == [whole]


def test_merging_again_changes_nothing() -> None:
    """A worker that dies after storing learns the session again."""
    turns = [fix(), turn("ship", "commit it", "git commit -m x", minute=5)]

    once = merge_turns([], turns)

    assert merge_turns(once, turns) == once
    assert effects(once, turns, merge_turns(once, turns)) == [Saved.UNCHANGED, Saved.UNCHANGED]


def test_verdict_makes_an_account_fuller() -> None:
    """An earlier version kept nothing of a command's output."""
    action = make_action(verdict=Verdict(failed=2))
    without, with_verdict = fix(actions=(make_action(),)), fix(actions=(action,))

    assert merge_turns([without], [with_verdict]) == merge_turns([with_verdict], [without]) == [with_verdict]


def test_remote_of_a_project_outlives_its_folder() -> None:
    """Once the folder is gone, a log only has its path; the files are those of the fuller account."""
    here = fix(actions=())
    gone = HERE.model_copy(update={"project": "/home/dev/shop", "files_touched": ("src/total.py",)})

    [merged] = merge_turns([here], [fix(context=gone)])

    assert merged.context.project == HERE.project
    assert merged.context.files_touched == ("src/total.py",)
    assert merged.actions == fix().actions


def test_exact_account_replaces_one_with_the_calls_of_follow_ups() -> None:
    """Earlier versions gave the calls after "yes, go on" to the task before."""
    old = fix(actions=(*fix().actions, make_action(id="later")), has_follow_ups=True)

    assert merge_turns([old], [fix()]) == merge_turns([fix()], [old]) == [fix()]


def test_copy_in_a_fork_is_left_out_whichever_session_comes_first() -> None:
    """A fork's log begins with the other session's records."""
    original = fix(session="a")
    copied = fix(session="b").model_copy(update={"source_key": "copy"})
    own = turn("own", "Now write the rollback", "make rollback", session="b", minute=9)

    merged = merge_turns([original], [copied, own])

    assert merged == merge_turns([copied, own], [original]) == [original, own]
    assert effects([original], [copied, own], merged) == [Saved.UNCHANGED, Saved.ADDED]
    assert effects([copied], [original, own], merged) == [Saved.UNCHANGED, Saved.ADDED]


def test_fuller_copy_completes_the_original() -> None:
    """The original session may have been closed before its work was done."""
    original = fix(session="a", actions=fix().actions[:1])
    copied = fix(session="b").model_copy(update={"source_key": "copy"})

    [merged] = merge_turns([original], [copied])

    assert (merged.source_key, merged.session_id) == ("fix", "a")
    assert merged.actions == copied.actions


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"minute": 1}, id="at another time"),
        pytest.param({"prompt": "Fix the rounding of the tax"}, id="for another prompt"),
        pytest.param({"actions": (make_action(id="else", parameters={"command": "make lint"}),)}, id="other calls"),
    ],
)
def test_other_work_is_no_copy(other: dict[str, Any]) -> None:
    """Two sessions of one project may look alike."""
    second = fix(session="b").model_copy(update={"source_key": "second"})
    minute = other.pop("minute", 0)
    changed = second.model_copy(update={"started_at": second.started_at + timedelta(minutes=minute), **other})

    assert len(merge_turns([fix(session="a")], [changed])) == 2


def test_logs_without_times_have_no_copies() -> None:
    """All of their prompts would have begun at the same moment."""
    long_ago = START - (START - START.fromtimestamp(0, tz=START.tzinfo))
    words = [turn(key, "go on", session=key).model_copy(update={"started_at": long_ago}) for key in ("a", "b")]

    assert len(merge_turns([], words)) == 2


def test_order_of_arrival_does_not_matter() -> None:
    """Sessions are learned live, imported, resumed and forked."""
    turns = [
        fix(session="a"),
        fix(session="b").model_copy(update={"source_key": "copy"}),
        fix(session="a", actions=fix().actions[:1]),
        turn("ship", "commit it", "git commit -m x", session="b", minute=5),
        turn("docs", "Write the docs page of the API", "make docs", session="c", minute=2),
    ]
    expected = shape(episodes_of(merge_turns([], turns)))

    for seed in range(20):
        shuffled = random.Random(seed).sample(turns, len(turns))
        stored: list[Turn] = []
        for each in [*shuffled, *shuffled[:2]]:
            stored = merge_turns(stored, [each])
        assert shape(episodes_of(stored)) == expected


# Episodes


def test_turns_without_work_are_no_episode() -> None:
    """A question alone teaches nothing."""
    assert episodes_of([turn("ask", "What does total() return?")]) == []
    assert episodes_of([turn("own", "fix it", "ls", actions=(make_action(actor="user"),))]) == []


def test_delivery_belongs_to_its_episode_and_is_a_part_of_it() -> None:
    """People type "commit it" again, with other work before it."""
    turns = [fix(), turn("ship", "commit it", "git commit -m x", minute=5)]

    whole, part = episodes_of(turns)

    assert shape([whole, part]) == [("fix", "", ["fix", "ship"]), ("ship", "fix", ["ship"])]
    assert (whole.trigger, part.trigger) == ("Fix the rounding of the invoice total", "commit it")
    assert part.digest.job == "commit"
    assert whole.digest.job != part.digest.job


def test_reply_names_no_job() -> None:
    """Nobody types "no, do it differently" again to have the same done."""
    [episode] = episodes_of([turn("no", "no, do it differently", "make test", prompt_kind=PromptKind.FOLLOW_UP)])

    assert episode.digest.job == ""
    assert episode.digest.version == DIGEST_VERSION


def test_rejected_work_is_not_what_its_episode_did() -> None:
    """The steps are those of the attempt that the user kept."""
    rejected = turn("try", "Prepare the next release", "python3 tools/draft.py")
    objection = turn(
        "again", "no, that is wrong, do it again", "make release", minute=3, prompt_kind=PromptKind.FOLLOW_UP
    )

    [episode] = [each for each in episodes_of([rejected, objection]) if not each.part_of]

    assert [step.text for step in episode.digest.steps] == ["make release"]
    assert episode.trigger == "Prepare the next release"


def test_time_between_turns_is_the_users() -> None:
    """He may have gone to lunch."""
    turns = [fix(), turn("ship", "commit it", "git commit -m x", minute=90)]

    whole, _ = episodes_of(turns)

    assert whole.digest.took_ms == 1_100 + 100


def test_change_is_the_last_commit_else_the_closing_words() -> None:
    """It says in one line what was done last time."""
    committed = make_action(parameters={"command": "git commit -m x"}, verdict=Verdict(commit="1a2b3c4 Round once"))

    closing = "The total is rounded once."

    [with_commit] = episodes_of([fix(closing=closing, actions=(*fix().actions, committed))])
    [without] = episodes_of([fix(closing=closing)])

    assert with_commit.digest.change == "1a2b3c4 Round once"
    assert without.digest.change == closing


@pytest.mark.parametrize(
    "closing",
    [
        "Fixed total() in cart.py.",
        "cart.py: rounds the total once",
        "Committed and pushed as 1a2b3c4.",
        "Totals now round once \u2014 at the end.",
        "Die Summe wird nur einmal gerundet.",
        "\u5408\u8ba1\u53ea\u820d\u5165\u4e00\u6b21\u3002",
    ],
)
def test_closing_words_that_say_what_was_done_are_the_change(closing: str) -> None:
    """In any language, as far as there is a list."""
    [episode] = episodes_of([fix(closing=closing)])

    assert episode.digest.change == closing


@pytest.mark.parametrize(
    "closing",
    [
        "Not stuck \u2014 it died",
        "All done",
        "All tests pass now, with no warnings.",
        "Test & Lint \u2014 passed",
        "Rounded once.",
        "\u2502 cart.py \u2502 rounds the total once \u2502",
        "\u2705 Fixed the rounding of the total",
        "--- Rounding of the total ---",
        "I'll wait for the build to end.",
        "Shall I round the total once?",
        "The files that I changed are:",
        "Fertig, die Summe stimmt jetzt.",
    ],
)
def test_other_closing_words_are_no_change(closing: str) -> None:
    """They say how it stands; earlier ones may say what was done."""
    said = "The total is rounded once."
    [alone] = episodes_of([fix(closing=closing)])
    follow_up = turn("later", "and now?", "edit", minute=1, prompt_kind=PromptKind.FOLLOW_UP, closing=closing)
    [later] = episodes_of([fix(closing=said), follow_up])

    assert alone.digest.change == ""
    assert later.digest.change == said


def test_outcome_and_its_evidence_are_kept() -> None:
    """`behavior show` says why an episode counts as it does."""
    [episode] = episodes_of([fix(actions=(make_action(outcome=Outcome.FAILED),))])

    assert episode.judgement.outcome is Outcome.FAILED or episode.judgement.outcome is Outcome.PARTIAL
    assert episode.judgement.because


def test_attempts_are_kept_where_nothing_worked() -> None:
    """ "This was tried and did not work" is worth knowing; their job counts against its odds."""
    failed = make_action(parameters={"command": "make bench"}, outcome=Outcome.FAILED)
    objection = turn("no", "that is not what I meant, revert it", minute=3, prompt_kind=PromptKind.FOLLOW_UP)

    [tried] = episodes_of([fix(actions=(failed, failed)), objection])
    [praised] = episodes_of([fix(actions=(failed,)), turn("yes", "perfect, thanks", minute=3)])

    assert [step.text for step in tried.digest.steps] == ["make bench"]
    assert tried.digest.job
    assert praised.digest.steps == ()
