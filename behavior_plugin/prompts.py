"""Tell apart what arrives as a prompt: a task, a follow-up of the last one, a command, or text no human wrote."""

from __future__ import annotations

import re
from enum import StrEnum


class PromptKind(StrEnum):
    TASK = "task"
    FOLLOW_UP = "follow_up"
    OWN_COMMAND = "own_command"
    MACHINE = "machine"


# What the host itself puts where a prompt goes.
_MACHINE_STARTS = (
    "<task-notification>",
    "<command-name>",
    "<command-message>",
    "<local-command-",
    "<bash-input>",
    "<bash-stdout>",
    "<system-reminder>",
    "[Request interrupted",
    "Caveat: The messages below",
    "This session is being continued from a previous conversation",
)

# Words that say yes, no or go on: a prompt made of nothing else carries no task of its own.
_ACKNOWLEDGING = frozenset(
    """
    yes yep yeah yup y no nope n ok okay sure fine good great nice perfect thanks thank you please continue proceed go
    on ahead do it that this so the first second third one both all correct right exactly looks lgtm again try retry
    next now then and keep going stop wait option a b c d i agree sounds works well done is of course
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)


def kind_of(prompt: str) -> PromptKind:
    """What kind of prompt a text is; decided from the text alone, since the host sends no mark."""
    text = prompt.strip()
    if not text or text.startswith(_MACHINE_STARTS):
        return PromptKind.MACHINE
    if text.startswith("/behavior:"):
        return PromptKind.OWN_COMMAND
    if _says_nothing_of_its_own(text):
        return PromptKind.FOLLOW_UP
    return PromptKind.TASK


def _says_nothing_of_its_own(text: str) -> bool:
    words = re.findall(r"[^\W_]+", text.lower())
    return len(words) <= 8 and all(word in _ACKNOWLEDGING or word.isdigit() for word in words)
