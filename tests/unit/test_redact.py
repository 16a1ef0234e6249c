"""Redaction removes secrets, leaves other text alone, and takes linear time on long or hostile text.

The secrets here are assembled from pieces, so that scanners do not report this file as a leak.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from behavior_plugin.model import Action, Context, Outcome, Turn, Verdict
from behavior_plugin.redact import (
    ACTIONS_LIMIT,
    FILES_LIMIT,
    MASK,
    PARAMETERS,
    SECRETS,
    STRING_LIMIT,
    TRIGGER_LIMIT,
    Secret,
    redact,
    redact_turn,
)

PASSWORD = "hunter2-" + "Xq7"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PEM_BODY = "MIIEowIBAAKCAQEAx7Zk" * 3
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret.name)
def test_each_secret_catches_its_own_example(secret: Secret) -> None:
    """A rule that no longer matches its example would let real secrets through."""
    masked = redact(secret.example)

    assert MASK in masked
    assert secret.example.split()[-1] not in masked


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


HOSTILE = ["a=", "(", "-----BEGIN ", "-----BEGIN PRIVATE " + "KEY-----", "password", "://a:", "eyJ", "\\n", "\u200b"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_is_redacted_in_linear_time(piece: str) -> None:
    """A tool's output is arbitrary. Without a limit it takes 0.2 to 1 s; a quadratic rule would take minutes."""
    text = piece * (200_000 // len(piece))
    started = time.process_time()

    redact(text)
    redact(text, TRIGGER_LIMIT)

    assert time.process_time() - started < 10


def make_turn(**changes: Any) -> Turn:
    values: dict[str, Any] = {
        "source_key": "3f786850e387550fdab836ed7e6dc881de23001b",
        "prompt": "fix the test",
        "context": Context(),
        "actions": (make_action(),),
        "started_at": NOW,
        "session_id": "123e4567-e89b-12d3-a456-426614174000",
    }
    return Turn(**{**values, **changes})


def make_action(**changes: Any) -> Action:
    values: dict[str, Any] = {"tool": "Bash", "outcome": Outcome.SUCCESS, "timestamp": NOW}
    return Action(**{**values, **changes})


def redacted_parameters(**parameters: Any) -> dict[str, Any]:
    turn = redact_turn(make_turn(actions=(make_action(parameters=parameters),)))
    return turn.actions[0].parameters


def test_every_field_of_a_turn_is_redacted() -> None:
    """Keys, lists, branch names, the agent's own words and the output of commands can contain secrets too."""
    address = f"https://me:{PASSWORD}@example.com/x.git"
    action = make_action(
        tool=GITHUB,
        actor=GITHUB,
        error=address,
        parameters={GITHUB: [{"deep": address}], "command": address},
        verdict=Verdict(error=address, commit=GITHUB),
    )
    context = Context(directory=address, project=address, branch=GITHUB, files_touched=(GITHUB,))

    turn = make_turn(prompt=address, context=context, actions=(action,), closing=address)
    stored = redact_turn(turn).model_dump_json()

    assert PASSWORD not in stored
    assert GITHUB not in stored


@pytest.mark.parametrize(
    "parameters",
    [
        {"password": "correct horse"},
        {"headers": {"Authorization": "Bearer abc"}},
        {"headers": {"Cookie": "abc"}},
        {"env": {"API_KEY": "a1B2c3D4e5F6"}},
        {"argv": ["tool", "--password", "correct horse"]},
        {"password": 12345678},
    ],
)
def test_a_value_is_masked_because_of_its_key(parameters: dict[str, Any]) -> None:
    """A tool's input separates key and value, and the value alone looks harmless."""
    assert MASK in json.dumps(redacted_parameters(**parameters))


def test_harmless_parameters_keep_their_values_and_types() -> None:
    parameters = {"file": "src/app.py", "count": 3, "ratio": 0.5, "all": True, "none": None, "list": ["a", 1]}

    assert redacted_parameters(**parameters) == parameters


def test_a_turn_is_bounded() -> None:
    """A row must stay readable, however large a tool's input was."""
    many = {f"key {number}": "x" * 10_000 for number in range(100)}
    actions = tuple(make_action(tool=f"tool {number}", parameters=many, error="e" * 9_999) for number in range(300))
    context = Context(files_touched=tuple(f"{number}.py" for number in range(1_000)))

    found = redact_turn(make_turn(prompt="t" * 9_999, actions=actions, context=context, closing="c" * 9_999))

    assert (len(found.prompt), len(found.closing or "")) == (TRIGGER_LIMIT, STRING_LIMIT)
    assert len(found.context.files_touched) == FILES_LIMIT
    assert len(found.actions) == ACTIONS_LIMIT
    assert (found.actions[0].tool, found.actions[-1].tool) == ("tool 0", "tool 299")
    assert len(found.actions[0].parameters) == PARAMETERS.entries + 1
    assert max(len(text) for text in found.actions[0].parameters.values()) == STRING_LIMIT
    assert found.actions[99].parameters["actions left out after this one"] == 100


def test_values_without_a_json_form_are_converted() -> None:
    """Postgres rejects NaN, and Python rejects printing very long numbers."""
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]

    plain = redacted_parameters(nan=float("nan"), huge=10**5_000, deep=deep, at=NOW)

    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_our_own_ids_are_not_redacted() -> None:
    """The store identifies turns and sessions by these ids."""
    turn = make_turn()

    assert redact_turn(turn) == turn
