"""Remove secrets from text before it is embedded or stored.

A secret is recognised by its shape (`tokens`), by its name (`names`, `logins`), by the command that takes it
(`commands`), or because it is as good as random and stands near a word for credentials (`nearby`); in escaped and
encoded text too (`encoded`). What values look like is in `values`.
"""

from behavior_plugin.redact.json_values import LEFT_OUT, PARAMETERS, STRING_LIMIT, Limits, redact_value
from behavior_plugin.redact.models import (
    ACTIONS_LIMIT,
    ENTRIES_LIMIT,
    ERROR_LIMIT,
    FILES_LIMIT,
    PATH_LIMIT,
    PROJECT_LIMIT,
    TRIGGER_LIMIT,
    redact_model,
    redact_turn,
)
from behavior_plugin.redact.text import MASK, RULES, redact

__all__ = [
    "ACTIONS_LIMIT",
    "ENTRIES_LIMIT",
    "ERROR_LIMIT",
    "FILES_LIMIT",
    "LEFT_OUT",
    "MASK",
    "PARAMETERS",
    "PATH_LIMIT",
    "PROJECT_LIMIT",
    "RULES",
    "STRING_LIMIT",
    "TRIGGER_LIMIT",
    "Limits",
    "redact",
    "redact_model",
    "redact_turn",
    "redact_value",
]
