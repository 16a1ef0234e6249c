"""A password in a sentence, or beside an account, is masked; talk about passwords is not."""

from __future__ import annotations

import pytest

from behavior_plugin.redact import redact

# Assembled, so that scanners do not report this file as a leak.
PASSWORD = "hunter2!" + "Blue"


@pytest.mark.parametrize(
    "text",
    [
        "the admin password is {} , log in with it",
        "use the passphrase {} to unlock",
        "Log in as bob with the password {} and look",
        "password for the staging box: {}",
        "creds are bob / {}",
        "das Kennwort lautet {}",
        "shop = {} / me@example.com",
        "auth=('bob', '{}')",
        "bob:{}@db.internal:5432",
        "machine x.example.com\n  login me\n  password {}",
    ],
)
def test_a_password_is_masked_in_a_sentence_or_beside_its_account(text: str) -> None:
    assert PASSWORD not in redact(text.format(PASSWORD))


def test_the_account_beside_a_secret_is_masked_too() -> None:
    assert "7etnho2b" not in redact('app_id: "7etnho' + '2b"\napp_secret: "p2xi9vsd5c27tn4swtdsynrs3mz4cbvj"')


@pytest.mark.parametrize(
    "text",
    [
        "The password must have 12 characters and a digit.",
        "Reset the password for user 42.",
        "the token is expired, log in again",
        "userEmail: localStorage.getItem('email'), token: null",
        'fatal: password authentication failed for user "bob"',
        "Enter passphrase for key '/home/bob/.ssh/id_ed25519':",
    ],
)
def test_talk_about_passwords_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "text",
    ["la contraseña es {}", "пароль: {}", "密码是 {}", "密码：{}", "パスワードは {}", "le mot de passe est {} , merci"],
)
def test_a_password_is_recognised_in_other_languages(text: str) -> None:
    password = "hunter2!" + "Blue"

    assert password not in redact(text.format(password))
    assert redact(text.format("$PASSWORD")) == text.format("$PASSWORD")


@pytest.mark.parametrize(
    "text", ["la contraseña es obligatoria", "пароль не нужен", "パスワードは必要ありません", "密码是必填项"]
)
def test_words_about_passwords_stay_in_other_languages(text: str) -> None:
    assert redact(text) == text
