"""How the fields of records are read: times, and the text of messages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from behavior_plugin.agents.fields import cut_head, cut_tail, message_text, parse_time, shortened

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    ["2026-03-02T12:00:00.000Z", "2026-03-02T13:00:00+01:00", "2026-03-02T12:00:00", 1772452800000, 1772452800000.0],
)
def test_a_time_is_text_or_milliseconds(value: Any) -> None:
    """Agents write either, and without a zone they mean UTC."""
    assert parse_time(value) == NOON


@pytest.mark.parametrize("value", [None, True, "", "noon", 1e300, -1e300, float("nan"), float("inf"), 2**70, [], {}])
def test_other_values_are_no_time(value: Any) -> None:
    """A record without one happened when the record before it did."""
    assert parse_time(value) is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("as it is", "as it is"),
        ([{"text": "one"}, {"image": "x"}, {"text": 2}, 3, {"text": "two"}], "one\ntwo"),
        ([{"text": "<ide_file>a</ide_file>"}, {"text": "two"}], "<ide_file>a</ide_file>\ntwo"),
        (None, ""),
        ({"text": "no list"}, ""),
    ],
)
def test_the_text_of_a_message_leaves_out_its_images(content: Any, said: str) -> None:
    """Parts may be of any kind, and a mark of one agent is plain text to another."""
    assert message_text(content) == said
    assert message_text([{"text": "<a> b"}, {"text": "c"}], besides=("<a>",)) == "c"


def test_a_text_is_shortened_between_words() -> None:
    """A text without spaces is left out: half a secret is not recognised as one."""
    assert shortened("one two three", 20) == "one two three"
    assert shortened("one two three", 9) == "one two …"
    assert shortened("\N{HIRAGANA LETTER A}" * 400, 300) == ""


def test_a_cut_leaves_no_half_word() -> None:
    """Half of a password is a secret that no rule recognises."""
    assert (cut_head("one two three", 20), cut_tail("one two three", 20)) == ("one two three", "one two three")
    assert (cut_head("one two three", 9), cut_tail("one two three", 9)) == ("one two ", " three")
    assert (cut_head("postgres://a:secret@host", 15), cut_tail("x" * 40, 15)) == ("", "")
    assert cut_head("\N{HIRAGANA LETTER A}" * 400, 300) == "\N{HIRAGANA LETTER A}" * 300
