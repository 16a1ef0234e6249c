"""Tokens with a shape of their own, and addresses that are secrets."""

from __future__ import annotations

import pytest

from behavior_plugin.redact import MASK, redact

# Assembled, so that scanners do not report this file as a leak.
TOKEN = "q7vK2mLx9TzR4" + "bYcW8nPd3Gh6sJ5f"


def test_the_token_of_a_bot_is_masked_in_an_address() -> None:
    """The word "bot" stands right before it."""
    masked = redact("curl https://api.telegram.org/bot123456789:AA" + TOKEN + "abcd/getMe")

    assert masked == f"curl https://api.telegram.org/bot{MASK}/getMe"


@pytest.mark.parametrize(
    "text",
    [
        "https://chat.example/api/webhooks/123456789012345678/{}",
        "hooks.slack.com/workflows/{}",
        "https://{}@git.example.com/a/b.git",
        "https://a.blob.example.net/c/f?sv=1&sig={}",
        "https://b.s3.example.com/f?X-Amz-Signature={}",
        "X-Amz-Signature={}",
        "https://x.example/invite?t={}",
        "https://x.example/?api_key={}&page=2",
        "acme_live_{}",
    ],
)
def test_a_token_is_masked_in_an_address(text: str) -> None:
    assert TOKEN not in redact(text.format(TOKEN))


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com/a/b/commit/3f786850e387550fdab836ed7e6dc881de23001b",
        "https://docs.example.com/search?q=how+to+store+a+password&sort=asc",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://x.example/api/feedback/dd283666-3a94-43cd-8565-7dff030c01d1",
        "AKIAIOSFODNN7EXAMPLE is in the docs",
    ],
)
def test_ordinary_addresses_stay(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("start", ["tskey-auth-", "phc_", "nfp_", "sbp_", "dp.pt."])
def test_tokens_of_newer_services_are_masked(start: str) -> None:
    assert redact(f"use {start}{TOKEN} here") == f"use {MASK} here"


def test_a_cookie_on_a_command_line_is_masked() -> None:
    assert TOKEN not in redact(f"curl -b 'sid={TOKEN}' https://example.com")
    assert redact("curl -b cookies.txt https://example.com") == "curl -b cookies.txt https://example.com"
