"""The line that the next session's start shows."""

from __future__ import annotations

import pytest

from behavior_plugin.capture import paths, trouble
from behavior_plugin.worker.troubles import MAX_CHARS, save_trouble, trouble_of


@pytest.mark.parametrize(
    ("not_learning", "embedder_problem", "begins"),
    [
        ("", "", ""),
        ("The store is gone.", "The model is gone.", "nothing new is learned: The store is gone"),
        ("", "The model is gone.", "prompts are compared by their letters only: The model is gone"),
    ],
)
def test_the_worst_trouble_is_named(not_learning: str, embedder_problem: str, begins: str) -> None:
    """One line has room for one; `behavior doctor` names all."""
    assert trouble_of(not_learning=not_learning, embedder_problem=embedder_problem) == begins


def test_trouble_is_quoted_redacted_and_cut() -> None:
    """Errors of servers may quote anything."""
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"

    found = trouble_of(not_learning=f"\x1b[31m{secret}\n\u202e" + "x" * 1000, embedder_problem="")

    assert secret not in found
    assert found.isprintable()
    assert len(found) < MAX_CHARS + 30


def test_a_disk_that_fails_costs_only_the_word() -> None:
    """Without a data folder nothing can be written."""
    save_trouble("no folder yet")
    assert trouble.read() == ""

    paths.make_private(paths.data_folder())
    save_trouble("there is one")
    assert trouble.read() == "there is one"
