"""Judge how a piece of work ended: by the user's next words, else by what was done.

The next words are most of what can be known: a failed attempt looks like a success until somebody says "no". Without
them the last delivery, the last check and the last call decide, also by what they printed, since a pipe hides the
exit code of a third of the failing checks.
"""

from __future__ import annotations

from collections.abc import Sequence

from behavior_plugin.model import MAIN, USER, Action, Outcome, PromptKind, Turn
from behavior_plugin.patterns.commands import EDITING_TOOLS, CommandKind, command_kind, command_of, split_command
from behavior_plugin.patterns.words import (
    DELIVERY,
    DOUBT,
    HESITATION,
    MAX_DELIVERY_WORDS,
    NEW_WORK,
    PRAISE,
    REFUSAL,
    REJECTION,
    count_words,
    plain,
    without_fillers,
)
from behavior_plugin.workflow import Judgement

# The judgement where nothing is known but that the work ended.
UNREFUTED = Judgement(outcome=Outcome.SUCCESS, because="nothing speaks against it")
# From so many failed calls, work that ends in one has failed, and is not only unfinished.
MIN_FAILURES = 3
# The words that are quoted of a prompt.
QUOTED_WORDS, MAX_QUOTED_CHARS = 8, 100


def judge_episode(turns: Sequence[Turn]) -> Judgement:
    """How an episode ended: by the words of its turns after the last work, else by that work."""
    acting = max((index for index, turn in enumerate(turns) if _work(turn)), default=len(turns) - 1)
    later = [_by_words(turn) for turn in turns[acting + 1 :]]
    if said := next((judgement for judgement in later if judgement), None):
        return said
    judgement = _by_work(turns[acting])
    if judgement == UNREFUTED and any(_is_rejection(turn) for turn in turns[1 : acting + 1]):
        return Judgement(
            outcome=Outcome.PARTIAL, because="it was turned down before, and nothing says that it is right now"
        )
    return judgement


def _is_rejection(turn: Turn) -> bool:
    said = _by_words(turn)
    return said is not None and said.outcome is Outcome.FAILED


def judge_turn(turn: Turn, following: Turn | None) -> Judgement:
    """How the work of one turn ended. `following` is the next prompt of the session, which may say so."""
    return (_by_words(following) if following else None) or _by_work(turn)


def _by_words(following: Turn) -> Judgement | None:
    """The judgement in the next prompt, if it has one."""
    text = plain(following.prompt)
    if following.follows_clear or following.prompt_kind is PromptKind.COMMAND or NEW_WORK.within(text):
        return None
    because = f"the next prompt says: {_quoted(following.prompt)}"
    reaction = without_fillers(text)
    is_short = count_words(following.prompt) <= MAX_DELIVERY_WORDS
    if REJECTION.within(text) or REFUSAL.match(reaction):
        return Judgement(outcome=Outcome.FAILED, because=because)
    if is_short and DELIVERY.opens(reaction):
        return Judgement(outcome=Outcome.SUCCESS, because=because)
    if DOUBT.within(text) or HESITATION.match(text):
        return Judgement(outcome=Outcome.PARTIAL, because=because)
    if PRAISE.opens(reaction) or (is_short and DELIVERY.within(text)):
        return Judgement(outcome=Outcome.SUCCESS, because=because)
    return None


def _by_work(turn: Turn) -> Judgement:
    work = _work(turn)
    last = work[-1] if work else None
    if last and last.outcome is Outcome.PARTIAL and not last.error:
        return Judgement(outcome=Outcome.PARTIAL, because="a call never ended")
    if delivered := _delivered(work):
        return Judgement(outcome=Outcome.SUCCESS, because=f"`{delivered}` worked, with no edit after it")
    failures = sum(action.outcome is Outcome.FAILED for action in work)
    if last and last.outcome is Outcome.FAILED and failures >= MIN_FAILURES:
        return Judgement(outcome=Outcome.FAILED, because=f"the last call failed, after {failures - 1} others")
    if last and last.outcome is Outcome.PARTIAL:
        return Judgement(outcome=Outcome.PARTIAL, because="the last call was turned down")
    if not turn.is_ended:
        return Judgement(outcome=Outcome.PARTIAL, because="broken off")
    if failed := _failed_last(work):
        return Judgement(outcome=Outcome.PARTIAL, because=f"`{failed}` failed last")
    return UNREFUTED


def has_failed(action: Action) -> bool:
    """Whether a command failed, by its exit code or by what it printed."""
    verdict = action.verdict
    if action.outcome is Outcome.FAILED or not verdict:
        return action.outcome is Outcome.FAILED
    if verdict.passed or verdict.failed:  # then an error in the text is a test's own
        return bool(verdict.failed)
    return verdict.ran_nothing or bool(verdict.error)


def _work(turn: Turn) -> list[Action]:
    """The main agent's calls, or a subagent's where it made none; the user's own shell is no work of theirs."""
    return [action for action in turn.actions if action.actor == MAIN] or [
        action for action in turn.actions if action.actor != USER
    ]


def _delivered(work: Sequence[Action]) -> str:
    """The last delivery, if it worked and no edit came after it."""
    for action in reversed(work):
        if action.tool in EDITING_TOOLS:
            return ""
        if command_kind(command_of(action)) is CommandKind.DELIVER:
            is_good = action.outcome is Outcome.SUCCESS and not has_failed(action)
            return _label(action, CommandKind.DELIVER) if is_good else ""
    return ""


def _failed_last(work: Sequence[Action]) -> str:
    """The last delivery or the last check, if it failed. A check that passes later delivers nothing."""
    for kind in (CommandKind.DELIVER, CommandKind.CHECK):
        last = next((action for action in reversed(work) if command_kind(command_of(action)) is kind), None)
        if last and has_failed(last):
            return _label(last, kind)
    return ""


def _label(action: Action, kind: CommandKind) -> str:
    """The last command of a kind in a shell line, without its arguments."""
    return next(part.label for part in reversed(split_command(command_of(action))) if part.kind is kind)


def _quoted(prompt: str) -> str:
    words = prompt.split(None, QUOTED_WORDS)
    cut = " ".join(words[:QUOTED_WORDS])[:MAX_QUOTED_CHARS]
    return f"{cut} ..." if len(words) > QUOTED_WORDS or len(cut) == MAX_QUOTED_CHARS else cut
