"""Decide whether a model can read the prompts of a project."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# The newest prompts show the language of a project: with a greater share of unreadable ones, it is another. It is the
# former language again only below the lesser share, so that a mixed project does not change with each prompt. Fewer
# prompts show nothing.
MAX_SAMPLE, MIN_SAMPLE = 50, 5
MAX_UNREADABLE, MAX_UNREADABLE_AGAIN = 0.3, 0.15


def are_readable(cores: Sequence[str], can_read: Callable[[str], bool], *, before: bool | None = None) -> bool | None:
    """Whether a model can read a project, by the cores of its newest prompts; None if there are too few.

    `before` is the answer that was given last.
    """
    newest = cores[-MAX_SAMPLE:]
    return None if len(newest) < MIN_SAMPLE else is_readable_share([can_read(core) for core in newest], before=before)


def is_readable_share(newest: Sequence[bool], *, before: bool | None = None) -> bool | None:
    """The same, if it is known which of the prompts can be read."""
    if len(newest) < MIN_SAMPLE:
        return None
    return newest.count(False) < (MAX_UNREADABLE_AGAIN if before is False else MAX_UNREADABLE) * len(newest)
