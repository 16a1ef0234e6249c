"""The environment steers nothing: settings in it are reported, and the worker gets a fixed part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from behavior_plugin.capture import paths, variables
from behavior_plugin.config import Settings


def test_the_names_of_the_settings_are_those_of_the_settings() -> None:
    """A hook cannot import them."""
    assert set(variables.SETTINGS) == {*Settings.model_fields, "linger_s"}


def test_the_worker_gets_no_variable_that_steers_it(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    steering = (
        *("BEHAVIOR_DATABASE_URL", "OPENAI_BASE_URL", "OPENAI_API_KEY", "PGHOST", "HTTPS_PROXY", "all_proxy"),
        *("SSL_CERT_FILE", "PYTHONPATH", "LD_PRELOAD", "TMPDIR", "XDG_DATA_HOME", "CLAUDE_PROJECT_DIR", "EDITOR"),
    )
    for name in steering:
        monkeypatch.setenv(name, "/evil")
    harmless = {"LANG": "C.UTF-8", "LC_TIME": "C", "TZ": "UTC", "USER": "me", "LOGNAME": "me"}
    own = {"HOME": str(own_home), "BEHAVIOR_HOME": str(own_home / "behavior")}
    for name, value in {**harmless, **own, "PATH": "/evil"}.items():
        monkeypatch.setenv(name, value)

    assert variables.for_worker() == {**harmless, **own, "PATH": variables.SYSTEM_PATH}


def test_a_sessions_start_reports_each_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert variables.trouble() == ""

    monkeypatch.setenv("BEHAVIOR_STORAGE", "memories")
    monkeypatch.setenv("BEHAVIOR_LINGER_S", "1")
    monkeypatch.setenv("BEHAVIOR_OTHER", "1")

    file = paths.in_data("config.toml")
    said = "are set in this environment and not used; settings are read from"
    assert variables.trouble() == f"BEHAVIOR_LINGER_S, BEHAVIOR_STORAGE {said} {file} alone"
