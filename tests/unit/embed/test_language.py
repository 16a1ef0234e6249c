"""Whether a model can read the prompts of a project."""

from __future__ import annotations

import pytest

from behavior_plugin.embed.language import MAX_SAMPLE, MIN_SAMPLE, is_project_readable


@pytest.mark.parametrize(
    ("english", "others", "before", "expected"),
    [
        (MIN_SAMPLE - 1, 0, None, None),
        (0, MIN_SAMPLE - 1, None, None),
        (8, 2, None, True),
        (7, 3, None, False),
        (0, 5, None, False),
        (8, 2, True, True),
        (7, 3, True, False),
        (8, 2, False, False),
        (17, 3, False, False),
        (9, 1, False, True),
    ],
)
def test_a_share_of_the_newest_prompts_decides(
    english: int, others: int, before: bool | None, expected: bool | None
) -> None:
    """A mixed project does not go to and fro: each time would make all of its vectors anew."""
    assert is_project_readable([True] * english + [False] * others, before=before) is expected


def test_older_prompts_do_not_count() -> None:
    assert is_project_readable([False] * 100 + [True] * MAX_SAMPLE) is True
