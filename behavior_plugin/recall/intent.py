"""Tell prompts apart that name the same things and want something else: to know, to have, or to be rid of them."""

from __future__ import annotations

from enum import StrEnum

from behavior_plugin.patterns.words import MAY_UNDO, QUESTION, REPAIR, UNDOING, plain, without_fillers


class Intent(StrEnum):
    """The purpose of a prompt, by its first words. UNSURE is that of "delete button is broken", MAKE of all others."""

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
    """Whether past work was for another intent than the one asked for; `has_changed`: it changed files.

    Work that only looked may be the answer to a question, and whatever the question was, its work may be asked for.
    """
    if asked is Intent.KNOW:
        return known is not Intent.KNOW and has_changed
    return Intent.UNSURE not in (asked, known) and (asked is Intent.UNDO) != (known is Intent.UNDO)
