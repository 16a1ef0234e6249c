"""Machine-made words are masked near words for credentials; hashes and ids are not."""

from __future__ import annotations

import pytest

from behavior_plugin.redact import redact
from behavior_plugin.redact.nearby import is_machine_made

# Assembled, so that scanners do not report this file as a leak.
TOKEN = "q7vK2mLx9TzR4" + "bYcW8nPd3Gh6"
SHA1 = "3f786850e387550fdab836ed7e6dc881de23001b"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


@pytest.mark.parametrize(
    "text",
    [
        "here is my key for the weather service {}",
        "# credentials of the sheet\nsheet := {}",
        "<id>{{shop}}</id>\n<secret>{{shop AQAAABAAA {}}}</secret>",
        'frobnicator: "{}"',
        "frobnicator '{}' 'https://x.example'",
    ],
)
def test_a_token_is_masked_near_a_word_for_credentials_or_as_a_whole_value(text: str) -> None:
    assert TOKEN not in redact(text.format(TOKEN))


@pytest.mark.parametrize("text", ["frobnicator token: {}", "the API key is {}", "<secret>{{shop A {}}}</secret>"])
def test_a_hexadecimal_secret_is_masked_where_it_is_named(text: str) -> None:
    assert SHA256 not in redact(text.format(SHA256))


@pytest.mark.parametrize(
    "text",
    [
        f"git show {SHA1}:src/auth/token.py",
        f"docker pull registry.example/auth@sha256:{SHA256}",
        f"token test: expected digest {SHA256}",
        '"integrity": "sha512-Qv0bZbKbvpjC8GxpZ6zL1yXqk0nJ1dQ2wqG5sV7HkqJqk3Jq0k5mS1b0T3gQ=="',
        "github.com/a/secret v1.2.3 h1:Qv0bZbKbvpjC8GxpZ6zL1yXqk0nJ1dQ2wqG5sV7Hkqk=",
        "token of session 123e4567-e89b-12d3-a456-426614174000",
        '{"idToken":"x","userId":"d528e2db-e53f-4f89-ae6c-a9ce15c6a40d"}',
        "[GHSA-6xj8-qv9j-xcjq](https://github.com/advisories/GHSA-6xj8-qv9j-xcjq) is about passwords",
        "Updating b2f2f512d..c811c1612 of the token branch",
        "s3://bucket/key/2024/01/02/part-00000-7e34390a-0484-4667-8f4e-85d2f4a067d9.snappy.parquet",
        "/srv/auth/components/PasswordResetTokenGeneratorV2Impl.java",
        "toolu_01A09q90qw90lq917835lq9 is the call with the token",
    ],
)
def test_hashes_ids_and_names_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (TOKEN, True),
        (TOKEN.lower() + "x9y8z7", True),
        ("getUserByIdAndNameOrEmailAddress", False),
        ("Base64UrlSafeEncoderV2Test", False),
        ("user-service-v2-7d9f8b6c5d-x2x7k", False),
        ("systemd-private-6856f7483cbd4eee92a1818e2f9c4f96-resolved", False),
        (SHA1, False),
        ("2026-01-31T10-20-30Z-backup-full", False),
    ],
)
def test_a_machine_made_word_is_told_from_names(word: str, expected: bool) -> None:
    assert is_machine_made(word) is expected
