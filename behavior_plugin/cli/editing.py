"""The steps of a pattern as a text that its user edits: one step a line, and comments."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import IO

import click

from behavior_plugin.errors import BehaviorError, RequestError
from behavior_plugin.patterns.remarks import line_of
from behavior_plugin.patterns.steps import MAX_STEPS
from behavior_plugin.recall import wording
from behavior_plugin.recall.offer import marked_steps
from behavior_plugin.recall.quoting import visible
from behavior_plugin.workflow import StoredPattern

MAX_TEXT_CHARS = 100_000
COMMENT = "#"
INTRODUCTION = f"""\
# The steps of this pattern, one a line, in their order. When you save them, they
# are suggested instead of those that were computed from your sessions.
#
# A step is a command or a sentence. {{files}}, {{message}}, {{branch}} and the like
# stand for values that differ each time. At most {MAX_STEPS} steps are suggested.
#
# Lines that begin with # do not count. To get the computed steps back, delete all
# steps and save. To change nothing, leave without saving.
"""


def current_lines(pattern: StoredPattern) -> tuple[str, ...]:
    """The steps as lines to edit, without characters that would move a cursor."""
    return tuple(" ".join(visible(line_of(step)).split()) for step in wording.workflow_of(pattern).steps)


def shown_lines(pattern: StoredPattern) -> list[str]:
    """The steps as they are shown everywhere; those that are never suggested are marked."""
    return [f"   {line}" for line in marked_steps(wording.workflow_of(pattern))]


def title(lines: Sequence[str]) -> str:
    """The effect of saving these lines; without lines, the computed steps are back."""
    if not lines:
        return "The computed steps are back:"
    if len(lines) <= MAX_STEPS:
        return "These steps are suggested from now on:"
    return (
        f"These {len(lines)} steps are saved. A suggestion has room for at most {MAX_STEPS}, deliveries and checks "
        "first; `&&` joins commands into one step:"
    )


def lines_in(text: str) -> tuple[str, ...]:
    """The steps in a text."""
    lines = [line.strip() for line in text.splitlines()]
    return tuple(line for line in lines if line and not line.startswith(COMMENT))


def edited_lines(pattern: StoredPattern) -> tuple[str, ...] | None:
    """The steps as the user leaves them in the editor; None if nothing was saved.

    Raises:
        RequestError: the pattern has no steps of its own.
        BehaviorError: the editor failed.
        click.UsageError: there is no editor.
    """
    if pattern.workflow is None:
        raise RequestError(
            f"Pattern {pattern.id} is not computed from sessions.", hint="Change it where it was written."
        )
    if not (os.environ.get("VISUAL") or os.environ.get("EDITOR") or sys.stdin.isatty()):
        raise click.UsageError("There is no terminal for an editor. Set EDITOR, or give --steps, --hide or --show.")
    job = f"{COMMENT} {' '.join(visible(pattern.workflow.job).split())}\n"
    try:
        text = click.edit(f"{job}{INTRODUCTION}\n" + "".join(f"{line}\n" for line in current_lines(pattern)))
    except click.ClickException as error:
        hint = "Set EDITOR to another editor, or give the steps with --steps FILE."
        raise BehaviorError(f"{error.message.rstrip('.')}. Nothing has changed.", hint=hint) from None
    return None if text is None else lines_in(text)


def lines_of_file(file: IO[str]) -> tuple[str, ...]:
    """The steps in a file, for scripts.

    Raises:
        BehaviorError: it is no text, or a very long one.
    """
    try:
        text = file.read(MAX_TEXT_CHARS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise BehaviorError(f"{file.name} cannot be read: {error}", hint="Give a text file in UTF-8.") from None
    if len(text) > MAX_TEXT_CHARS:
        raise BehaviorError(f"{file.name} is longer than {MAX_TEXT_CHARS:,} characters.", hint="Give one step a line.")
    return lines_in(text)
