"""Find lessons in the calls of a session: a command that failed, and the one that helped.

A lesson is believed only in a strict case: the same job was done by another command, or by the same one after another
command, with no edit between. A failure that an edit mended is the ordinary loop of edit and test. Precision counts
more than the number of lessons, since a wrong one is repeated in every session to come.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from behavior_plugin.model import Turn
from behavior_plugin.patterns import programs
from behavior_plugin.patterns.attempts import Attempt, Command
from behavior_plugin.patterns.commands import BY_WEIGHT, STARTING_TOOLS, CommandKind, Part
from behavior_plugin.patterns.danger import danger_of_action
from behavior_plugin.patterns.failures import is_passing, names_no_such, names_wrong_word, words_of
from behavior_plugin.patterns.slots import FILES
from behavior_plugin.workflow import Lesson, Remedy

# Calls after the failed one in which the remedy is looked for, in the same turn or the next.
MAX_CALLS = 25
# A failure that names nothing wrong is a lesson once this many sessions had it.
MIN_SESSIONS = 2

# They bring in the work of others; a failure that they mend is no mistake.
_SYNCING = frozenset({"git pull", "git rebase", "git merge"})
# They only arrange what the next commit has.
_STAGING = frozenset({"git add", "git reset", "git restore", "git rm", "git stash"})
# They get round a rule instead of keeping to it.
_EVADING = re.compile(
    r"""
      \s--(?:no-verify|no-gpg-sign|force(?:-with-lease|-if-includes)?|admin|skip\S*|ignore\S*)(?:=\S*)?(?!\S)
    | \s--(?:break-system-packages|dangerously-\S*|insecure)(?!\S)
    | \bgit\ (?:.*\ )?commit\ (?:.*\ )?-(?!-)\w*n | \bgit\ (?:.*\ )?push\ (?:.*\ )?-(?!-)\w*f
    | \b(?:bun|npm|pnpm|yarn)\ (?:.*\ )?(?-i:-f)(?!\S) | (?:^|\s)sudo\s
    | (?:^|\s)(?:HUSKY|LEFTHOOK|\w*SKIP\w*|\w*NO_VERIFY|\w*DISABLE\w*)= | \bcore\.hookspath\b | \bgpgsign\b
    | \bgit\ config\ (?:-\S+\ )*\{files\} | \bchmod\ (?:-R\ )?0?777\b  # a name with a dot looks like a file
    """,
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True)
class FoundLesson:
    """A lesson, and the ids of the calls that taught it: the failed one, the repairing one, the one before that."""

    failed_id: str | None
    fix_id: str | None
    lesson: Lesson


def find_lessons(turns: Sequence[Turn]) -> list[FoundLesson]:
    """The lessons in the turns of one episode or session, which come in order: at most one for each failed call."""
    calls = [
        Attempt(action, number, turn.context.root or turn.context.directory)
        for number, turn in enumerate(turns)
        for action in turn.actions
    ]
    found = (_lesson(call, _following(calls, index)) for index, call in enumerate(calls) if call.is_failed)
    return [each for each in found if each]


def merge_lessons(found: Iterable[tuple[str, Lesson]]) -> tuple[Lesson, ...]:
    """The lessons worth keeping of those that were found, each with the id of its session; most failures first."""
    same: dict[tuple[str, str, Remedy], list[tuple[str, Lesson]]] = defaultdict(list)
    for session_id, lesson in found:
        same[lesson.failed, lesson.worked, lesson.remedy].append((session_id, lesson))
    merged = [_merged(each) for each in same.values()]
    kept = [lesson for lesson in merged if lesson.is_plain or lesson.sessions >= MIN_SESSIONS]
    return tuple(sorted(kept, key=lambda each: (-each.failures, -each.sessions, each.failed, each.worked, each.remedy)))


def _merged(same: Sequence[tuple[str, Lesson]]) -> Lesson:
    lessons = [lesson for _, lesson in same]
    # The words of a plain error say most; of several, always the same ones.
    errors = sorted((not lesson.is_plain, not lesson.error, len(lesson.error), lesson.error) for lesson in lessons)
    return lessons[0].model_copy(
        update={
            "error": errors[0][-1],
            "is_plain": any(lesson.is_plain for lesson in lessons),
            "failures": sum(lesson.failures for lesson in lessons),
            "sessions": len({session_id for session_id, _ in same}),
        }
    )


def _following(calls: Sequence[Attempt], index: int) -> list[Attempt]:
    """The calls after a failed one in which its remedy may be."""
    call = calls[index]
    near = takewhile(lambda later: later.turn <= call.turn + 1, calls[index + 1 : index + 1 + MAX_CALLS])
    return [later for later in near if later.action.actor == call.action.actor]


def _lesson(call: Attempt, following: Sequence[Attempt]) -> FoundLesson | None:
    if call.name:
        return _name_lesson(call, following)
    if call.server:
        return _tool_lesson(call, list(takewhile(lambda later: not later.is_edit, following)))
    if is_passing(call.action.error or "") or not call.commands:
        return None
    unedited = list(takewhile(lambda later: not later.is_edit, following))
    for index, fix in enumerate(unedited):
        if fix.is_success and any(one.does_same_as(other) for one in call.commands for other in fix.commands):
            return _instead(call, fix) or _first(call, fix, unedited[:index])
    return None


def _instead(call: Attempt, fix: Attempt) -> FoundLesson | None:
    """The lesson that another command does the job."""
    command = _failed_command(call, fix) if call.is_plain else None
    other = command and next((each for each in fix.commands if command.does_same_as(each)), None)
    if not command or not other or _EVADING.search(other.text):
        return None
    failed = with_wrong_word(command, other.part, call.error)
    return _found(call, fix, Lesson(failed=failed, worked=other.text, error=call.error, is_plain=True))


def _failed_command(call: Attempt, fix: Attempt) -> Command | None:
    """The command that the error is about: the one with the most words of it, else the only one."""
    named = words_of(call.error)
    shares = {part: len(named & words_of(part.text)) for part in call.parts}
    most = max(shares.values())
    commands = [each for each in call.commands if shares[each.part] == most]
    if not most and len(call.commands) > 1:
        return None
    # Of two, it is not the one that worked later.
    worked = {each.text for each in fix.commands}
    return min(commands, key=lambda each: each.text in worked, default=None)


def with_wrong_word(command: Command, other: Part, error: str) -> str:
    """The failed command; if a slot hides the word that the error names, such as an ignored file, only that word.

    The portable form has no `-C`, which stands for `cd`; it is shown if the error is about it.
    """
    label = command.part.label.split()
    if "-C" in command.part.words and "-C" not in other.words and re.search(r"(?<![\w-])-C\b", error):
        return command.text.replace(f"{label[0]} ", f"{label[0]} -C {FILES} ", 1)
    named = words_of(error)
    words = _without_folder(command.part.words)
    wrong = [word for word in words if word not in other.words and named & _heads(word)][:1]
    # Words in slots are values: an unknown option or command in the error is none of them.
    if not wrong or wrong[0].startswith("-") or wrong[0] in command.text or names_wrong_word(error):
        return command.text
    return " ".join(word for word in words if word in [*label, *wrong])


def _without_folder(words: Sequence[str]) -> list[str]:
    place = words.index("-C") if "-C" in words else len(words)
    return [*words[:place], *words[place + 2 :]]


def _heads(word: str) -> set[str]:
    """A word without dashes, and the folders that it lies in."""
    bare = word.lstrip("-").rstrip("/")
    return {bare, *(bare[: found.start()] for found in re.finditer("/", bare))}


def _first(call: Attempt, fix: Attempt, between: Sequence[Attempt]) -> FoundLesson | None:
    """The lesson that another command has to come first."""
    changing = _changing(call, fix, between)
    if len({other.text for other in changing}) != 1 or names_wrong_word(call.error) or fix.folder != call.folder:
        return None
    other = changing[0]
    command = None if _EVADING.search(other.text) else _common_command(call, fix, other)
    # Files that were copied or removed were those of one occasion; what was installed is there from now on.
    if not command or (other.part.label in programs.PLAIN and "{files}" in other.text):
        return None
    is_plain = other.is_fixing or (call.is_plain and other.part.job != "install")
    lesson = Lesson(failed=command.text, worked=other.text, remedy=Remedy.FIRST, error=call.error, is_plain=is_plain)
    return _found(call, fix, lesson)


def _changing(call: Attempt, fix: Attempt, between: Sequence[Attempt]) -> list[Command]:
    """The commands before the repair that may have helped: those that mend code, else all that change something."""
    known = {each.text for each in call.commands}
    repeated = [number for number, each in enumerate(fix.commands) if each.text in known]
    before = [other for each in between if each.is_success for other in each.commands]
    before += fix.commands[: max(repeated, default=0)]
    if any(other.part.label in _SYNCING for other in before):
        return []
    new = [each for each in before if each.text not in known and each.part.label not in _STAGING]
    return [each for each in new if each.is_fixing] or [each for each in new if not each.is_check]


def _common_command(call: Attempt, fix: Attempt, first: Command) -> Command | None:
    """The command that failed at first and worked after another: the weightiest of those that both lines have."""
    worked = {each.text for each in fix.commands}
    both = [each for each in call.commands if each.text in worked and each.part.label not in _STAGING]
    if first.is_fixing:
        both = [each for each in both if each.is_about_style or each.part.kind is CommandKind.DELIVER]
    return min(both, key=lambda each: BY_WEIGHT.index(each.part.kind), default=None)


def _name_lesson(call: Attempt, following: Sequence[Attempt]) -> FoundLesson | None:
    """The lesson that a skill or subagent has another name, or that a command does its job."""
    if not names_no_such(call.name, call.error):
        return None
    for fix in following:
        if fix.is_success and (worked := _other_name(call, fix)):
            return _found(call, fix, Lesson(failed=call.named_text, worked=worked, error=call.error, is_plain=True))
    return None


def _other_name(call: Attempt, fix: Attempt) -> str:
    """The name that a later call used for the same, or the command that does the job of that name."""
    is_alike = call.action.tool in STARTING_TOOLS or bool(words_of(call.name) & words_of(fix.name.replace(":", " ")))
    if fix.name and fix.action.tool == call.action.tool and is_alike:
        return fix.named_text
    return next((each.text for each in fix.commands if each.part.job == call.name), "")


def _tool_lesson(call: Attempt, following: Sequence[Attempt]) -> FoundLesson | None:
    """The lesson that a tool of an MCP server takes other parameters, or that another tool has to come first."""
    fix = next((later for later in following if later.action.tool == call.action.tool and later.is_success), None)
    if not fix or not call.error or is_passing(call.action.error or ""):
        return None
    if fix.tool_text != call.tool_text and names_wrong_word(call.error):
        lesson = Lesson(failed=call.tool_text, worked=fix.tool_text, error=call.error, is_plain=True)
        return _found(call, fix, lesson)
    between = [later for later in following[: following.index(fix)] if later.is_success]
    before = {later.tool_text for later in between if later.server == call.server}
    # A command may have helped as well, such as one that started a service.
    if fix.action.parameters != call.action.parameters or len(before) != 1 or any(each.commands for each in between):
        return None
    return _found(call, fix, Lesson(failed=call.tool_text, worked=before.pop(), remedy=Remedy.FIRST, error=call.error))


def _found(call: Attempt, fix: Attempt, lesson: Lesson) -> FoundLesson | None:
    """The lesson with its calls; none where one of its sides is not portable, or both are the same.

    A line with a dangerous command teaches nothing, whatever else is in it.
    """
    if not lesson.failed or not lesson.worked or lesson.failed == lesson.worked or danger_of_action(fix.action):
        return None
    return FoundLesson(call.action.id, fix.action.id, lesson)
