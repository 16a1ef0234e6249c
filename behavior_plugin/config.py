"""The settings: defaults < config.toml in the data folder < BEHAVIOR_* environment.

Nothing is read from the project of a session: a repository must not choose where its user's work goes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import tomllib
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from behavior_plugin.capture import paths
from behavior_plugin.errors import ConfigError

PREFIX = "BEHAVIOR_"
# Only in the environment: the data folder, and the switch for the hooks.
_NOT_SETTINGS = ("BEHAVIOR_HOME", "BEHAVIOR_DISABLE")
# Timing does not affect answers, so it is left out of the fingerprint.
_TIMES = ("idle_timeout_s", "settle_s")
# Former names of settings, which config.toml and the environment may still use.
_FORMER = {"idle_timeout_s": "linger_s"}
# Settings that mean nothing any more. In config.toml they are no error: an update must not stop work.
_GONE = ("min_similarity", "similarity_floor")

# No part of the URL is shown: any part may hold some of a password that is not escaped.
YOUR_POSTGRES = "your own Postgres (BEHAVIOR_DATABASE_URL)"
EMBEDDED = "embedded server"

Storage = Literal["behavior_patterns", "memories"]


def _names(name: str) -> AliasChoices:
    """The names of a setting that was renamed, in config.toml and in the environment."""
    return AliasChoices(*(each for part in (name, _FORMER[name]) for each in (part, f"{PREFIX}{part.upper()}")))


class Settings(BaseSettings):
    """All settings. Each field `x` is also the environment variable `BEHAVIOR_X`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: SecretStr | None = Field(
        default=None,
        description="A Postgres of your own, with pgvector; without it the embedded server is used.",
    )
    storage: Storage = Field(
        default="behavior_patterns",
        description="The table of the patterns: their own, or a memories table with type = 'workflow'.",
    )
    user_id: UUID | None = Field(
        default=None,
        description="Your id in auth.users, for a database that has users of its own (Supabase).",
    )
    embedder: Literal["offline", "multilingual", "openai", "none"] = Field(
        default="offline",
        description="The model that compares prompts. offline: all-MiniLM-L6-v2 on this machine, and for projects in "
        "other languages than English multilingual-e5-small, if it is installed. multilingual: that one throughout. "
        "openai: text-embedding-3-small, with OPENAI_API_KEY. none: prompts are compared by their letters.",
    )
    recall_scope: Literal["project", "all"] = Field(
        default="project",
        description="The projects whose workflows may be suggested: project (only the current one) or all.",
    )
    suggestions: Literal["quiet", "normal", "eager"] = Field(
        default="normal",
        description="How sure a suggestion has to be: quiet (more likely right than not), normal, or eager "
        "(more suggestions, and more wrong ones).",
    )
    holdout: float = Field(
        default=0,
        ge=0,
        le=0.5,
        description="The share of suggestions, 0 to 0.5, that are withheld at random, so that `behavior stats` can "
        "compare the work with and without them.",
    )
    show_notes: bool = Field(
        default=True,
        description="Whether a line in the session shows the user that the assistant got a note.",
    )
    keep_days: int = Field(
        default=0,
        ge=0,
        le=36_500,
        description="Days after which work is forgotten, with what was learned from it alone; 0: never.",
    )
    keep_megabytes: int = Field(
        default=0,
        ge=0,
        description="Megabytes of recorded work beyond which the oldest is forgotten; 0: no limit.",
    )
    idle_timeout_s: float = Field(
        default=180,
        ge=0,
        validation_alias=_names("idle_timeout_s"),
        description="Seconds the worker stays after the last live session.",
    )
    settle_s: float = Field(
        default=1.0, ge=0, description="Seconds to wait for late events before an ended session is assembled."
    )

    @property
    def where(self) -> str:
        """The database, in words that may be shown."""
        return YOUR_POSTGRES if self.database_url else EMBEDDED

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - left out, see the module's docstring
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())


def config_file() -> Path:
    return Path(paths.in_data("config.toml"))


def load() -> Settings:
    """Read the settings.

    Raises:
        ConfigError: a value is not valid, or config.toml is not TOML; the message names the field, never its value.
    """
    try:
        _refuse_unknown(_names_in_file())
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"Not a valid setting: {problems}") from None
    except (ValueError, OSError) as error:
        raise ConfigError(f"{config_file()} cannot be read: {error}") from None


def are_hooks_off() -> bool:
    """Whether this environment switches the hooks off; an agent may run in another one."""
    return bool(os.environ.get("BEHAVIOR_DISABLE"))


def unknown_variables() -> list[str]:
    """BEHAVIOR_* variables that are not settings, each with the setting that may be meant.

    They are not an error: a test, or a later version, may have variables of its own.
    """
    names = [name for name in os.environ if name.startswith(PREFIX) and name not in _NOT_SETTINGS]
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    former = [PREFIX + field.upper() for field in _FORMER.values()]
    return [_with_guess(name, known) for name in sorted(names) if name.upper() not in (*known, *former)]


def fingerprint(settings: Settings, salt: bytes) -> dict[str, str]:
    """Hashes that show whether two processes have the same settings, field by field, and never the values."""
    return {name: hmac.new(salt, value.encode(), hashlib.sha256).hexdigest() for name, value in _values(settings)}


def _values(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in sorted(set(Settings.model_fields).difference(_TIMES)):
        value = getattr(settings, name)
        yield name, str(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _names_in_file() -> list[str]:
    try:
        return list(tomllib.loads(config_file().read_text(encoding="utf-8")))
    except FileNotFoundError:
        return []


def _refuse_unknown(names: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in (*Settings.model_fields, *_FORMER.values(), *_GONE)]:
        guesses = ", ".join(_with_guess(name, list(Settings.model_fields)) for name in unknown)
        raise ConfigError(f"Unknown setting in {config_file()}: {guesses}.")


def _with_guess(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"{name} (did you mean {near[0]}?)" if near else name
