"""The candidates for a prompt: near by vector, by words, or the same command."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from behavior_plugin.model import Outcome
from behavior_plugin.recall import index, vector_index
from behavior_plugin.recall.index import MAX_NEAR, Index, Question, Vector
from behavior_plugin.workflow import Trigger
from tests.factories import START
from tests.work import steps


def make_trigger(text: str, *, vector: tuple[float, ...] | None = None, **changes: Any) -> Trigger:
    """A trigger whose key is its text, unless `changes` say otherwise."""
    fields: dict[str, Any] = {
        "source_key": text,
        "pattern_key": text,
        "session_id": "session",
        "project": "shop",
        "text": text,
        "outcome": Outcome.SUCCESS,
        "started_at": START,
        "embedding": None if vector is None else numpy.array(vector, dtype=numpy.float32),
        "model": "model",
    }
    return Trigger(**{**fields, **changes})


def asked(text: str, vector: tuple[float, ...] | None = (1, 0)) -> Question:
    return Question(text, [] if vector is None else [Vector("model", numpy.array(vector, dtype=numpy.float32))])


def vector_of(model: str, *numbers: float, unrelated: float = 0.0) -> Vector:
    return Vector(model, numpy.array(numbers, dtype=numpy.float32), unrelated)


def found(index: Index, question: Question, **changes: Any) -> list[str]:
    return [trigger.text for trigger in index.candidates(question, **changes).triggers]


def test_candidates_are_near_by_vector_or_by_words() -> None:
    """Each finds work that the other misses."""
    by_vector, by_words = make_trigger("repair it", vector=(0.8, 0.6)), make_trigger("fix the login", vector=(0, 1))
    neither = make_trigger("write docs", vector=(0, 1))

    candidates = Index([by_vector, by_words, neither]).candidates(asked("fix the form"))

    assert [trigger.text for trigger in candidates.triggers] == ["repair it", "fix the login"]
    assert candidates.cosines.tolist() == pytest.approx([0.8, 0], abs=0.01)
    assert candidates.words[1] > 0 == candidates.words[0]


def test_work_is_found_by_its_commands_and_files() -> None:
    """The prompt was "please ship it", and the work was a release."""
    index = Index([make_trigger("ship it", vector=(0, 1), commands=("make release",), files=("CHANGELOG.md",))])

    assert found(index, asked("release")) == ["ship it"]
    assert found(index, asked("changelog")) == ["ship it"]
    assert found(index, asked("tests")) == []


def test_same_slash_command_is_always_a_candidate() -> None:
    """Its arguments are other words each time."""
    others = [make_trigger(f"one two three {number}", vector=(1, 0)) for number in range(2 * MAX_NEAR)]
    index = Index([make_trigger("/review 12", vector=(0, 1)), *others])

    candidates = index.candidates(asked("/review the parser"))

    assert candidates.triggers[0].text == "/review 12"
    assert candidates.is_same_command[0] == 1
    assert not candidates.is_same_command[1:].any()


def test_work_with_the_same_words_has_its_cosine_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many vectors only the near ones are compared otherwise."""
    for module in (index, vector_index):
        monkeypatch.setattr(module, "MAX_COMPARED", 1)
    others = [make_trigger(f"job {number}", vector=(1, 0)) for number in range(2 * MAX_NEAR)]

    candidates = Index([make_trigger("fix the parser", vector=(0.6, 0.8)), *others]).candidates(asked("fix the lexer"))

    assert candidates.triggers[0].text == "fix the parser"
    assert candidates.cosines[0] == pytest.approx(0.6, abs=0.01)


def test_a_path_is_no_slash_command() -> None:
    """All prompts that begin with one would be the same command, /home."""
    index = Index([make_trigger("/home/dev/parser.py is wrong", vector=(0, 1))])

    assert index.candidates(asked("/home/me/login.html: translate")).is_same_command.tolist() == [0]


def test_number_of_candidates_is_bounded() -> None:
    """Years of work must not slow a prompt down."""
    index = Index([make_trigger(f"fix the parser {number}", vector=(1, number)) for number in range(500)])

    assert len(found(index, asked("fix the parser"))) <= 2 * MAX_NEAR


@pytest.mark.parametrize("vector", [(0.8, 0.6), None])
@pytest.mark.parametrize("number", [41, 100, 3000])
def test_of_equal_work_the_newest_is_compared(vector: tuple[float, ...] | None, number: int) -> None:
    """A prompt that comes each day must not bring back how it was done in the first days."""
    index = Index([make_trigger("run it", source_key=str(day), vector=vector) for day in range(number)])

    candidates = index.candidates(asked("run it", vector=(1, 0) if vector else None))

    newest = [str(day) for day in range(number - MAX_NEAR, number)]
    assert [trigger.source_key for trigger in candidates.triggers] == newest


def test_letters_are_ready_before_the_first_question() -> None:
    """In a project without vectors each prompt needs them, and of a large one they take longer than a prompt may."""
    triggers = [make_trigger(f"fix the parser of the file {number}") for number in range(200)]
    index, small = Index(triggers), Index(triggers[:2])
    for each in (index, small):
        each.prepare()

    first = steps(lambda: index.candidates(asked("xyz", None)))
    of_small = steps(lambda: small.candidates(asked("xyz", None)))

    assert first < 2 * of_small


def test_left_out_triggers_count_nowhere() -> None:
    """They are of the session that asks, or of failed work."""
    triggers = [make_trigger("fix the parser", vector=(1, 0), source_key=key) for key in "abc"]

    candidates = Index(triggers).candidates(asked("fix the parser"), leave_out=[1])

    assert [trigger.source_key for trigger in candidates.triggers] == ["a", "c"]
    assert candidates.known == 2
    assert candidates.newer.tolist() == [1, 0]


def test_left_out_triggers_take_no_places() -> None:
    """Of a large project only those with like signs are compared, and the best by words."""
    own = [make_trigger("fix the lexer", vector=(1, 1), source_key=f"own {number}") for number in range(38)]
    near = [make_trigger("fix the parser", vector=(1, 1), source_key=f"near {number}") for number in range(2_100)]
    by_words, other = make_trigger("fix the lexer", vector=(1, -0.2)), make_trigger("one", vector=(1, -0.3))
    index, question = Index([by_words, other, *own, *near]), Question("fix the lexer", [vector_of("model", 1, 0.1)])

    few = index.candidates(question, leave_out=range(2, 2_140))
    many = index.candidates(question, leave_out=range(2, 40))

    assert few.cosines.tolist() == pytest.approx([0.96, 0.93], abs=0.03)
    assert few.cosines.tolist() == sorted(few.cosines, reverse=True)
    assert many.cosines[0] == pytest.approx(few.cosines[0])


def test_left_out_work_does_not_come_back_by_its_command() -> None:
    """A failed /deploy is no way to deploy."""
    index = Index([make_trigger("/deploy staging", vector=(1, 0)), make_trigger("/deploy live", vector=(1, 0))])

    assert found(index, asked("/deploy now"), leave_out=[0]) == ["/deploy live"]


def test_vectors_of_another_model_are_no_vectors() -> None:
    """A project has vectors of two models while it changes over. Those of a model that is not asked do not count."""
    parser = make_trigger("fix the parser", vector=(1, 0))
    index = Index([parser, make_trigger("fix the lexer", vector=(1, 0, 0), model="other")])

    assert index.candidates(asked("fix", vector=(1, 0))).cosines.tolist() == [1, 0]
    assert index.candidates(asked("parsers", vector=None)).words[0] > 0
    assert index.candidates(Question("parsers", [vector_of("third", 1, 0)])).is_by_letters


def test_vectors_of_two_models_are_compared_each_on_its_own_scale() -> None:
    """One model gives texts with nothing in common a cosine of .8, the other one of 0."""
    index = Index([make_trigger("one", vector=(0.6, 0.8)), make_trigger("two", vector=(0.9, 0.44), model="other")])
    vectors = [vector_of("model", 1, 0), vector_of("other", 1, 0, unrelated=0.8)]

    cosines = index.candidates(Question("three", vectors)).cosines

    assert cosines.tolist() == pytest.approx([0.6, 0.5], abs=0.01)
    assert index.models == ("model", "other")


@pytest.mark.parametrize(
    ("prompt", "trigger", "files", "is_other"),
    [
        ("which tests cover the export?", "add an export", ("a.py",), 1),
        # Its work only looked, so it may be the answer.
        ("which tests cover the export?", "find the tests of the export", (), 0),
        ("which tests cover the export?", "what covers the export?", ("a.py",), 0),
        ("remove the export", "add an export", (), 1),
        ("add an export", "remove the export", (), 1),
        ("remove the export", "delete the import", ("a.py",), 0),
        ("remove the export", "delete unused exports", ("a.py",), 0),
        ("repair the export", "delete button is broken", ("a.py",), 0),
        ("add an export", "which exports are there?", (), 0),
        ("add an export", "write an export", ("a.py",), 0),
    ],
)
def test_work_for_another_intent_is_marked(prompt: str, trigger: str, files: tuple[str, ...], is_other: int) -> None:
    """It is about the same things, so neither vectors nor words separate the two."""
    index = Index([make_trigger(trigger, vector=(1, 0), files=files)])

    assert index.candidates(asked(prompt, vector=(1, 0))).is_other_intent.tolist() == [is_other]


def test_like_work_is_alike() -> None:
    """By its files, its steps and the words of its commands; work of one pattern is alike anyway."""
    build = {"names": ("edit", "make"), "commands": ("make all",), "files": ("a.c",)}
    one, other = make_trigger("one", vector=(1, 0), **build), make_trigger("two", vector=(1, 0), **build)
    far = make_trigger("three", vector=(1, 0), names=("npm publish",), commands=("npm publish",))
    same_job = make_trigger("four", vector=(1, 0), pattern_key="three")

    likeness = Index([one, other, far, same_job]).candidates(asked("one")).likeness

    assert likeness[0, 1] == pytest.approx(0.65)
    assert likeness[0, 2] == 0
    assert likeness[2, 3] == pytest.approx(0.35)


def test_an_empty_index_has_no_candidates() -> None:
    """A new project."""
    assert found(Index([]), asked("fix")) == found(Index([]), asked("fix", vector=None)) == []
