"""The core of a prompt is what is asked, without frames that say nothing about the work."""

from __future__ import annotations

import time

import pytest

from behavior_plugin.agents.core import MAX_CHARS, core_of


@pytest.mark.parametrize(
    ("prompt", "core"),
    [
        ("Fix the login test", "Fix the login test"),
        ("Please could you fix the login test", "fix the login test"),
        ("ok, now fix it", "fix it"),
        ("Implement the following plan:\n\n# Add a CSV export", "# Add a CSV export"),
        ("<ide_selection>lines 3 to 9</ide_selection> explain this", "explain this"),
        ("<ide_opened_file>a.py</ide_opened_file>\n<system-reminder>x</system-reminder>fix it", "fix it"),
        ("<p>a tag of one's own</p>", "<p>a tag of one's own</p>"),
        ("please", "please"),
        ("thanks!", "thanks!"),
        ("<ide_selection>only this</ide_selection>", "<ide_selection>only this</ide_selection>"),
        ("", ""),
    ],
)
def test_frames_and_courtesies_are_left_out(prompt: str, core: str) -> None:
    """Where nothing is left but them, they are what was said."""
    assert core_of(prompt) == core


def test_core_is_bounded() -> None:
    """A pasted log costs time and finds nothing better."""
    assert len(core_of("word " * 1_000)) == MAX_CHARS


@pytest.mark.parametrize("text", ["<ide_x>" * 20_000, "please " * 20_000, "<ide_" * 20_000 + "please, " * 9])
def test_hostile_prompts_cost_no_time(text: str) -> None:
    """A prompt waits for it."""
    began = time.process_time()

    core_of(text[:20_000])

    assert time.process_time() - began < 5
