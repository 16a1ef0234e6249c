"""The settings: mistakes are reported, and two processes can compare theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from behavior_plugin import config
from behavior_plugin.capture import paths
from behavior_plugin.config import Settings, fingerprint
from behavior_plugin.errors import ConfigError
from tests.settings import configure

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


def test_the_environment_sets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent applies the variables of a project to the hooks and commands of its session."""
    for name in Settings.model_fields:
        monkeypatch.setenv(f"BEHAVIOR_{name.upper()}", "canary")
    monkeypatch.setenv("BEHAVIOR_LINGER_S", "1")
    monkeypatch.setenv("BEHAVIOR_EMBEDER", "none")  # may be another program's

    assert config.load() == Settings()
    assert "canary" not in config.unused_variables()
    assert "BEHAVIOR_EMBEDER" not in config.unused_variables()
    for name in (*Settings.model_fields, "linger_s"):
        assert f"BEHAVIOR_{name.upper()}" in config.unused_variables()


def test_variables_for_libraries_are_those_of_the_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a proxy, through which all requests would go."""
    of_caller = ("OPENAI_BASE_URL", "PGHOST", "https_proxy", "HTTPS_PROXY", "SSL_CERT_FILE")
    for name in of_caller:
        monkeypatch.setenv(name, "of the caller")
    monkeypatch.setenv("EDITOR", "of the caller")
    monkeypatch.delenv("PGSSLMODE", raising=False)
    configure(environment={"PGSSLMODE": "verify-full", "HTTPS_PROXY": "http://proxy:1"})

    config.apply_environment(config.load())

    assert {name: os.environ.get(name) for name in (*of_caller, "PGSSLMODE", "EDITOR")} == {
        **dict.fromkeys(of_caller),
        "HTTPS_PROXY": "http://proxy:1",
        "PGSSLMODE": "verify-full",
        "EDITOR": "of the caller",
    }


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "BEHAVIOR_HOME", "PYTHONPATH"])
def test_no_other_variables_can_be_set(name: str) -> None:
    configure(environment={name: "canary"})

    with pytest.raises(ConfigError, match=rf"only OPENAI_\*, PG\*.* not {name}") as caught:
        config.load()

    assert "canary" not in str(caught.value)


def test_another_file_takes_the_place_of_the_usual_one(tmp_path: Path) -> None:
    configure(storage="memories", holdout=0.5)
    file = tmp_path / "owner.toml"
    file.write_text("holdout = 0.25\n")

    with config.read_from(file):
        assert (config.load().storage, config.load().holdout) == ("behavior_patterns", 0.25)
    assert (config.load().storage, config.load().holdout) == ("memories", 0.5)
    file.unlink()
    with config.read_from(file), pytest.raises(ConfigError, match="cannot be read"):
        config.load()


def test_fingerprints_include_the_variables_for_libraries() -> None:
    """Another endpoint is another setting."""
    ours, theirs = (
        fingerprint(Settings.model_validate({"environment": {"OPENAI_BASE_URL": url}}), b"salt") for url in ("a", "b")
    )

    assert [name for name in ours if ours[name] != theirs[name]] == ["environment"]


def test_fingerprints_show_differing_settings_without_values() -> None:
    """The worker's idle timeout does not affect answers, so it is left out."""
    ours = fingerprint(Settings.model_validate({"database_url": URL, "idle_timeout_s": 1}), b"salt")
    theirs = fingerprint(Settings.model_validate({"database_url": f"{URL}2", "idle_timeout_s": 2}), b"salt")

    assert [name for name in ours if ours[name] != theirs[name]] == ["database_url"]
    assert "canary" not in str(ours)
    assert ours != fingerprint(Settings.model_validate({"database_url": URL}), b"another salt")


def test_a_renamed_setting_keeps_its_former_name() -> None:
    """A configuration that worked before an update works after it."""
    write_config("linger_s = 0.25\n")

    assert config.load().idle_timeout_s == 0.25


@pytest.mark.parametrize("name", ["similarity_floor", "min_similarity"])
def test_a_setting_that_is_gone_is_no_error(name: str) -> None:
    """An update must not stop the work of somebody who once set it."""
    write_config(f'{name} = 0.7\nsuggestions = "eager"\n')

    assert config.load().suggestions == "eager"


def test_the_current_name_of_a_setting_wins() -> None:
    """Both may be set for a while."""
    write_config("linger_s = 5\nidle_timeout_s = 7\n")

    assert config.load().idle_timeout_s == 7
