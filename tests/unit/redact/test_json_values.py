"""In a JSON value, a key or an option names its value."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from behavior_plugin.redact import MASK, PARAMETERS, STRING_LIMIT, redact_value


@pytest.mark.parametrize(
    "parameters",
    [
        {"password": "correct horse"},
        {"headers": {"Authorization": "Bearer abc"}},
        {"headers": {"Cookie": "abc"}},
        {"env": {"API_KEY": "a1B2c3D4e5F6"}},
        {"argv": ["tool", "--password", "correct horse"]},
        {"password": 12345678},
        {"env": {"PASS": "hunter2!" + "Blue"}},
        {"env": {"AUTH": "hunter2!" + "Blue"}},
        {"name": "DB_PASSWORD", "value": "hunter2!" + "Blue"},
        {"argv": ["mysql", "shop", "-phunter2!" + "Blue"]},
        {"argv": ["vault", "kv", "put", "secret/app", "value=hunter2!" + "Blue"]},
    ],
)
def test_a_value_is_masked_because_of_its_key(parameters: dict[str, Any]) -> None:
    """A tool's input separates key and value, and the value alone looks harmless."""
    assert MASK in json.dumps(redact_value(parameters, PARAMETERS))


def test_harmless_parameters_keep_their_values_and_types() -> None:
    parameters = {"file": "src/app.py", "count": 3, "ratio": 0.5, "all": True, "none": None, "list": ["a", 1]}

    assert redact_value(parameters, PARAMETERS) == parameters


def test_values_without_a_json_form_are_converted() -> None:
    """Postgres rejects NaN, and Python rejects printing very long numbers."""
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]

    plain = redact_value(
        {"nan": float("nan"), "huge": 10**5_000, "deep": deep, "at": datetime(2026, 11, 23, tzinfo=UTC)}, PARAMETERS
    )

    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_a_command_line_keeps_the_words_that_are_no_secret() -> None:
    words = ["mysql", "-u", "bob", "-phunter2!" + "Blue", "shop"]

    assert redact_value(words, PARAMETERS) == ["mysql", "-u", "bob", f"-p{MASK}", "shop"]


def test_no_half_of_a_secret_remains_at_the_limit_of_a_word() -> None:
    """Words of a command line are read together first."""
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    [word] = redact_value(["x " * (STRING_LIMIT // 2 - 5) + token], PARAMETERS)

    assert "ghp_" not in word


def test_redacting_twice_changes_nothing() -> None:
    """Stored values are redacted again by newer rules: notes on left out entries stay as they are."""
    many = {f"key {number}": list(range(50)) for number in range(30)}
    once = redact_value({"many": many, "deep": [[[[[1]]]]], "long": "x" * 900}, PARAMETERS)

    assert redact_value(once, PARAMETERS) == once
