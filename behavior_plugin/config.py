"""The settings: defaults < config.toml in the data folder, and nothing else.

An agent applies the `env` of a project's settings to the hooks and commands of its session, so neither the project nor
the environment is read: a repository must not choose where its user's work goes.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
)

from behavior_plugin.capture import paths, variables
from behavior_plugin.errors import ConfigError, LinkError

# Left out of the fingerprint: timing does not affect answers, and the worker reads exclusions anew when they change.
_NOT_COMPARED = ("idle_timeout_s", "settle_s", "exclude_projects", "exclude_paths")
# Former names of settings, which config.toml may still use.
_FORMER = {"idle_timeout_s": "linger_s"}
# Settings that mean nothing any more. In config.toml they are no error: an update must not stop work.
_GONE = ("min_similarity", "similarity_floor")
# The variables that libraries read by themselves: openai, libpq, and the HTTP client.
_OF_LIBRARIES = ("OPENAI_", "PG", "SSL_CERT_")
_OF_PROXIES = ("_PROXY", "_proxy")

# What pydantic calls a tuple.
_NO_LIST = 'Input should be a list, such as ["…"]'

# No part of the URL is shown: any part may hold some of a password that is not escaped.
YOUR_POSTGRES = "your own Postgres (database_url in config.toml)"
EMBEDDED = "embedded server"

_chosen_file: ContextVar[Path | None] = ContextVar("chosen_file", default=None)

Storage = Literal["behavior_patterns", "memories"]
# A glob that could be empty would match everything.
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


def _is_of_library(name: str) -> bool:
    return name.startswith(_OF_LIBRARIES) or name.endswith(_OF_PROXIES)


def _allowed(variables: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
    if others := [name for name in variables if not _is_of_library(name)]:
        raise ValueError(f"only OPENAI_*, PG*, *_PROXY and SSL_CERT_* can be set, not {', '.join(others)}")
    if any("\0" in f"{name}{value.get_secret_value()}" or "=" in name for name, value in variables.items()):
        raise ValueError("a name or value has a character that no variable can have")
    return variables


class Settings(BaseModel):
    """All settings, by their names in config.toml."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    database_url: SecretStr | None = Field(
        default=None,
        description="A Postgres of your own, with pgvector; without it the embedded server is used.",
    )
    storage: Storage = Field(
        default="behavior_patterns",
        description="The table of the patterns: behavior_patterns, their own, or memories, with type = 'workflow'.",
    )
    user_id: UUID | None = Field(
        default=None,
        description="Your id in auth.users, for a database that has users of its own (Supabase).",
    )
    embedder: Literal["offline", "multilingual", "openai", "none"] = Field(
        default="offline",
        description="The model that compares prompts. offline: all-MiniLM-L6-v2 on this machine, and for projects in "
        "other languages than English multilingual-e5-small, if it is installed. multilingual: that one throughout. "
        "openai: text-embedding-3-small, with OPENAI_API_KEY in the table `environment`. none: prompts are compared by "
        "their letters.",
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
    exclude_projects: tuple[Name, ...] = Field(
        default=(),
        description="Projects that nothing is recorded of or suggested in: globs of their names, or of their folders "
        "(beginning with / or ~).",
    )
    exclude_paths: tuple[Name, ...] = Field(
        default=(),
        description="Files whose calls are not kept: globs as in a .gitignore; one that begins with / or ~ is an "
        "absolute path.",
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
        validation_alias=AliasChoices("idle_timeout_s", "linger_s"),
        description="Seconds the worker stays after the last live session.",
    )
    settle_s: float = Field(
        default=1.0, ge=0, description="Seconds to wait for late events before an ended session is assembled."
    )

    environment: Annotated[Mapping[str, SecretStr], AfterValidator(_allowed)] = Field(
        default_factory=dict,
        description="A table of variables for OpenAI, Postgres and proxies: OPENAI_*, PG*, *_PROXY and SSL_CERT_*. "
        "Those of the environment are not used.",
    )

    @property
    def where(self) -> str:
        """The database, in words that may be shown."""
        return YOUR_POSTGRES if self.database_url else EMBEDDED

    @property
    def has_secrets(self) -> bool:
        return bool(self.database_url or self.environment)


def config_file() -> Path:
    """The file that the settings are read from."""
    return _chosen_file.get() or Path(paths.in_data("config.toml"))


@contextmanager
def read_from(file: Path) -> Iterator[None]:
    """Read the settings from another file instead of config.toml."""
    before = _chosen_file.set(file)
    try:
        yield
    finally:
        _chosen_file.reset(before)


def load() -> Settings:
    """Read the settings.

    Raises:
        ConfigError: a value is not valid, or config.toml is not TOML; the message names the field, never its value.
        LinkError: config.toml is a link.
    """
    try:
        table = _table()
        _refuse_unknown(table)
        return Settings.model_validate(table)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {_NO_LIST if e['type'] == 'tuple_type' else e['msg']}"
            for e in error.errors()
        )
        raise ConfigError(f"Not a valid setting: {problems}.") from None
    except (ValueError, OSError) as error:
        raise ConfigError(f"{config_file()} cannot be read: {error}.") from None


def apply_environment(settings: Settings) -> None:
    """Give this process the variables of config.toml for its libraries, instead of those that its caller has."""
    for name in library_variables():
        del os.environ[name]
    os.environ.update({name: value.get_secret_value() for name, value in settings.environment.items()})


def library_variables() -> dict[str, str]:
    """The variables of this process that libraries read by themselves."""
    return {name: value for name, value in os.environ.items() if _is_of_library(name)}


def readable_by_others() -> bool:
    """Whether other users can read the file of the settings."""
    try:
        return bool(config_file().stat().st_mode & 0o077)
    except OSError:
        return False


def unused_variables() -> str:
    """A sentence about BEHAVIOR_* variables that name a setting; empty if there are none."""
    names = variables.of_settings()
    return variables.not_used(names, paths.in_data("config.toml")) if names else ""


def are_hooks_off() -> bool:
    """Whether this environment switches the hooks off; an agent may run in another one."""
    return bool(os.environ.get("BEHAVIOR_DISABLE"))


def fingerprint(settings: Settings, salt: bytes) -> dict[str, str]:
    """Hashes that show whether two processes have the same settings, field by field, and never the values."""
    return {name: hmac.new(salt, value.encode(), hashlib.sha256).hexdigest() for name, value in _values(settings)}


def _values(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in sorted(set(Settings.model_fields).difference(_NOT_COMPARED)):
        yield name, _plain(getattr(settings, name))


def _plain(value: Any) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, Mapping):
        return repr(sorted((name, _plain(each)) for name, each in value.items()))
    return str(value)


def _table() -> dict[str, Any]:
    file = config_file()
    if file.is_symlink() and not _chosen_file.get():
        raise LinkError(f"{file} is a link, and links in the data folder are not followed.")
    try:
        with open(file, encoding="utf-8", opener=None if _chosen_file.get() else paths.open_carefully) as source:
            return tomllib.loads(source.read())
    except FileNotFoundError:
        if _chosen_file.get():
            raise
        return {}


def _refuse_unknown(names: Iterable[str]) -> None:
    if unknown := [name for name in names if name not in (*Settings.model_fields, *_FORMER.values(), *_GONE)]:
        guesses = ", ".join(_with_guess(name, list(Settings.model_fields)) for name in unknown)
        raise ConfigError(f"Unknown setting in {config_file()}: {guesses}.")


def _with_guess(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"{name} (did you mean {near[0]}?)" if near else name
