"""Sum up a replay: the shares and means with their intervals, and how they changed as more became known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from behavior_plugin.measure.intervals import MIN_CASES, Estimate, Share, mean_of, ratio_of, share_of
from behavior_plugin.measure.lessons import LessonsMet
from behavior_plugin.measure.replay import Lift, Replayed
from behavior_plugin.model import Frozen

# The first numbers of sessions of a group in the plot.
GROUPS = (0, 5, 10, 20, 50, 100, 200, 500, 1_000)


class Named(Frozen):
    """The mean share of the kinds of steps in fact done that a workflow names: the suggestion, a random one of the
    project, and as many of the project's most frequent kinds. `gain` is the suggestion less the random one.
    """

    suggested: Estimate
    chance: Estimate
    usual: Estimate
    gain: Estimate


class Group(Frozen):
    """The prompts that came when at least `sessions` sessions of the project were known, and fewer than in the next."""

    sessions: int
    answered: Share
    named: Estimate


class Report(Frozen):
    """The result of a replay. `bits` is how many bits a step the suggestion tells more than a random workflow.

    `answered` counts all prompts; the other figures are of answered ones that led to steps.
    """

    answered: Share
    bits: Estimate
    named: Named
    rare: Named
    lessons: LessonsMet
    by_sessions: tuple[Group, ...]
    min_cases: int = MIN_CASES


def report_of(replayed: Sequence[Replayed], lessons: LessonsMet) -> Report:
    return Report(
        answered=_answered(replayed),
        bits=ratio_of([(suggested.bits - chance.bits, steps) for steps, suggested, chance, _ in _compared(replayed)]),
        named=_named(replayed, lambda lift: lift.named),
        rare=_named(replayed, lambda lift: lift.rare),
        lessons=lessons,
        by_sessions=tuple(_groups(replayed)),
    )


def _answered(replayed: Sequence[Replayed]) -> Share:
    return share_of(sum(each.is_answered for each in replayed), len(replayed))


def _compared(replayed: Sequence[Replayed]) -> list[tuple[int, Lift, Lift, Lift]]:
    return [
        (each.steps, each.suggested, each.chance, each.usual)
        for each in replayed
        if each.suggested and each.chance and each.usual
    ]


def _named(replayed: Sequence[Replayed], share: Callable[[Lift], float | None]) -> Named:
    shares = [tuple(map(share, lifts)) for _, *lifts in _compared(replayed)]
    known = [(one, other, usual) for one, other, usual in shares if None not in (one, other, usual)]
    suggested, chance, usual = ([each[column] or 0.0 for each in known] for column in range(3))
    return Named(
        suggested=mean_of(suggested),
        chance=mean_of(chance),
        usual=mean_of(usual),
        gain=mean_of([one - other for one, other in zip(suggested, chance, strict=True)]),
    )


def _groups(replayed: Sequence[Replayed]) -> list[Group]:
    """The groups up to the last one with a prompt."""
    groups = []
    for first, following in zip(GROUPS, [*GROUPS[1:], float("inf")], strict=True):
        within = [each for each in replayed if first <= each.sessions < following]
        named = [suggested.named for _, suggested, _, _ in _compared(within)]
        groups.append(Group(sessions=first, answered=_answered(within), named=mean_of(named)))
    return [each for number, each in enumerate(groups) if any(later.answered.cases for later in groups[number:])]
