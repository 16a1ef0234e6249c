"""Judge a prompt: a task, a follow-up of the last one, a command, or text that no person wrote."""

from __future__ import annotations

import re
from typing import TypedDict

from behavior_plugin.agents.fields import MAX_TEXT_CHARS
from behavior_plugin.agents.replies import is_bare_reply
from behavior_plugin.capture import private
from behavior_plugin.model import PromptKind

NOTIFICATION = "<task-notification>"

# Text that agents write in a prompt's place.
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
# Commands that give the model work (/init, /review, ...) are not among them.
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

_IMAGE = re.compile(r"\[Image(?: #\d{1,6}|:[^\]\n]{0,300})\]")


class PromptFields(TypedDict):
    """The fields of an event that a prompt fills."""

    prompt: str
    prompt_kind: PromptKind
    prompt_key: str


def read_prompt(text: str) -> PromptFields:
    """Read a prompt as a hook or a log has it: the text as typed, bounded; its kind; and its key.

    The key is the text without the differences between sources: white space, and the places of images. Text that is
    marked as private is left out: every source of prompts comes through here.
    """
    whole = _as_typed(text)
    if private.is_private(whole):
        return {"prompt": "", "prompt_kind": PromptKind.PRIVATE, "prompt_key": private.MARK}
    typed = private.without_private(whole)[:MAX_TEXT_CHARS]
    return {"prompt": typed, "prompt_kind": _kind_of(typed), "prompt_key": _normalized(typed)}


def _kind_of(prompt: str) -> PromptKind:
    """The kind of a prompt, from its text alone, since no agent marks its prompts."""
    text = prompt.strip()
    if not text or text.startswith(_MACHINE_STARTS):
        return PromptKind.MACHINE
    if text.startswith("/behavior:"):
        return PromptKind.OWN_COMMAND
    if slash := _SLASH.match(text):
        return PromptKind.BUILT_IN if slash[1] in _BUILT_INS else PromptKind.COMMAND
    if is_bare_reply(text):
        return PromptKind.FOLLOW_UP
    return PromptKind.TASK


def _as_typed(prompt: str) -> str:
    """A prompt as typed. Claude Code's transcripts have a slash command in tags."""
    if prompt.startswith(("<command-name>", "<command-message>")):
        return _slash(prompt)
    return prompt


def _normalized(prompt: str) -> str:
    return " ".join(_IMAGE.sub(" ", prompt[:MAX_TEXT_CHARS]).split())[: MAX_TEXT_CHARS // 2]


def _slash(prompt: str) -> str:
    name = _COMMAND_NAME.search(prompt[:MAX_TEXT_CHARS])
    _, _, rest = prompt.partition("<command-args>")
    arguments, end, _ = rest.rpartition("</command-args>")
    return f"/{name[1]} {arguments if end else ''}".strip() if name else prompt
