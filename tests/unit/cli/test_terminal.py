"""Lists fit the terminal that they are shown in."""

from __future__ import annotations

import io
import uuid

import pytest
from rich.console import Console

from behavior_plugin.cli import terminal
from behavior_plugin.model import StoredPattern
from tests.factories import START, make_pattern


@pytest.mark.parametrize("width", [80, 100, 200])
def test_a_list_shows_every_column_on_one_line(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the id of a pattern, it cannot be shown; the trigger gives way to it."""
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "console", Console(file=shown, width=width, force_terminal=True, color_system=None))
    pattern = make_pattern(trigger="Find out why the total at the checkout ignores the discount, and repair it " * 3)
    stored = StoredPattern(**pattern.model_dump(), id=uuid.UUID(int=7), use_count=1234, created_at=START)

    terminal.show_list([stored])

    heading, row = shown.getvalue().splitlines()
    assert heading.split() == ["id", "when", "outcome", "conf.", "used", "calls", "trigger"]
    assert row.split()[:6] == [
        "00000000",
        *f"{stored.started_at.astimezone():%Y-%m-%d %H:%M}".split(),
        "success",
        "0.60",
        "1234",
    ]
    assert "Find out why" in row
    assert len(row.rstrip()) <= width
