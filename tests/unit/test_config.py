"""The settings: a slip in them is told, and two processes can tell whether theirs are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from behavior_plugin import config
from behavior_plugin.capture import paths
from behavior_plugin.config import Settings, fingerprint
from behavior_plugin.errors import ConfigError

URL = "postgresql://me:canary-7f3a9c@db.example.com/work"


def write_config(text: str) -> Path:
    file = Path(paths.make_private(paths.data_folder())) / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_name_in_the_file_that_is_no_setting_is_refused_with_the_one_that_may_be_meant() -> None:
    """A typo would otherwise send a team's work to a database on this machine."""
    file = write_config(f'databse_url = "{URL}"\nzzz = 1\n')

    with pytest.raises(ConfigError) as caught:
        config.load()

    assert str(caught.value) == f"Unknown setting in {file}: databse_url (did you mean database_url?), zzz."


def test_a_file_that_is_not_toml_is_refused() -> None:
    """It says where, and not what."""
    write_config(f'database_url = {URL}"\n')

    with pytest.raises(ConfigError, match="cannot be read") as caught:
        config.load()

    assert "canary" not in str(caught.value)


def test_a_variable_that_is_no_setting_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be another program's, so that it is no error."""
    monkeypatch.setenv("BEHAVIOR_EMBEDER", "none")
    monkeypatch.setenv("BEHAVIOR_STORAGE", "memories")
    monkeypatch.setenv("BEHAVIOR_DISABLE", "1")
    monkeypatch.delenv("BEHAVIOR_REQUIRE_CLIENT", raising=False)

    assert config.unknown_variables() == ["BEHAVIOR_EMBEDER (did you mean BEHAVIOR_EMBEDDER?)"]
    assert config.load().storage == "memories"


def test_a_fingerprint_tells_which_settings_differ_and_never_what_they_are() -> None:
    """How long the worker waits makes no difference to an answer."""
    ours = fingerprint(Settings.model_validate({"database_url": URL, "linger_s": 1}), b"salt")
    theirs = fingerprint(Settings.model_validate({"database_url": f"{URL}2", "linger_s": 2}), b"salt")

    assert [name for name in ours if ours[name] != theirs[name]] == ["database_url"]
    assert "canary" not in str(ours)
    assert ours != fingerprint(Settings.model_validate({"database_url": URL}), b"another salt")
