"""The functions of the model."""

from __future__ import annotations

from datetime import timedelta

from behavior_plugin.model import elapsed_ms
from tests.factories import START


def test_a_negative_duration_is_zero() -> None:
    """The clock may have been set back."""
    assert elapsed_ms(START, START - timedelta(hours=1)) == 0
    assert elapsed_ms(START, START + timedelta(seconds=1.5)) == 1500
