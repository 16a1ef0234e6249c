"""Tell prompts apart that name the same things and want the opposite: to know, to have, or to be rid of them."""

from __future__ import annotations

from enum import StrEnum

from behavior_plugin.patterns.words import QUESTION, UNDOING, plain, without_fillers


class Intent(StrEnum):
    """The purpose of a prompt, by its first words. MAKE is that of all others."""

    MAKE = "make"
    KNOW = "know"
    UNDO = "undo"


def intent_of(core: str) -> Intent:
    """The intent of a prompt, given its core."""
    opening = without_fillers(plain(core))
    if UNDOING.opens(opening):
        return Intent.UNDO
    return Intent.KNOW if QUESTION.opens(opening) else Intent.MAKE
