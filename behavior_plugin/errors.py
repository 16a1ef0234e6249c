"""The errors that a user can meet, in the user's words.

BehaviorError
├── ConfigError
│   └── OtherSettingsError
├── SetupError
├── LinkError
├── PausesUnreadableError
├── RequestError
│   └── NotFoundError
├── WorkerError
│   └── WorkerUnavailableError
│       └── WorkerLeavingError
├── StoreError
│   ├── StoreUnavailableError
│   └── SchemaError
└── EmbedError
    └── EmbedderUnavailableError

The class docstring is the default message; `hint` is the next step for the person who reads it.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from pathlib import Path


class BehaviorError(Exception):
    """Something went wrong in the behavior plugin."""

    hint = "Run `behavior doctor`: it tries every part and names the one that fails."

    def __init__(self, message: str = "", *, hint: str = "") -> None:
        super().__init__(message or inspect.getdoc(type(self)))
        if hint:
            self.hint = hint


class ConfigError(BehaviorError):
    """A setting is not valid."""

    hint = "Correct it in config.toml, in the data folder."


class OtherSettingsError(ConfigError):
    """The worker has other settings."""

    hint = "The worker has the settings of config.toml. Write yours there, or leave out --config."

    def __init__(self, message: str = "", *, hint: str = "", names: Sequence[str] = ()) -> None:
        super().__init__(message or f"The worker has other settings ({', '.join(names)}).", hint=hint)
        self.names = tuple(names)


class SetupError(BehaviorError):
    """The plugin is not set up yet."""

    hint = "Run `make setup` in the plugin's folder."


class LinkError(BehaviorError):
    """A link in the data folder is not followed."""

    hint = "Delete the link. To have the data in another place, set BEHAVIOR_HOME to the folder itself."


class PausesUnreadableError(BehaviorError):
    """The record of the pauses cannot be read, so that any work may belong to a pause."""


class RequestError(BehaviorError):
    """The request is not valid."""

    hint = "behavior_plugin/api.py lists the operations, their fields and limits."


class NotFoundError(RequestError):
    """There is no such pattern."""

    hint = "`behavior list` shows the ids."


class WorkerError(BehaviorError):
    """The worker could not answer the request."""


class WorkerUnavailableError(WorkerError):
    """The worker does not answer."""

    hint = "Run `behavior worker start`, then `behavior doctor` if it still does not answer."


class WorkerLeavingError(WorkerUnavailableError):
    """The worker is shutting down; try again."""


class StoreError(BehaviorError):
    """The pattern store refused the request."""


class StoreUnavailableError(StoreError):
    """The pattern store cannot be reached; events stay in the spool until it is back."""


class SchemaError(StoreError):
    """The database does not have the shape this version needs."""


class EmbedError(BehaviorError):
    """The text could not be embedded."""


class EmbedderUnavailableError(EmbedError):
    """The service that embeds cannot be used now, whatever the text."""


def describe_for_log(error: Exception) -> str:
    """Describe an error for the log without leaking data: ours by message, all others by type and location."""
    if isinstance(error, BehaviorError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " > ".join([*(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames), type(error).__name__])
