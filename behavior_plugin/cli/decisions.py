"""Word the decisions on prompts: the work found, each factor, and the reason for a note or for none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from behavior_plugin.cli.output import SHORT_ID
from behavior_plugin.model import Outcome, PromptKind
from behavior_plugin.recall.decision import Considered, Decision, Fate, Verdict
from behavior_plugin.recall.explain import candidate_phrase, odds_phrase
from behavior_plugin.recall.quoting import quote, said
from behavior_plugin.recall.wording import day, plural

MAX_PROMPT_CHARS, MAX_TRIGGER_CHARS, MAX_JOB_CHARS, MAX_NOTE_LINE_CHARS = 200, 100, 60, 400
_REASONS = {
    Verdict.ASKED: "You asked, and got the nearest work that is known.",
    Verdict.NOTHING_KNOWN: "No note: no earlier work is known here.",
    Verdict.NOTHING_LIKE_IT: "No note: no earlier work has anything in common with it.",
    Verdict.ALREADY_SHOWN: "No note: this session has been shown it already.",
    Verdict.NOT_OFFERED: "No note: the likely work is not offered, for the reasons below.",
    Verdict.WITHHELD: "No note: it was withheld by chance (holdout), so that `behavior stats` can compare.",
    Verdict.LATE: "No note: it was found too late, when nobody waited for it any more.",
}
_NO_TASKS = {
    PromptKind.FOLLOW_UP: "No note: a reply or an acknowledgement names no work of its own.",
    PromptKind.BUILT_IN: "No note: it is a command of the agent's own.",
}


def decision_lines(decision: Decision, *, has_project: bool = False) -> Iterator[str]:
    """One decision, from the prompt to the factors."""
    where = f"  in {quote(decision.project, MAX_TRIGGER_CHARS)}" if has_project else ""
    yield f"{_when(decision.at)}  {said(decision.prompt, MAX_PROMPT_CHARS)}{where}"
    yield f"   {_reason(decision)}"
    ranking = decision.ranking
    if ranking is None:
        return
    compared = f", {ranking.compared:,} compared by {_means(decision)}" if ranking.known else ""
    yield f"   {plural(ranking.known, 'piece')} of work searched{compared}. {_threshold(decision)}"
    for number, each in enumerate(decision.considered, start=1):
        yield from _considered_lines(number, each)
    if ranking.odds_factors:
        yield f"   The odds of the first: {odds_phrase(ranking)}."
    if decision.note:
        yield "   The assistant got:"
        yield from (f"      {quote(line, MAX_NOTE_LINE_CHARS)}" for line in decision.note.splitlines())


def _considered_lines(number: int, considered: Considered) -> Iterator[str]:
    candidate = considered.candidate
    known = [str(considered.pattern_id)[:SHORT_ID]] if considered.pattern_id else []
    known += [quote(considered.job, MAX_JOB_CHARS)] if considered.job else []
    failed = ", which failed" if candidate.outcome is Outcome.FAILED else ""
    fate = f"{considered.fate} ({', '.join(considered.dangers)})" if considered.dangers else considered.fate
    yield f"   {number}. odds {candidate.odds:.0%}, {fate}: {', '.join(known) or 'an unknown pattern'}"
    yield f"      by the prompt {said(candidate.trigger, MAX_TRIGGER_CHARS)} of {day(candidate.started_at)}{failed}"
    yield f"      {candidate_phrase(candidate)}"


def _reason(decision: Decision) -> str:
    if decision.verdict is Verdict.SHOWN:
        first = next(each.candidate for each in decision.considered if each.fate is Fate.SHOWN)
        return f"A note was given: how {said(first.trigger, MAX_TRIGGER_CHARS)} was done (odds {first.odds:.0%})."
    if decision.verdict is Verdict.NO_TASK:
        return _NO_TASKS.get(decision.kind or PromptKind.MACHINE, "No note: it names no work of its own.")
    if decision.verdict is Verdict.NOT_READY:
        return f"No note: {quote(decision.problem, MAX_PROMPT_CHARS)}"
    if decision.verdict is Verdict.BELOW:
        best, least = f"{decision.considered[0].candidate.odds:.0%}", f"{decision.min_odds:.0%}"
        return f"No note: the best has odds of {'just under ' if best == least else ''}{best}, and {least} are needed."
    return _REASONS[decision.verdict]


def _threshold(decision: Decision) -> str:
    if decision.verdict is Verdict.ASKED:
        return f"An answer needs odds of {decision.min_odds:.0%}."
    return f"A note needs odds of {decision.min_odds:.0%} (suggestions = {decision.setting})."


def _means(decision: Decision) -> str:
    embedder = quote(decision.embedder, MAX_JOB_CHARS)
    if not (decision.ranking and decision.ranking.is_by_letters):
        return f"meaning and words ({embedder})"
    return f"their letters ({embedder} cannot read them)" if embedder else "their letters (there is no embedder)"


def _when(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
