"""Divide the turns of a session into episodes: pieces of work.

Most prompts go on with the work before them, so a prompt joins it unless something speaks for a new beginning. The
words of the prompt say most; how similar it is to the one before, and how much later it came, say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from behavior_plugin.model import MAIN, Outcome, PromptKind, Turn
from behavior_plugin.patterns.commands import EDITING_TOOLS, CommandKind, command_kind, command_of
from behavior_plugin.patterns.words import (
    ANSWER,
    DELIVERY,
    GOING_ON,
    MAX_DELIVERY_WORDS,
    NEW_WORK,
    ON_WORK,
    REFERENCE,
    REJECTION,
    TASK_VERBS,
    count_words,
    plain,
    without_fillers,
)

# A prompt of at most this many words continues the work before.
MAX_JOINED_WORDS = 3
# A prompt of at least this many words about other files begins other work.
MIN_APART_WORDS = 12
# After a delivery, a prompt of at least this many words begins other work.
MIN_AFTER_DELIVERY_WORDS = 6
# A reference to earlier work is among so many first words; a later "it" refers to the prompt itself.
MAX_REFERENCE_WORDS = 10
# The share of a turn's files that the work before touched too, from which it is the same work.
MIN_OVERLAP = 0.5


@dataclass(frozen=True)
class _Case:
    """A turn to judge, and the turns before it."""

    turn: Turn
    before: Sequence[Turn]

    @cached_property
    def text(self) -> str:
        """The prompt's first words, in plain form."""
        return plain(self.turn.prompt)

    @cached_property
    def first(self) -> str:
        """The words in which a reference to earlier work is looked for."""
        return " ".join(self.text.split()[:MAX_REFERENCE_WORDS])

    @cached_property
    def count(self) -> int:
        """The number of words in the whole prompt."""
        return count_words(self.turn.prompt)


def split(turns: Sequence[Turn]) -> list[tuple[Turn, ...]]:
    """The episodes of a session's turns, which come in order."""
    episodes: list[list[Turn]] = []
    for turn in turns:
        if not episodes or starts_episode(turn, episodes[-1]):
            episodes.append([])
        episodes[-1].append(turn)
    return [tuple(episode) for episode in episodes]


def starts_episode(turn: Turn, before: Sequence[Turn]) -> bool:
    """Whether a turn begins another piece of work than the turns before it, the oldest first."""
    if not before:
        return True
    case = _Case(turn, before)
    verdicts = (cue(case) for cue in _CUES)
    return next((verdict for verdict in verdicts if verdict is not None), False)


def _clear(case: _Case) -> bool | None:
    return True if case.turn.follows_clear else None


def _again(case: _Case) -> bool | None:
    """The same prompt once more, since the work on it was broken off."""
    return False if case.text == plain(case.before[-1].prompt) and _is_broken_off(case.before[-1]) else None


def _command(case: _Case) -> bool | None:
    if case.turn.prompt_kind is not PromptKind.COMMAND:
        return None
    name = case.turn.prompt.split(None, 1)[0].lower().replace(":", "-").strip("/")
    return ON_WORK.isdisjoint(name.split("-"))


def _reply(case: _Case) -> bool | None:
    return False if case.turn.prompt_kind is PromptKind.FOLLOW_UP else None


def _delivery(case: _Case) -> bool | None:
    return False if case.count <= MAX_DELIVERY_WORDS and DELIVERY.within(case.text) else None


def _new_work(case: _Case) -> bool | None:
    return True if NEW_WORK.within(case.text) else None


def _few_words(case: _Case) -> bool | None:
    return False if case.count <= MAX_JOINED_WORDS else None


def _broken_off(case: _Case) -> bool | None:
    return False if _is_broken_off(case.before[-1]) else None


def _same_files(case: _Case) -> bool | None:
    overlap = _overlap(case)
    return False if overlap is not None and overlap >= MIN_OVERLAP else None


def _task(case: _Case) -> bool | None:
    return True if TASK_VERBS.opens(without_fillers(case.text)) and not REFERENCE.within(case.first) else None


def _answer(case: _Case) -> bool | None:
    return False if ANSWER.opens(case.text) else None


def _other_files(case: _Case) -> bool | None:
    is_about_before = REFERENCE.within(case.first) or REJECTION.within(case.text)
    is_apart = _overlap(case) == 0 and case.count >= MIN_APART_WORDS
    return True if is_apart and not is_about_before else None


def _going_on(case: _Case) -> bool | None:
    """A question, a complaint or an addition, or a word that means something before."""
    return False if GOING_ON.opens(without_fillers(case.text)) or REFERENCE.within(case.first) else None


def _wrapped_up(case: _Case) -> bool | None:
    return True if case.count >= MIN_AFTER_DELIVERY_WORDS and _is_wrapped_up(case.before) else None


# The first cue that says something decides.
_CUES: tuple[Callable[[_Case], bool | None], ...] = (
    _clear,
    _again,
    _command,
    _reply,
    _delivery,
    _new_work,
    _few_words,
    _broken_off,
    _same_files,
    _task,
    _answer,
    _other_files,
    _going_on,
    _wrapped_up,
)


def _is_broken_off(turn: Turn) -> bool:
    """Whether the work was interrupted, or its last call was turned down."""
    own = [action for action in turn.actions if action.actor == MAIN]
    return not turn.is_ended or (bool(own) and own[-1].outcome is Outcome.PARTIAL and bool(own[-1].error))


def _overlap(case: _Case) -> float | None:
    """The share of the turn's files that were touched before; None where one of the two touched none."""
    known = {file for each in case.before for file in each.context.files_touched}
    files = set(case.turn.context.files_touched)
    return len(files & known) / len(files) if files and known else None


def _is_wrapped_up(before: Sequence[Turn]) -> bool:
    """Whether the work was delivered, with no edit after it."""
    for action in (action for turn in reversed(before) for action in reversed(turn.actions)):
        if action.tool in EDITING_TOOLS:
            return False
        if action.outcome is Outcome.SUCCESS and command_kind(command_of(action)) is CommandKind.DELIVER:
            return True
    return False
