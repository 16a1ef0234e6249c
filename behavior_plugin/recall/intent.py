"""Classify a prompt by its intent: to make or change something, to ask about it, or to remove it.

"Add the export", "why is there an export?" and "delete the export" name the same thing, so neither vectors nor words
separate them.
"""

from __future__ import annotations

from enum import StrEnum

from behavior_plugin.patterns.words import MAY_UNDO, QUESTION, REPAIR, UNDOING, plain, without_fillers


class Intent(StrEnum):
    """The purpose of a prompt, by its first words.

    UNSURE begins with a word that may be part of a name, as in "delete button is broken". MAKE is the intent of all
    prompts that are none of the others.
    """

    MAKE = "make"
    KNOW = "know"
    UNDO = "undo"
    UNSURE = "unsure"


def intent_of(core: str) -> Intent:
    """The intent of a prompt, given its core."""
    opening = without_fillers(plain(core))
    if UNDOING.opens(opening):
        return Intent.UNDO
    if MAY_UNDO.opens(opening):
        return Intent.UNSURE
    return Intent.KNOW if QUESTION.opens(opening) and not REPAIR.within(opening) else Intent.MAKE


def is_other(asked: Intent, known: Intent, *, has_changed: bool) -> bool:
    """Whether past work had another intent than the prompt. `has_changed`: the work changed files.

    Work that changed nothing may be the answer to a question, and work that began with a question may be what a later
    prompt asks to have done.
    """
    if asked is Intent.KNOW:
        return known is not Intent.KNOW and has_changed
    return Intent.UNSURE not in (asked, known) and (asked is Intent.UNDO) != (known is Intent.UNDO)
