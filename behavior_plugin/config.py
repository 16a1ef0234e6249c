"""The settings: defaults < config.toml in the data folder < BEHAVIOR_* environment.

Nothing is read from the project a session runs in: a repository must not choose where its user's work goes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from uuid import UUID

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from behavior_plugin.capture import paths
from behavior_plugin.errors import ConfigError

Storage = Literal["behavior_patterns", "memories"]


class Settings(BaseSettings):
    """Everything that can be set. Each field `x` is also the environment variable `BEHAVIOR_X`."""

    model_config = SettingsConfigDict(env_prefix="BEHAVIOR_", frozen=True, extra="ignore")

    database_url: SecretStr | None = Field(
        default=None,
        description="A Postgres of your own, with pgvector; without it the embedded server is used.",
    )
    storage: Storage = Field(
        default="behavior_patterns",
        description="The table that patterns are kept in: their own, or a memories table with type = 'workflow'.",
    )
    user_id: UUID | None = Field(
        default=None,
        description="Who you are in a database that has users of its own (Supabase): your id in auth.users.",
    )
    embedder: Literal["offline", "openai", "none"] = Field(
        default="offline",
        description="offline: all-MiniLM-L6-v2 on this machine. openai: text-embedding-3-small, with OPENAI_API_KEY. "
        "none: full text search only.",
    )
    recall_scope: Literal["project", "all"] = Field(
        default="project", description="Whether workflows of other projects may be suggested."
    )
    similarity_floor: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="How near a prompt must be to be answered; each embedder has its own default.",
    )
    linger_s: float = Field(default=180, ge=0, description="Seconds the worker stays after the last live session.")
    settle_s: float = Field(
        default=1.0, ge=0, description="Seconds to wait for late events before an ended session is assembled."
    )

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
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"Not a valid setting: {problems}") from None
    except (ValueError, OSError) as error:
        raise ConfigError(f"{config_file()} cannot be read: {error}") from None
