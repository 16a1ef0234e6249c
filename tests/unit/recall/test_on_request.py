"""Recall for a person: only a part of the past work, and the factors."""

from __future__ import annotations

from datetime import timedelta

import pytest

from behavior_plugin.model import Outcome
from behavior_plugin.recall import Recaller
from behavior_plugin.recall.index import Candidates
from behavior_plugin.recall.on_request import Wanted, projects_named, with_explanations
from tests.factories import START
from tests.fakes import FakeEmbedder
from tests.unit.recall.test_index import make_trigger
from tests.unit.recall.test_recall import HERE, PROMPT, store_with

PROJECTS = [
    "github.com/acme/shop",
    "github.com/acme/web-shop",
    "D:\\work\\Api",
    "gitlab.com/other/shop",
    "/home/dev/api-client",
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("github.com/acme/shop", PROJECTS[:1]),
        ("acme/shop", PROJECTS[:1]),
        ("shop", [PROJECTS[0], PROJECTS[3]]),
        ("Web-Shop/", PROJECTS[1:2]),
        ("api", PROJECTS[2:3]),
        ("work/api", PROJECTS[2:3]),
        ("client", []),
        ("/", []),
        ("", []),
    ],
)
def test_a_project_is_named_by_the_end_of_its_name(name: str, found: list[str]) -> None:
    """Whole words of it: `shop` is not `web-shop`."""
    assert projects_named(name, PROJECTS) == found


def test_a_whole_name_is_preferred() -> None:
    """It may be the end of another one."""
    assert projects_named("shop", ["acme/shop", "shop"]) == ["shop"]


def test_wanted_work_has_the_outcome_and_began_in_time() -> None:
    trigger = make_trigger("fix it")

    assert not Wanted()
    assert Wanted(outcome=Outcome.SUCCESS)
    assert Wanted(since=START)
    assert Wanted().includes(trigger)
    assert Wanted(outcome=trigger.outcome, since=trigger.started_at).includes(trigger)
    assert not Wanted(outcome=Outcome.FAILED).includes(trigger)
    assert not Wanted(since=trigger.started_at + timedelta(seconds=1)).includes(trigger)


def test_each_suggestion_is_explained_and_the_first_has_the_odds() -> None:
    embedder = FakeEmbedder()
    store = store_with({}, {"trigger": f"{PROMPT} again"}, embedder=embedder)
    seen: list[Candidates] = []
    found = Recaller().recall(PROMPT, HERE, embedder=embedder, store=store, min_odds=0, observe=seen.append)

    first, second = with_explanations(found, seen[0])

    assert [len(first.explanation), len(second.explanation)] == [2, 1]
    assert "alike in meaning" in first.explanation[0]
    assert first.explanation[1].endswith(f"which is {first.score:.0%}")
    assert first.model_copy(update={"explanation": ()}) == found[0]
