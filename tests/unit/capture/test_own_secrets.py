"""A hook masks the secrets of its own environment in calls, and keeps nothing of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from behavior_plugin.capture import own_secrets

ROOT = Path(__file__).resolve().parents[3]
# Without a shape or a name that any rule knows.
VALUE = "correct7horse-battery"


def call(command: str, **fields: Any) -> bytes:
    return json.dumps({"session_id": "s", "tool_input": {"command": command}, **fields}).encode()


@pytest.mark.parametrize(
    "name",
    ["ACME_KEY", "ACME_TOKEN", "ACME_SECRET", "DB_PASSWORD", "acme_token", "DB_PASS", "MYSQL_PWD", "SECRET_KEY_BASE"],
)
def test_values_of_secret_variables_are_masked(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, VALUE)

    assert json.loads(own_secrets.mask(call(f"deploy {VALUE} now")))["tool_input"] == {
        "command": "deploy [REDACTED] now"
    }


def test_a_value_is_found_as_json_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", 'pass"7\\word')

    masked = json.loads(own_secrets.mask(call('deploy pass"7\\word')))

    assert masked["tool_input"] == {"command": "deploy [REDACTED]"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACME_HOST", VALUE),
        ("ACME_KEY", "short7"),
        ("ACME_KEY", "production"),
        ("ACME_KEY", "12345678"),
        ("KEY_FILE_KEY", "/run/secrets/key1"),
    ],
)
def test_other_values_stay(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    assert own_secrets.mask(call(f"deploy {value}")) == call(f"deploy {value}")


def test_a_value_that_is_a_part_of_another_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of them the environment has first."""
    monkeypatch.setenv("A_KEY", "hunter2x")
    monkeypatch.setenv("B_TOKEN", "hunter2x-Blue7Sky")
    monkeypatch.setenv("C_KEY", "Blue7Sky")

    masked = json.loads(own_secrets.mask(call("deploy hunter2x-Blue7Sky hunter2x")))

    assert masked["tool_input"] == {"command": "deploy [REDACTED] [REDACTED]"}


def test_a_value_is_found_where_json_keeps_each_character(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Node writes it."""
    monkeypatch.setenv("DB_PASSWORD", "h\u00fcnter2-blau")
    payload = json.dumps({"tool_input": {"command": "deploy h\u00fcnter2-blau"}}, ensure_ascii=False).encode()

    assert json.loads(own_secrets.mask(payload)) == {"tool_input": {"command": "deploy [REDACTED]"}}


def test_half_an_escape_is_no_part_of_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event could not be read any more."""
    monkeypatch.setenv("ACME_KEY", "new12345")

    assert json.loads(own_secrets.mask(call("a\new12345"))) == json.loads(call("a\new12345"))


@pytest.mark.parametrize("field", ["cwd", "transcript_path", "tool_use_id", "prompt_id"])
def test_the_place_of_a_call_stays(monkeypatch: pytest.MonkeyPatch, field: str) -> None:
    """Without it nobody knows which project's files are excluded, or that the log has the same call."""
    monkeypatch.setenv("SIGNING_KEY", "shop2024")
    payload = call("make", **{field: "/home/u/shop2024/x"})

    assert json.loads(own_secrets.mask(payload)) == json.loads(payload)


def test_a_secret_is_masked_in_arguments_that_are_named_like_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", VALUE)

    masked = json.loads(own_secrets.mask(json.dumps({"tool_input": {"session_id": VALUE, VALUE: [VALUE]}}).encode()))

    assert masked["tool_input"] == {"session_id": "[REDACTED]", "[REDACTED]": ["[REDACTED]"]}


def test_what_cannot_be_read_is_masked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", VALUE)

    for payload in (call(f"deploy {VALUE}")[:-1], f'["{VALUE}"]'.encode()):
        assert VALUE.encode() not in own_secrets.mask(payload)


def test_searching_a_large_call_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that takes too long loses the event; the longest values are the likeliest secrets."""
    payload = call(f"deploy shorter7-one {VALUE}")
    monkeypatch.setattr(own_secrets, "MAX_SEARCHED_BYTES", len(payload))
    monkeypatch.setenv("ACME_TOKEN", VALUE)
    monkeypatch.setenv("OTHER_TOKEN", "shorter7-one")

    assert own_secrets.mask(payload) == payload.replace(VALUE.encode(), b"[REDACTED]")


def test_the_id_of_the_session_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the call would belong to no session."""
    monkeypatch.setenv("AGENT_SESSION_KEY", "123e4567-e89b")
    payload = call("resume 123e4567-e89b", session_id="123e4567-e89b")

    assert own_secrets.mask(payload) == payload


@pytest.mark.parametrize("event", ["PostToolUse", "PostToolUseFailure", "UserPromptSubmit"])
def test_a_hook_saves_no_secret_of_its_environment_with_a_call(tmp_path: Path, event: str) -> None:
    """A prompt stays as it was typed, since it is compared with the agent's log."""
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "ACME_TOKEN": VALUE}

    done = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "hooks" / "hook.py"), event],
        env=environment,
        input=call(f"deploy {VALUE}", prompt=f"deploy {VALUE}"),
        capture_output=True,
        check=True,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    data = tmp_path / ".local/share/behavior-plugin"
    saved = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert (VALUE.encode() in saved) is (event == "UserPromptSubmit")
    assert b"deploy" in saved
