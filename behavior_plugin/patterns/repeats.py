"""Find the lesson for a call that has just failed the way one failed before.

The command has to be the same in its portable form, and the error has to be of the same kind. In doubt there is none: a
wrong line in the middle of the work costs more than a missing one.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from behavior_plugin.model import USER, Action, Outcome
from behavior_plugin.patterns.attempts import Attempt, Command
from behavior_plugin.patterns.commands import SHELL_TOOLS, CommandKind, split_command
from behavior_plugin.patterns.failures import error_kind, is_passing, is_plain_error, was_stopped
from behavior_plugin.patterns.lessons import with_wrong_word
from behavior_plugin.workflow import Lesson, Remedy

# The number of commands of lessons that are kept parsed.
MAX_PARSED = 500


def may_repeat(action: Action) -> bool:
    """Whether a lesson may fit: a call of the shell or of an MCP tool that failed by itself, and not in passing."""
    error = action.error or ""
    is_taught = action.tool in SHELL_TOOLS or bool(Attempt(action, 0, "").server)
    has_failed = action.outcome is Outcome.FAILED and action.actor != USER
    return is_taught and has_failed and not is_passing(error) and not was_stopped(error)


def lesson_for(action: Action, root: str, lessons: Iterable[Lesson]) -> Lesson | None:
    """The lesson that was learned most often from failures like this one; `root` is the project's folder."""
    call = Attempt(action, 0, root)
    if not may_repeat(action) or not call.error:
        return None
    known = [lesson for lesson in lessons if _is_repeated(call, lesson)]
    return min(known, key=lambda lesson: (-lesson.failures, -lesson.sessions, lesson.worked), default=None)


def _is_repeated(call: Attempt, lesson: Lesson) -> bool:
    is_alike = error_kind(call.error) == error_kind(lesson.error)
    if call.server:
        return is_alike and call.tool_text == lesson.failed
    worked = _command(lesson.worked)
    # Another command helps only where the first was wrong as typed, which one that ran tests was not.
    if not worked or not lesson.failed or (lesson.remedy is Remedy.INSTEAD and not call.is_plain):
        return False
    same = [each for each in call.commands if _failed_text(each, worked, call.error, lesson) == lesson.failed]
    others = {each.text for each in call.commands if each not in same}
    # What helped before may be in the line already: then it did not help.
    return lesson.worked not in others and any(is_alike or _are_findings(call, each, worked, lesson) for each in same)


def _failed_text(command: Command, worked: Command, error: str, lesson: Lesson) -> str:
    """The command as a lesson with this remedy shows it."""
    return with_wrong_word(command, worked.part, error) if lesson.remedy is Remedy.INSTEAD else command.text


def _are_findings(call: Attempt, command: Command, worked: Command, lesson: Lesson) -> bool:
    """Whether both errors are findings of a linter, and its fixer helped: these are of one kind, whatever they say."""
    return command.is_about_style and worked.is_fixing and not (call.is_plain or is_plain_error(lesson.error))


@lru_cache(maxsize=MAX_PARSED)
def _command(text: str) -> Command | None:
    """The command of a lesson, which is portable already."""
    part = next((part for part in split_command(text) if part.kind is not CommandKind.LOOK), None)
    return Command(part, text) if part else None
