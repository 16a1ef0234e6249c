"""The few commands of short work are a way to do it again; a search is not."""

from __future__ import annotations

import pytest

from behavior_plugin.model import Action, Context, Outcome
from behavior_plugin.patterns.evidence import episodes_of
from behavior_plugin.patterns.short_work import short_work_steps
from behavior_plugin.workflow import StepKind
from tests.factories import make_action, make_turn

READ = make_action("Read", parameters={"file_path": "a.py"})


def shell(command: str, **changes: object) -> Action:
    return make_action(parameters={"command": command}, **changes)  # type: ignore[arg-type]


def asked(*actions: Action) -> list[str]:
    turn = make_turn("Which is the largest log?", *actions)
    turn = turn.model_copy(update={"context": Context(directory="/home/dev/app", root="/home/dev/app")})
    return [step.text for step in short_work_steps([turn])]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("find . -name '*.log' | xargs ls -S", "find . -name '*.log' | xargs ls -S"),
        ("cd /home/dev/app && du -sh logs 2>&1 | head -20", "du -sh logs"),
        ("grep -c error /home/dev/app/logs/web.log", "grep -c error logs/web.log"),
        ("gh run view 1234 --log-failed | tail -n 40", "gh run view {number} --log-failed"),
        ("awk '{print $1}' access.log | sort | uniq -c", "awk '{print $1}' access.log | sort | uniq -c"),
        ("STAGE=live", ""),
        ("sleep 30 && echo done", ""),
        ("cat <<END\nx\nEND", ""),
        ("grep " + "x" * 200 + " a.log", ""),
    ],
)
def test_question_is_kept_with_its_words_and_pipes(command: str, expected: str) -> None:
    """The words are the question; only a service is asked about another number each time."""
    assert asked(shell(command)) == ([expected] if expected else [])


def test_question_is_kept_once() -> None:
    """Asking again is no second step, and what failed answered nothing."""
    assert asked(shell("df -h"), shell("df -x", outcome=Outcome.FAILED), shell("df -h")) == ["df -h"]


@pytest.mark.parametrize(
    "actions",
    [
        pytest.param([shell(f"grep -rn word{number} src") for number in range(4)], id="many commands"),
        pytest.param([shell("grep -rn total src"), READ], id="files read"),
        pytest.param([shell("ls", actor="user")], id="the user's own"),
        pytest.param([shell("ls", actor="agent-1")], id="a subagent's"),
    ],
)
def test_search_is_no_way(actions: list[Action]) -> None:
    """It goes another way each time."""
    assert asked(*actions) == []


def test_service_that_is_asked_amid_a_search_counts() -> None:
    """A review is read with the code beside it."""
    searching = [shell(f"grep -rn word{number} src") for number in range(4)]

    assert asked(shell("gh pr diff 7"), READ, *searching) == ["gh pr diff {number}"]


@pytest.mark.parametrize(
    ("command", "job"),
    [
        ("gh run view 7 --log-failed", "look up gh run"),
        ("gh run list", "look up gh run"),
        ("df -h", "look up df -h"),
        ("df -i", "look up df -i"),
        ("mount -o remount /srv/backup", "run mount -o remount /srv/backup"),
    ],
)
def test_questions_to_a_service_are_one_job_and_others_are_each_their_own(command: str, job: str) -> None:
    """A person asks about CI in many words, but two questions about files have no way in common."""
    [episode] = episodes_of([make_turn("Which is the largest log?", shell(command))])

    assert episode.digest.job == job
    assert [step.kind for step in episode.digest.steps] == [StepKind.LOOK if "look" in job else StepKind.RUN]


def test_work_beside_a_question_is_what_was_done() -> None:
    """The question was on the way."""
    edit = make_action("Edit", parameters={"file_path": "a.py"})

    [episode] = episodes_of([make_turn("Mend it", shell("df -h"), edit)])

    assert [step.kind for step in episode.digest.steps] == [StepKind.EDIT]
