"""Redaction removes secrets, leaves other text alone, and takes linear time on long or hostile text.

The secrets here are assembled from pieces, so that scanners do not report this file as a leak.
"""

from __future__ import annotations

import time

import pytest

from behavior_plugin.redact import MASK, RULES, TRIGGER_LIMIT, redact
from behavior_plugin.redact.rule import Rule

PASSWORD = "hunter2-" + "Xq7"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PEM_BODY = "MIIEowIBAAKCAQEAx7Zk" * 3


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_catches_its_own_example(rule: Rule) -> None:
    """A rule that no longer matches its example would let real secrets through."""
    [(start, end), *_] = rule.found(rule.example, rule.example.lower())

    assert rule.example[start:end] not in redact(rule.example)


TOKENS = {
    "github": GITHUB,
    "github fine-grained": "github_pat_" + "11ABCDEFG0aBcDeFgHiJkL_" + "a1B2c3D4e5" * 5,
    "gitlab": "glpat-" + "a1B2c3D4e5F6g7H8i9J0",
    "aws": "AKIA" + "QWERTYUIOPLKJHGF",
    "slack": "xoxb-" + "123456789012-123456789012-a1B2c3D4e5F6",
    "stripe": "sk_live_" + "a1B2c3D4e5F6g7H8i9J0k1L2",
    "openai": "sk-proj-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4",
    "anthropic": "sk-ant-api03-" + "a1B2c3D4e5F6-g7H8i9J0_k1L2m3N4",
    "npm": "npm_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8",
    "pypi": "pypi-AgEIcHlwaS5vcmc" + "a1B2c3D4e5" * 8,
    "google": "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "hugging face": "hf_" + "aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH",
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLWhlcmU",
    "sendgrid": "SG." + "a1B2c3D4e5F6g7H8i9J0k1." + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0u1V",
}
PLACES = ["{}", "use {} now", "x={}", "'{}'", "first\\n{}", "{}, and more", "?key%3D{}", '{{"a": "{}"}}']


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_token_is_masked_in_any_context(token: str, place: str) -> None:
    """Prompts quote commands, JSON and URLs."""
    assert token not in redact(place.format(token))


@pytest.mark.parametrize(
    "text",
    [
        "postgres://app:{}@db.example.com/app",
        "redis://:{}@localhost:6379",
        "Server=db;User Id=app;Password={};Encrypt=true",
        "export DB_PASSWORD={}",
        "MY_API_KEY='{}' npm run build",
        "password: {}",
        '{{"client_secret": "{}"}}',
        '{{\\"password\\": \\"{}\\"}}',
        "login({{password: '{}'}})",
        "curl https://x.example/?access_token={}&page=2",
        "curl -u admin:{} https://x.example",
        "curl -H 'Authorization: Bearer {}' https://x.example",
        "Authorization: Basic {}",
        "Set-Cookie: session={}; Path=/",
        "Cookie: a=1; session={}",
        "tool --password {} --verbose",
        "tool --api-key={}",
        "mysql -u root -p{} shop",
        "docker login -u me -p {} registry.example.com",
        "sshpass -p '{}' ssh me@host",
        "machine x.example login me password {}",
        "//registry.npmjs.org/:_authToken={}",
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff1d{}",
    ],
)
def test_a_password_is_recognized_by_its_context(text: str) -> None:
    """A password has no shape of its own, only its surroundings identify it."""
    masked = redact(text.format(PASSWORD))

    assert PASSWORD not in masked
    assert MASK in masked


@pytest.mark.parametrize("line_end", ["\n", "\\n", "\\\\n"])
@pytest.mark.parametrize("end", ["-----END RSA PRIVATE KEY-----", ""])
def test_a_private_key_is_masked_with_or_without_its_end(line_end: str, end: str) -> None:
    """Output may be cut off, and JSON escapes line ends."""
    key = line_end.join(["-----BEGIN RSA PRIVATE " + "KEY-----", PEM_BODY, PEM_BODY, "Zk3Q==", end])

    assert redact(f"before {key}").rstrip() == f"before {MASK}"


def test_text_after_a_mention_of_a_key_stays() -> None:
    text = "The file must start with -----BEGIN PRIVATE " + "KEY----- or the server refuses it."

    assert redact(text).endswith("or the server refuses it.")


@pytest.mark.parametrize("hidden", ["\u200b", "\u00ad", "\x00", "\x1b[31m", "\u202e", "\U000e0041"])
def test_invisible_characters_do_not_hide_a_token(hidden: str) -> None:
    """Colour codes split tokens by accident, zero-width characters on purpose."""
    assert redact(GITHUB[:10] + hidden + GITHUB[10:]) == MASK


def test_characters_that_postgres_rejects_are_removed() -> None:
    """One NUL or lone surrogate would make Postgres reject the whole session."""
    assert redact("a\x00b\ud800c") == "ab\N{REPLACEMENT CHARACTER}c"


@pytest.mark.parametrize(
    "text",
    [
        "commit 3f786850e387550fdab836ed7e6dc881de23001b",
        "id 123e4567-e89b-12d3-a456-426614174000 in /var/lib/app/2026-11-23T10:00:00Z.json",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        '"integrity": "sha512-Qv0bZbKbvpjC8GxpZ6zL1yXqk0nJ1dQ2wqG5sV7HkqJqk3Jq0k5mS1b0T3g=="',
        "password = os.environ['DB_PASSWORD']",
        "token: ${GITHUB_TOKEN}, key: {{ secrets.KEY }}, secret=<your secret>",
        "def login(password: str, token: str | None = None) -> None:",
        "const token = getAccessToken(user2)",
        '"input_tokens": 12345, "max_tokens": 4096, "tokenizer": "gpt2-medium-v2"',
        "Fix the password reset flow, then the token refresh.",
        "git@github.com:owner/repo.git and https://example.com:8080/a@b",
        "GOOGLE_APPLICATION_CREDENTIALS=/run/secrets/account.json",
        "ssh -p 2222 me@host && redis-cli -p 6379 ping",
        "Grüße: 世界, caf\u00e9\r\n\tﬁn² … ™",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Over-redacted workflows are useless."""
    assert redact(text) == text


def test_redacting_twice_changes_nothing() -> None:
    """An import redacts turns before it sends them, and they may be saved again."""
    once = redact(f"password: {PASSWORD} Authorization: Bearer {GITHUB} x://u:{PASSWORD}@h")

    assert redact(once) == once


@pytest.mark.parametrize("limit", range(60))
def test_no_partial_secret_remains_at_the_limit(limit: int) -> None:
    """Half a token helps an attacker, and no rule recognizes it."""
    masked = redact(f"the token is {GITHUB} and more", limit)

    assert len(masked) <= limit
    assert GITHUB[:6] not in masked


@pytest.mark.parametrize("secret", ["-----BEGIN PRIVATE " + "KEY-----\n" + PEM_BODY * 90, TOKENS["jwt"] * 90])
def test_a_secret_longer_than_limit_and_margin_is_masked(secret: str) -> None:
    """Keys of several thousand characters are common."""
    assert redact(f"the key is {secret}", 40) == f"the key is {MASK}"


def test_removed_characters_do_not_count_towards_the_limit() -> None:
    """Otherwise a token behind them would be cut, and its half not recognized."""
    assert GITHUB[:10] not in redact("\u200b" * 50_000 + GITHUB * 2 + " " + GITHUB, 20)


def test_a_value_is_masked_where_it_stands_again() -> None:
    """The second time it has no name."""
    value = "q7vK2m" + "Lx9TzR4"

    assert redact(f"password: {value}\nthen type {value} and press enter") == (
        f"password: {MASK}\nthen type {MASK} and press enter"
    )


HOSTILE = [
    "a=",
    "(",
    "'",
    "-----BEGIN ",
    "-----BEGIN PRIVATE " + "KEY-----",
    "password",
    "password is ",
    "key: ",
    "secret\n",
    "<key>",
    "token='x'|",
    "://a:",
    "eyJ",
    "\\n",
    '\\"',
    "%3D",
    "\u200b",
    "aB3",
    "a1B2c3D4e5F6g7H8i9J0 ",
    "mysql ",
    "curl -u ",
    "vault kv put a=",
    "echo a | ",
    "YWJj",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_is_redacted_in_linear_time(piece: str) -> None:
    """A tool's output is arbitrary. Without a limit it takes 0.1 to 1 s; a quadratic rule would take minutes."""
    text = piece * (200_000 // len(piece))
    started = time.process_time()

    redact(text)
    redact(text, TRIGGER_LIMIT)

    assert time.process_time() - started < 10


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_takes_linear_time(rule: Rule) -> None:
    """The beginning of its matches, again and again, takes a rule 0.1 s at most; a quadratic one would take many."""
    beginnings = [rule.example, rule.example[:-4], *rule.words]
    started = time.process_time()

    for each in beginnings:
        text = f"{each} " * (100_000 // len(each))
        list(rule.found(text, text.lower()))

    assert time.process_time() - started < 10
