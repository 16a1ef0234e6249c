"""The command `why`, on decisions as a worker has left them."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from behavior_plugin.capture import paths, unanswered
from behavior_plugin.cli import cli
from behavior_plugin.cli.decisions import decision_lines
from behavior_plugin.cli.output import current_folder
from behavior_plugin.errors import BehaviorError
from behavior_plugin.model import Outcome, PromptKind
from behavior_plugin.recall.decision import Considered, Decision, Fate, Verdict
from behavior_plugin.recall.explain import Factor, Ranking
from behavior_plugin.worker.decisions import Decisions
from tests.settings import elsewhere
from tests.unit.recall.test_decision import candidate
from tests.unit.worker.test_decisions import decision

ODDS = (Factor(name="constant", value=1, contribution=-2.0), Factor(name="cosine", value=0.5, contribution=2.5))


@pytest.fixture(autouse=True)
def data() -> None:
    paths.make_private(paths.data_folder())


def searched(fate: Fate = Fate.BELOW, **changes: Any) -> Decision:
    """A decision on a prompt with one pattern found."""
    ranking = Ranking(known=1_234, compared=40, odds=0.62, odds_factors=ODDS)
    row = Considered(candidate=candidate("key"), fate=fate, pattern_id=uuid.UUID(int=7), job="release")
    fields = {"verdict": Verdict.BELOW, "ranking": ranking, "considered": (row,), "embedder": "model-x"}
    return decision(**{**fields, **changes})


def text_of(found: Decision) -> str:
    return "\n".join(decision_lines(found))


def run(*words: str) -> str:
    done = CliRunner().invoke(cli, ["why", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize(
    ("verdict", "changes", "reason"),
    [
        (Verdict.SHOWN, {"fate": Fate.SHOWN}, 'A note was given: how "ship it" was done (odds 60%).'),
        (Verdict.ASKED, {}, "You asked, and got the nearest work that is known."),
        (Verdict.BELOW, {}, "No note: the best has odds of 60%, and 30% are needed."),
        (
            Verdict.BELOW,
            {"min_odds": 0.601},
            "No note: the best has odds of just under 60%, and 60% are needed.",
        ),
        (Verdict.ALREADY_SHOWN, {}, "No note: this session has been shown it already."),
        (Verdict.NOT_OFFERED, {"fate": Fate.HIDDEN}, "No note: the likely work is not offered"),
        (Verdict.LATE, {}, "No note: it was found too late"),
        (Verdict.NOTHING_KNOWN, {"considered": ()}, "No note: no earlier work is known here."),
        (Verdict.NOTHING_LIKE_IT, {"considered": ()}, "No note: no earlier work has anything in common with it."),
        (Verdict.NOT_READY, {"problem": "The store is starting."}, "No note: The store is starting."),
        (Verdict.NO_TASK, {"kind": PromptKind.FOLLOW_UP}, "No note: a reply or an acknowledgement"),
        (Verdict.NO_TASK, {"kind": PromptKind.BUILT_IN}, "No note: it is a command of the agent's own."),
    ],
)
def test_each_verdict_is_a_sentence(verdict: Verdict, changes: dict[str, Any], reason: str) -> None:
    assert f"\n   {reason}" in text_of(searched(verdict=verdict, **changes))


def test_the_numbers_behind_a_decision_are_shown() -> None:
    """Those of the search, of each pattern, of the odds, and the threshold with its setting."""
    text = text_of(searched(note="<past-workflow>\nSteps\n</past-workflow>"))

    assert "1,234 pieces of work searched, 40 compared by meaning and words (model-x)." in text
    assert "A note needs odds of 30% (suggestions = normal)." in text
    assert "1. odds 60%, below the threshold: 00000000, release" in text
    assert 'by the prompt "ship it" of 2026-03-02' in text
    assert "+2.00 alike in meaning (0.50)" in text
    assert "The odds of the first: -2.00 to begin with, +2.50 alike in meaning (0.50): +0.50 in all" in text
    assert "      Steps" in text


@pytest.mark.parametrize(
    ("embedder", "means"), [("", "letters (there is no embedder)"), ("model-x", "letters (model-x cannot read them)")]
)
def test_letters_have_a_reason(embedder: str, means: str) -> None:
    """One has a remedy, the other is the language."""
    by_letters = Ranking(known=1, compared=1, is_by_letters=True)

    assert means in text_of(searched(ranking=by_letters, embedder=embedder))


def test_deleted_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell may be in one."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    with pytest.raises(BehaviorError, match="The current folder was deleted"):
        current_folder()


def test_no_means_are_named_where_nothing_was_compared() -> None:
    """Without a vector of earlier work, no model is at fault."""
    text = text_of(searched(ranking=Ranking(known=0, is_by_letters=True), embedder="model-x"))

    assert "\n   0 pieces of work searched. A note needs" in text
    assert "letters" not in text


def test_hostile_text_stays_on_its_line() -> None:
    """It is shown in a terminal."""
    hostile = 'a"\x1b[31m\nNo note: forged\u202e\x07'
    row = Considered(candidate=candidate("key", trigger=hostile), fate=Fate.SHOWN, job=hostile)
    texts: dict[str, Any] = {
        "prompt": hostile,
        "project": hostile,
        "problem": hostile,
        "note": hostile,
        "embedder": hostile,
    }

    lines = [*decision_lines(searched(verdict=Verdict.SHOWN, considered=(row,), **texts), has_project=True)]

    assert all(line.isprintable() for line in lines)
    assert not any(line.strip().startswith("No note: forged") for line in lines[:-1])


def test_failed_work_is_marked() -> None:
    """A person who asks gets it, too."""
    failed = candidate("key").model_copy(update={"outcome": Outcome.FAILED})

    assert "which failed" in text_of(searched(considered=(Considered(candidate=failed, fate=Fate.SHOWN),)))


def test_prompts_are_chosen_by_project_session_and_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the last one of this directory's project."""
    monkeypatch.chdir(elsewhere(tmp_path))
    here, written = str(elsewhere(tmp_path)), Decisions()
    for number, (session, project) in enumerate([("s1", here), ("s2", here), ("t1", "/elsewhere")]):
        written.add(decision(f"prompt {number}", session_id=session, project=project))

    def chosen(*words: str) -> list[str]:
        return [each["prompt"] for each in json.loads(run(*words, "--json"))["prompts"]]

    assert chosen() == ["prompt 1"]
    assert chosen("-n", "9") == ["prompt 1", "prompt 0"]
    assert chosen("--all") == ["prompt 2"]
    assert chosen("--session", "s", "-n", "9") == ["prompt 1", "prompt 0"]
    assert chosen("--session", "t1") == ["prompt 2"]
    assert "in /elsewhere" in run("--all")


def test_nothing_to_show_is_explained() -> None:
    """It is no error: a new project has had no prompt."""
    assert "--all shows those of all projects" in run()
    assert "No prompt is kept" in run("--all")
    assert json.loads(run("--json")) == {"prompts": [], "unanswered": None, "silent": ""}


def test_prompts_without_an_answer_are_named_too() -> None:
    """The last prompt may be one of them."""
    unanswered.count("the worker took too long")

    [line] = [line for line in run("--all").splitlines() if "got no answer" in line]

    assert line.startswith("1 prompt got no answer in time since ")
    assert line.endswith(": the worker took too long.")
    assert json.loads(run("--json"))["unanswered"]["prompts"] == 1
