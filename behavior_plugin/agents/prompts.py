"""Tell apart what arrives as a prompt: a task, a follow-up of the last one, a command, or text no human wrote."""

from __future__ import annotations

import re
from enum import StrEnum
from itertools import islice

from behavior_plugin.agents.fields import LONGEST_TEXT, NOTIFICATION


class PromptKind(StrEnum):
    TASK = "task"
    FOLLOW_UP = "follow_up"
    # A slash command of the user's own, or of a plugin: it stands for a task.
    COMMAND = "command"
    # One of the client's that sets nothing to work.
    BUILT_IN = "built_in"
    # One of this plugin's.
    OWN_COMMAND = "own_command"
    MACHINE = "machine"


# The kinds that begin a piece of work.
TASKS = frozenset({PromptKind.TASK, PromptKind.COMMAND})
# The kinds that a person begins a turn with.
HUMAN = TASKS | {PromptKind.FOLLOW_UP}

# What the host itself puts where a prompt goes.
_MACHINE_STARTS = (
    NOTIFICATION,
    "<command-name>",
    "<command-message>",
    "<local-command-",
    "<bash-input>",
    "<bash-stdout>",
    "<bash-stderr>",
    "<system-reminder>",
    "<teammate-message",
    "<user-memory-input>",
    "[Request interrupted",
    "Caveat: The messages below",
    "This session is being continued from a previous conversation",
)

_SLASH = re.compile(r"/([\w][\w:.-]*)(?=\s|$)")
# Those of the client's commands that ask the model to work (/init, /review, ...) are not here.
_BUILT_INS = frozenset(
    """
    add-dir agents allowed-tools background bashes branch bug chrome clear color compact config context continue copy
    cost desktop diff doctor effort exit export extra-usage fast feedback fork help hooks ide install-github-app
    install-slack-app keybindings login logout mcp memory mobile model new output-style passes permissions plugin
    privacy-settings quit release-notes reload-plugins remote-control remote-env rename reset resume rewind sandbox
    settings skills stats status statusline stickers tasks teleport terminal-setup theme todos undo upgrade usage vim
    voice
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)
_COMMAND_NAME = re.compile(r"<command-name>\s{0,9}/?([^<\s]{1,200})\s{0,9}</command-name>")

# Words that say yes, no or go on: a prompt made of nothing else carries no task of its own.
_ACKNOWLEDGING = frozenset(
    """
    yes yep yeah yup y no nope n ok okay sure fine good great nice perfect thanks thank you please continue proceed go
    on ahead do it that this so the first second third one both all correct right exactly looks lgtm again try retry
    next now then and keep going stop wait option a b c d i agree sounds works well done is of course carry
    """.split()  # noqa: SIM905 - words are easier to read and add than a list of strings
)

# A follow-up has no more; a prompt may be as long as a book, and is not read to its end for this.
MOST_WORDS = 8
_WORD = re.compile(r"[^\W_]+")

_IMAGE = re.compile(r"\[Image(?: #\d{1,6}|:[^\]\n]{0,300})\]")


def kind_of(prompt: str) -> PromptKind:
    """What kind of prompt a text is; decided from the text alone, since the host sends no mark."""
    text = prompt.strip()
    if not text or text.startswith(_MACHINE_STARTS):
        return PromptKind.MACHINE
    if text.startswith("/behavior:"):
        return PromptKind.OWN_COMMAND
    if slash := _SLASH.match(text):
        return PromptKind.BUILT_IN if slash[1] in _BUILT_INS else PromptKind.COMMAND
    if _says_nothing_of_its_own(text):
        return PromptKind.FOLLOW_UP
    return PromptKind.TASK


def as_typed(prompt: str) -> str:
    """A prompt as the user typed it, bounded: in its transcript the client writes a slash command in tags.

    Of a notification the end is kept too: how long the work took stands there, behind a result of any length.
    """
    if prompt.startswith(("<command-name>", "<command-message>")):
        return _slash(prompt)[:LONGEST_TEXT]
    if prompt.startswith(NOTIFICATION) and len(prompt) > LONGEST_TEXT:
        return prompt[: LONGEST_TEXT - 500] + prompt[-500:]
    return prompt[:LONGEST_TEXT]


def essence(prompt: str) -> str:
    """What is the same of a prompt whoever reports it: without the white space, and the places of images."""
    return " ".join(_IMAGE.sub(" ", prompt[:LONGEST_TEXT]).split())[: LONGEST_TEXT // 2]


def _slash(prompt: str) -> str:
    name = _COMMAND_NAME.search(prompt[:LONGEST_TEXT])
    _, _, rest = prompt.partition("<command-args>")
    arguments, end, _ = rest.rpartition("</command-args>")
    return f"/{name[1]} {arguments if end else ''}".strip() if name else prompt


def _says_nothing_of_its_own(text: str) -> bool:
    words = [match[0].lower() for match in islice(_WORD.finditer(text), MOST_WORDS + 1)]
    return len(words) <= MOST_WORDS and all(word in _ACKNOWLEDGING or word.isdigit() for word in words)
