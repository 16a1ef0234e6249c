"""The closing words of an agent."""

from __future__ import annotations

import time

import pytest

from behavior_plugin.agents.closing import MAX_CLOSING_CHARS, MAX_MESSAGE_CHARS, read_closing


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("The total is rounded once. All tests pass.", "The total is rounded once."),
        (
            "Fixed `total()` in **cart.py**, e.g. for v1.2 orders. Done.",
            "Fixed total() in cart.py, e.g. for v1.2 orders.",
        ),
        ("Done. The total is rounded once, at the end.", "The total is rounded once, at the end."),
        ("Done.", "Done."),
        ("All set!\n\n## Summary\n\nThe total is rounded once.", "The total is rounded once."),
        ("## What changed\n\n- **`cart.py`**: rounds once\n- tests", "cart.py: rounds once"),
        ("Here is what changed:\n\n1. The total is rounded once\n2. Tests", "The total is rounded once"),
        ("Here is what changed:", "Here is what changed:"),
        ("# Rounding of totals", "Rounding of totals"),
        ("```python\nraise SystemExit\n```\nThe total is\nrounded once.", "The total is rounded once."),
        ("| a | b |\n| - | - |\n\nThe total is rounded once", "The total is rounded once"),
        ("> The total of [the cart](https://example.com/x) is rounded", "The total of the cart is rounded"),
        (
            "The names my_total_sum and a * b * c stay as they are",
            "The names my_total_sum and a * b * c stay as they are",
        ),
        ("_All_ totals are *rounded* once", "All totals are rounded once"),
        ("合计只舍入一次。所有测试通过。", "合计只舍入一次。"),
        ("- [x] Round the total once", "Round the total once"),
        ("Is the total rounded twice? No, once.", "Is the total rounded twice?"),
        ("", None),
        ("\n\n---\n\n", None),
        ("```\ncode alone\n```", None),
    ],
)
def test_the_first_sentence_says_what_was_done(message: str, expected: str | None) -> None:
    """It is one line, without marks."""
    assert read_closing(message) == expected


def test_a_long_sentence_is_cut_between_words() -> None:
    """Half a secret would not be recognised as one."""
    closing = read_closing("word " * 58 + "x" * 40 + " end")

    assert closing == "word " * 58 + "…"
    assert len(closing) <= MAX_CLOSING_CHARS


def test_the_beginning_of_a_message_is_read() -> None:
    """The first sentence is there."""
    assert read_closing("#\n" * (MAX_MESSAGE_CHARS // 2 - 20) + "The total is rounded.") == "The total is rounded."
    assert read_closing("#\n" * (MAX_MESSAGE_CHARS // 2) + "The total is rounded.") is None


@pytest.mark.parametrize("unit", ["*", "`", "**a", "_a", "[a](", "\n", "- ", "a. B", "> ", "#", "。", "```\n", "|"])
def test_hostile_messages_take_milliseconds(unit: str) -> None:
    """Time is linear in the length that is read."""
    began = time.process_time()

    read_closing(unit * (1_000_000 // len(unit)))

    assert time.process_time() - began < 0.2


def test_a_message_is_not_cut_within_a_password() -> None:
    """Redaction comes after the cut."""
    text = "It connects to postgres://app:Xk9Lm4Np6Ts8Vb@db.internal/prod and works."
    filler = "#\n" * ((MAX_MESSAGE_CHARS - text.index("@")) // 2)

    assert "Xk9Lm" not in (read_closing(filler + text) or "")
