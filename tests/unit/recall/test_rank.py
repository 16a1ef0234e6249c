"""The order of the candidates, and the odds that the first is right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy
import pytest

from behavior_plugin.recall.gate import MIN_ODDS
from behavior_plugin.recall.index import Index
from behavior_plugin.recall.rank import WEIGHTS, WEIGHTS_FILE, Ranked, Weights, explain, rank
from behavior_plugin.workflow import Trigger
from tests.unit.recall.test_index import asked, make_trigger

NORMAL = MIN_ODDS["normal"]
SHIP = {"names": ("make release",), "commands": ("make release",)}
DOCS = {"names": ("edit",), "files": ("README.md",)}


def ranked(
    question: str, *triggers: Trigger, vector: tuple[float, ...] | None = (1, 0), weights: Weights = WEIGHTS
) -> list[Ranked]:
    return rank(Index(triggers).candidates(asked(question, vector)), weights)


def near(cosine: float) -> tuple[float, float]:
    """A vector with this cosine to (1, 0)."""
    return cosine, float(numpy.sqrt(1 - cosine**2))


def test_nearest_comes_first() -> None:
    """If nothing else speaks for another."""
    found = ranked("ship it", make_trigger("a", vector=near(0.5)), make_trigger("b", vector=near(0.8)))

    assert [each.trigger.text for each in found] == ["b", "a"]
    assert found[0].similarity == pytest.approx(0.8, abs=1e-6)
    assert found[0].odds > found[1].odds


def test_like_work_of_others_outweighs_the_single_nearest() -> None:
    """Several that did the same are the habit."""
    loner = make_trigger("x", vector=near(0.62), **DOCS)
    others = [make_trigger(f"y{number}", vector=near(0.58), **SHIP) for number in range(4)]

    assert ranked("ship it", *others, loner)[0].trigger.names == ("make release",)
    assert ranked("ship it", others[0], loner)[0].trigger.text == loner.text


def test_same_command_and_newer_work_come_first() -> None:
    """If the rest is equal."""
    plain, command = make_trigger("look at 7", vector=near(0.5)), make_trigger("/look 7", vector=near(0.5))
    old, new = (make_trigger(f"{each} parser", vector=near(0.5)) for each in ("old", "new"))

    assert ranked("/look 9", command, plain)[0].trigger.text == command.text
    assert ranked("fix it", old, new)[0].trigger.text == new.text


@pytest.mark.parametrize(("cosine", "is_said"), [(0.9, True), (0.55, True), (0.25, False), (0.1, False)])
def test_odds_grow_with_nearness_in_a_small_store(cosine: float, is_said: bool) -> None:
    """Ten jobs, one of which is asked for in other words, or none."""
    others = [make_trigger(f"job {number}", vector=near(0.1), names=(str(number),)) for number in range(9)]

    [first, *_] = ranked("ship it", make_trigger("release", vector=near(cosine), **SHIP), *others)

    assert (first.odds >= NORMAL) is is_said


def test_a_large_store_of_near_misses_is_silent() -> None:
    """Of two thousand one-line requests some are always rather near."""
    many = [
        make_trigger(f"find number {number}", vector=near(0.4 + 0.1 * (number % 10) / 10), names=(f"find {number}",))
        for number in range(2_000)
    ]

    assert ranked("print the date", *many)[0].odds < NORMAL


def test_odds_fall_with_the_size_of_the_store_up_to_a_thousand() -> None:
    """A large store has near misses for everything; a larger one has hardly more."""
    candidates = Index([make_trigger("release", vector=near(0.6))]).candidates(asked("ship it"))

    small, large, larger = (rank(replace(candidates, known=known))[0].odds for known in (10, 1_000, 5_000))

    assert small > large == larger


def test_one_piece_of_work_is_suggested_only_if_it_is_near() -> None:
    """In a new store it has no competitors, which makes it no better."""
    assert ranked("release", make_trigger("release", vector=near(0.97), **SHIP))[0].odds >= NORMAL
    assert ranked("cut a version", make_trigger("release", vector=near(0.6), **SHIP))[0].odds >= NORMAL
    assert ranked("write a haiku", make_trigger("release", vector=near(0.3), **SHIP))[0].odds < NORMAL
    assert ranked("release") == []


def test_the_odds_are_those_of_the_first_alone() -> None:
    """Work that shares words gains nothing from other work that is alike in meaning, nor the other way round."""
    shared = make_trigger("the total is wrong, run the gate and the tests", vector=near(0.05), **SHIP)
    alike = make_trigger("an inventory check fails now and then", vector=near(0.45), names=("check",))
    same = make_trigger("an inventory check fails now and then", vector=near(0.95), names=("check",))
    others = [make_trigger(f"job {number}", vector=near(0.1), **SHIP) for number in range(8)]

    for first, other, name in ((shared, alike, "cosine"), (same, shared, "words")):
        found = explain(Index([first, other, *others]).candidates(asked("run the tests", (1, 0))), limit=10)
        values = [factor.value for each in found.candidates for factor in each.factors if factor.name == name]

        assert found.candidates[0].trigger == first.text
        assert max(values) > values[0]
        assert values[0] == next(factor.value for factor in found.odds_factors if factor.name == name)


def test_prompts_without_vectors_are_compared_by_their_letters() -> None:
    """Two texts that no model can read are not alike for that reason."""
    known = [make_trigger("린터 경고를 정리해줘"), make_trigger("쇼핑몰을 스테이징에 배포해줘")]

    [same, *_] = ranked("린터 경고를 정리해", *known, vector=None)
    other = ranked("가을비에 대한 하이쿠를 써줘", *known, vector=None)

    assert same.trigger.text == known[0].text
    assert same.odds >= NORMAL
    assert all(each.odds < NORMAL for each in other)


def test_letters_have_odds_of_their_own() -> None:
    """Half of the letters in common is much, half of the words little."""
    known = [
        make_trigger("Räume die Warnungen des Linters auf"),
        *(make_trigger(f"Schreibe Seite {n}") for n in range(9)),
    ]

    [first, *_] = ranked("eine Warnung vom Linter", *known, vector=None)

    assert first.trigger.text == known[0].text
    assert 0.2 < first.similarity < 0.6
    assert first.odds >= MIN_ODDS["quiet"]


def test_work_for_another_intent_is_less_likely() -> None:
    """A question about an export is near to the work that added it, and does not ask for it."""
    trigger = make_trigger("add an export of orders", vector=near(0.4), files=("export.py",))

    made, asked_about, undone = (
        ranked(prompt, trigger)[0].odds
        for prompt in ("write an export of orders", "which is the export of orders?", "delete the export of orders")
    )

    assert made > NORMAL > asked_about
    assert undone < NORMAL


def test_odds_and_similarities_are_between_0_and_1() -> None:
    """They are shown as percentages."""
    for each in ranked("ship it", *[make_trigger(str(number), vector=near(number / 10)) for number in range(1, 10)]):
        assert 0 < each.odds < 1
        assert 0 <= each.similarity <= 1


def test_weights_are_few_and_read_from_their_file() -> None:
    """A script makes the file, so anyone can make it again from data of his own."""
    values: dict[str, Any] = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    weights = Weights.of(values)

    assert len(weights.signals) + len(weights.odds) + 1 <= 12
    assert ranked("x", weights=weights) == []
