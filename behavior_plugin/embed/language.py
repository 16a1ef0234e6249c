"""Decide whether a model can read the prompts of a project."""

from __future__ import annotations

from collections.abc import Sequence

# The newest prompts show the language of a project, unless they are fewer than the least sample. With the greater share
# of unreadable ones it cannot be read; then it can again only below the lesser share, so that a mixed project does not
# change with each prompt.
MAX_SAMPLE, MIN_SAMPLE = 50, 5
MAX_UNREADABLE, MAX_UNREADABLE_AGAIN = 0.3, 0.15


def is_project_readable(prompts: Sequence[bool], *, before: bool | None = None) -> bool | None:
    """Whether a model can read a project; None if it has too few prompts to say so.

    `prompts` says of each prompt, the newest last, whether the model can read it. `before` is the answer given last.
    """
    newest = prompts[-MAX_SAMPLE:]
    if len(newest) < MIN_SAMPLE:
        return None
    return newest.count(False) < (MAX_UNREADABLE_AGAIN if before is False else MAX_UNREADABLE) * len(newest)
