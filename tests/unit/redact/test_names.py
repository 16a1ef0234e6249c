"""A secret is recognised by the name it is assigned to, in any notation."""

from __future__ import annotations

import pytest

from behavior_plugin.redact import MASK, redact

# Assembled, so that scanners do not report this file as a leak.
PASSWORD = "hunter2!" + "Blue"
TOKEN = "q7vK2mLx9TzR4" + "bYcW8nPd3Gh6"

PASSWORDS = [
    "pw: {}",
    "pass: {}",
    "export APP_PW='{}'",
    "$password = '{}';",
    "password: |\n  {}",
    "- name: DB_PASSWORD\n  value: {}",
    '<property name="connection.password" value="{}"/>',
    "<server><username>bob</username><password>{}</password></server>",
    '{{"env": {{"PASS": "{}", "AUTH": "x"}}}}',
    '{{"env": {{"PASS": "x", "AUTH": "{}"}}}}',
    "ENV DB_PASS {}",
]
TOKENS = [
    "set -x API_SECRET {}",
    "set -gx API_TOKEN {}",
    "setx API_TOKEN {}",
    "setenv API_TOKEN {}",
    "$env:API_TOKEN = '{}'",
    "frobnicator token - '{}'",
    "frobnicator token = '{}' | 'x'",
    "frobnicator secret\n{}",
    "[DEBUG] Using key={}",
    "token:\n  {}",
    '{{"key": "APP_TOKEN", "value": "{}"}}',
    '{{\\"secretKey\\": \\"{}\\"}}',
    "client_id={}\nclient_secret=x",
    "headers['X-Api-Key'] = '{}'",
    'const acmeKey = "{}";',
    'if (apiKey == "{}")',
]


@pytest.mark.parametrize("text", PASSWORDS)
def test_a_password_is_masked_by_its_name(text: str) -> None:
    assert PASSWORD not in redact(text.format(PASSWORD))


@pytest.mark.parametrize("text", TOKENS)
def test_a_token_is_masked_by_its_name(text: str) -> None:
    assert TOKEN not in redact(text.format(TOKEN))


@pytest.mark.parametrize(
    "name",
    ["password", "api_key", "accessKey", "access_id", "SONAR_LOGIN", "session-cookie", "client id", "app_pat", "x_pin"],
)
def test_a_name_is_searched_whatever_its_words_are(name: str) -> None:
    """A rule skips texts without one of its words; each of its names has one."""
    assert redact(f'{name} = "{TOKEN}"') == f'{name} = "{MASK}"'


def test_a_secret_of_special_characters_is_masked_and_code_is_not() -> None:
    characters = "q{{h}y)t${d]mtr(ceg" + "[kyslb>-_$#xteshzb}}"

    assert characters not in redact(f"private_key = {characters}")
    assert redact("private_key: Option<Zeroizing<Vec<u8>>>,") == "private_key: Option<Zeroizing<Vec<u8>>>,"


@pytest.mark.parametrize(
    "text",
    [
        "PASS: TestSegmentCache/legacy#01 (0.02s)",
        "pass: 12 fail: 3",
        "Pass `batchDurationMs` to the component",
        "all tests pass\n- `bun run lint` too",
        "<subagent_tokens>127383</subagent_tokens>",
        "AUTH=oauth2",
        "AUTH_METHOD=basic",
        "SECRET_PROVIDER=vault-eu",
        "KEY_NAME=deploy-2",
        "KEY_FILE=/etc/ssl/private/app.key",
        "apps/api/src/tee-key-state.entity.ts:15:export class KeyState {",
        "cache key = user:42:profile",
        "privateKey: fileIpnsPrivateKey,",
        "let private_key = vec![0u8; 32];",
        "password = 'The password must have a digit.'",
    ],
)
def test_ordinary_names_and_values_stay(text: str) -> None:
    assert redact(text) == text
