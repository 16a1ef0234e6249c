"""Values are told from references, words and hashes by their looks."""

from __future__ import annotations

import pytest

from behavior_plugin.redact.values import (
    is_account,
    is_given,
    is_given_and_real,
    is_hex,
    is_machine_made,
    is_noise,
    is_odd,
    is_odd_or_numbered,
    is_password_or_phrase,
    is_random,
    is_real,
    is_set,
    is_strong,
    is_token,
)


@pytest.mark.parametrize(
    ("claim", "true", "false"),
    [
        (is_given, ["hunter"], ["$NAME", "${X}", "{{ x }}", "<x>", "%s", "***", "xxxx", "your-key", "None", "/run/x"]),
        (is_given_and_real, ["hunter"], ["$X", "pplx-xxxxxxxxxxxx"]),
        (is_odd, ["hunter2!", "a#b"], ["hunter", "hunter2", "config.token", "a/b1.py", "2026-01-31"]),
        (is_odd_or_numbered, ["hunter2", "hunter2!"], ["hunter", "x1", "int64_t"]),
        (is_strong, ["hunter2!Blue", "Winter2024"], ["Winter", "field2", "test_a1"]),
        (is_real, ["abcdef"], ["aaaaaaaa", "EXAMPLEEXAMPLEEXAMPLEEXAMPLE", "AKIAIOSFODNN7EXAMPLE"]),
        (is_token, ["abc1", "aBcDeF"], ["abcdef", "xxxxxxxx1"]),
        (
            is_random,
            ["0123456789abcdef", "a1B2c3D4", "q" * 3 + "wertyuiopasdfghjklzxcvb"],
            ["userName", "v1", "user:42:profile"],
        ),
        (is_hex, ["0af3", "123e4567-e89b-12d3-a456-426614174000"], ["0aF3", "xyz", "12"]),
        (is_noise, ["q{{h}y)t${d]mtr(ceg[kys>-_#"], ["Option<Vec<u8>>", "f(x)[0]", "plain"]),
        (is_machine_made, ["a1B2c3D4", "q{{h}y)t${d]mtr(ceg[kys>-_#"], ["f(x);", "two words"]),
        (is_account, ["7etnho2b", "a1@b2!"], ["bob", "0af30af30af3", "localStorage.getItem"]),
        (is_set, ["hunter2!", "a1B2c3D4"], ["basic", "oauth2", "$X"]),
        (
            is_password_or_phrase,
            ["correcthorse", "correct horse battery staple"],
            ["enter your password", "does start right", "$X", "*-?!"],
        ),
    ],
)
def test_values_are_judged_by_their_looks(claim: object, true: list[str], false: list[str]) -> None:
    assert callable(claim)

    assert [value for value in true if not claim(value)] == []
    assert [value for value in false if claim(value)] == []
