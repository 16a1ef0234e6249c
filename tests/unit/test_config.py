"""The settings: mistakes are reported, and two processes can compare theirs."""

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


def test_an_unknown_setting_is_rejected_with_a_suggestion() -> None:
    """A typo in `database_url` would otherwise store a team's work on this machine."""
    file = write_config(f'databse_url = "{URL}"\nzzz = 1\n')

    with pytest.raises(ConfigError) as caught:
        config.load()

    assert str(caught.value) == f"Unknown setting in {file}: databse_url (did you mean database_url?), zzz."


def test_a_file_that_is_not_toml_is_rejected() -> None:
    """The message has the position, but not the text, which may be a password."""
    write_config(f'database_url = {URL}"\n')

    with pytest.raises(ConfigError, match="cannot be read") as caught:
        config.load()

    assert "canary" not in str(caught.value)


def test_unknown_variables_are_listed_with_a_suggestion(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable may belong to another program, so it is not an error."""
    monkeypatch.setenv("BEHAVIOR_EMBEDER", "none")
    monkeypatch.setenv("BEHAVIOR_STORAGE", "memories")
    monkeypatch.setenv("BEHAVIOR_DISABLE", "1")
    monkeypatch.delenv("BEHAVIOR_REQUIRE_CLIENT", raising=False)

    assert config.unknown_variables() == ["BEHAVIOR_EMBEDER (did you mean BEHAVIOR_EMBEDDER?)"]
    assert config.load().storage == "memories"


def test_fingerprints_show_differing_settings_without_values() -> None:
    """The worker's idle timeout does not affect answers, so it is left out."""
    ours = fingerprint(Settings.model_validate({"database_url": URL, "idle_timeout_s": 1}), b"salt")
    theirs = fingerprint(Settings.model_validate({"database_url": f"{URL}2", "idle_timeout_s": 2}), b"salt")

    assert [name for name in ours if ours[name] != theirs[name]] == ["database_url"]
    assert "canary" not in str(ours)
    assert ours != fingerprint(Settings.model_validate({"database_url": URL}), b"another salt")


@pytest.mark.parametrize(("former", "name"), [("linger_s", "idle_timeout_s")])
@pytest.mark.parametrize("is_in_file", [True, False])
def test_renamed_settings_keep_their_former_names(
    former: str, name: str, is_in_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configuration that worked before an update works after it."""
    if is_in_file:
        write_config(f"{former} = 0.25\n")
    else:
        monkeypatch.setenv(f"BEHAVIOR_{former.upper()}", "0.25")

    assert getattr(config.load(), name) == 0.25
    assert not [each for each in config.unknown_variables() if former.upper() in each]


@pytest.mark.parametrize("name", ["similarity_floor", "min_similarity"])
def test_a_setting_that_is_gone_is_no_error(name: str) -> None:
    """An update must not stop the work of somebody who once set it."""
    write_config(f'{name} = 0.7\nsuggestions = "eager"\n')

    assert config.load().suggestions == "eager"


def test_the_current_name_of_a_setting_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both may be set for a while."""
    monkeypatch.setenv("BEHAVIOR_LINGER_S", "5")
    monkeypatch.setenv("BEHAVIOR_IDLE_TIMEOUT_S", "7")

    assert config.load().idle_timeout_s == 7
