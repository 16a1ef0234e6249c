"""Steps of pieces of work are compared by their names, in order."""

from __future__ import annotations

import pytest

from behavior_plugin.patterns.alignment import identities, medoid, similarity
from behavior_plugin.workflow import Step, StepKind


def check(text: str) -> Step:
    return Step(kind=StepKind.CHECK, text=text)


def test_flags_files_and_counts_do_not_count() -> None:
    """The same habit has other arguments each time."""
    one = [Step(kind=StepKind.EDIT, files=("a",), until="npm test", times=3), Step(kind=StepKind.SKILL, text="ship")]
    other = [
        Step(kind=StepKind.EDIT, files=("b",)),
        check("npm test -- {test}"),
        Step(kind=StepKind.SKILL, text="ship"),
    ]

    assert identities(one) == identities(other) == ("edit", "npm test", "skill ship")


def test_commands_of_one_line_are_names_of_their_own() -> None:
    """Two calls or one line make no difference."""
    line = Step(kind=StepKind.DELIVER, text="git add {files} && git commit -m {message}")

    assert identities([line]) == ("git add", "git commit")


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("abc", "abc", 1.0),
        ("abc", "ac", 0.8),
        ("abc", "cba", 1 / 3),
        ("abc", "", 0.0),
        ("", "", 1.0),
        ("ab", "cd", 0.0),
    ],
)
def test_similarity_is_the_common_part_in_order(one: str, other: str, expected: float) -> None:
    """The same steps in another order are another way."""
    assert similarity(one, other) == pytest.approx(expected)
    assert similarity(other, one) == pytest.approx(expected)


def test_the_medoid_is_most_like_the_others() -> None:
    """The nearest piece of work may be the odd one out."""
    odd, usual = [check("make one")], [check("npm test"), check("npm run lint")]
    longer = [*usual, check("npm run build")]

    assert medoid([odd, longer, usual]) == 1
    assert medoid([usual, odd]) == 0
    assert medoid([odd]) == 0
