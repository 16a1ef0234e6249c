"""Escaped and encoded text is read once in its plain form, and masked in its own."""

from __future__ import annotations

from base64 import b64encode

import pytest

from behavior_plugin.redact import MASK, redact
from behavior_plugin.redact.encoded import unescaped

# Assembled, so that scanners do not report this file as a leak.
PASSWORD = "hunter2!" + "Blue"


@pytest.mark.parametrize(
    "text",
    [
        "password%3D{}%26user%3Dbob",
        "token%22%3A%22q7vK2mLx9TzR4bYcW8nPd3Gh6 password%3D{}",
        "password=hunter2%21Blue {}",
        '{{\\"args\\": \\"--password {}\\"}}',
        "\\u0022password\\u0022: \\u0022{}\\u0022",
    ],
)
def test_a_secret_is_masked_in_escaped_text(text: str) -> None:
    masked = redact(text.format(PASSWORD if "%21" not in text else ""))

    assert PASSWORD not in masked
    assert "hunter2" not in masked
    assert MASK in masked


def test_text_with_a_secret_in_base64_is_masked_whole() -> None:
    encoded = b64encode(f"DB_PASSWORD={PASSWORD}".encode()).decode()

    assert redact(f"echo {encoded} | base64 -d > .env") == f"echo {MASK} | base64 -d > .env"


def test_other_base64_stays() -> None:
    image = "data:image/png;base64," + b64encode(bytes(range(256)) * 3).decode()
    text = b64encode(b"only a sentence, of nothing in particular").decode()

    assert redact(f"{image} {text}") == f"{image} {text}"


def test_each_character_of_unescaped_text_has_its_place() -> None:
    assert unescaped("a%3Db\\n") == ("a=b\n", [0, 1, 4, 5, 7])
    assert unescaped("nothing escaped") is None
