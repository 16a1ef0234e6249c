"""Record the decision on one prompt: the work that was found for it, and why it got a note or none.

The record is for people, and made after the answer was sent; `gate` decides.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime

from behavior_plugin.model import Frozen, OwnText, PromptKind
from behavior_plugin.recall import MIN_CONFIDENCE, may_be_offered
from behavior_plugin.recall.explain import Candidate, Ranking
from behavior_plugin.recall.offer import dangers_against
from behavior_plugin.recall.wording import workflow_of
from behavior_plugin.workflow import StoredPattern

# The number of patterns in a record, each with its best piece of work.
MAX_CONSIDERED = 5


class Verdict(StrEnum):
    """The outcome for a prompt."""

    SHOWN = "shown"
    # The setting `holdout` held it back.
    WITHHELD = "withheld"
    # A person asked (`/behavior:recall`), and got whatever there is.
    ASKED = "asked"
    # A reply, or a command of the agent: it names no work of its own.
    NO_TASK = "no task"
    NOTHING_KNOWN = "nothing known"
    NOTHING_LIKE_IT = "nothing like it"
    BELOW = "below the threshold"
    ALREADY_SHOWN = "already shown"
    NOT_OFFERED = "not offered"
    LATE = "too late"
    # The store or the embedder was unavailable; `problem` says why.
    NOT_READY = "not ready"


class Fate(StrEnum):
    """The outcome for one pattern that was found."""

    SHOWN = "shown"
    WITHHELD = "withheld by chance"
    BELOW = "below the threshold"
    ALREADY_SHOWN = "already shown in this session"
    HIDDEN = "hidden by you"
    NEVER_WORKED = "it has never worked"
    DISTRUSTED = "ignored or failed too often"
    # `recall.offer` refuses it.
    DANGEROUS = "dangerous, so never offered"
    # Its work was found, but it is not in the store, or not yet.
    MISSING = "not computed"
    LATE = "too late"
    # A better one was shown.
    NOT_FIRST = "not the first"


class Considered(Frozen):
    """A pattern that was found, by the best of its pieces of work. Its id and job are unknown if it is missing.

    `dangers` are the kinds for which it is dangerous.
    """

    candidate: Candidate
    fate: Fate
    pattern_id: UUID | None = None
    job: str = ""
    dangers: tuple[OwnText, ...] = ()


class Decision(Frozen):
    """The answer to a prompt, and the reasons for it.

    `setting` is the value of `suggestions`, and `min_odds` the threshold that counted. `embedder` is empty if there is
    none. `ranking` is None if nothing was searched; its candidates are in `considered`, one for each pattern. `note`
    is the text that the assistant got. `shown` is the id of the chosen pattern, which the session is not shown again
    until its conversation is compacted.
    """

    at: AwareDatetime
    session_id: str
    project: str
    prompt: str
    kind: PromptKind | None
    verdict: Verdict
    setting: OwnText
    min_odds: float
    embedder: OwnText = ""
    ranking: Ranking | None = None
    considered: tuple[Considered, ...] = ()
    note: str = ""
    problem: str = ""
    shown: UUID | None = None


def consider(
    ranking: Ranking,
    patterns: Mapping[str, StoredPattern],
    *,
    min_odds: float,
    shown_before: Collection[str] = (),
    chosen: Collection[str] = (),
    is_late: bool = False,
    is_withheld: bool = False,
    with_failed: bool = False,
) -> tuple[Considered, ...]:
    """The patterns of a ranking with their fates, best first.

    `patterns` are by key, `shown_before` has ids. `chosen` has the keys of the patterns that were shown or, with
    `is_withheld`, would have been.
    """
    best: dict[str, Candidate] = {}
    for candidate in ranking.candidates:
        best.setdefault(candidate.pattern_key, candidate)
    found = [
        _considered(candidate, patterns.get(key), min_odds=min_odds, with_failed=with_failed)
        for key, candidate in best.items()
    ]
    if is_late:
        found = [_with_fate(each, Fate.LATE) for each in found]
    found = [_with_fate(each, Fate.ALREADY_SHOWN) if str(each.pattern_id) in shown_before else each for each in found]
    fate = Fate.WITHHELD if is_withheld else Fate.SHOWN
    found = [each.model_copy(update={"fate": fate}) if each.candidate.pattern_key in chosen else each for each in found]
    kept = found[:MAX_CONSIDERED]
    return (*kept, *(each for each in found[MAX_CONSIDERED:] if each.candidate.pattern_key in chosen))


def verdict_on(ranking: Ranking, considered: Collection[Considered]) -> Verdict:
    """The verdict on a task that was searched for."""
    fates = [each.fate for each in considered]
    if Fate.SHOWN in fates:
        return Verdict.SHOWN
    if Fate.WITHHELD in fates:
        return Verdict.WITHHELD
    if not ranking.known:
        return Verdict.NOTHING_KNOWN
    if not fates:
        return Verdict.NOTHING_LIKE_IT
    for fate, verdict in ((Fate.LATE, Verdict.LATE), (Fate.ALREADY_SHOWN, Verdict.ALREADY_SHOWN)):
        if fate in fates:
            return verdict
    return Verdict.BELOW if fates[0] is Fate.BELOW else Verdict.NOT_OFFERED


def _considered(
    candidate: Candidate, pattern: StoredPattern | None, *, min_odds: float, with_failed: bool
) -> Considered:
    fate = _fate(pattern, with_failed=with_failed)
    if candidate.odds < min_odds:
        fate = Fate.BELOW
    job = pattern.workflow.job if pattern and pattern.workflow else ""
    dangers = dangers_against(workflow_of(pattern)) if pattern and fate is Fate.DANGEROUS else ()
    return Considered(
        candidate=candidate, fate=fate, pattern_id=pattern.id if pattern else None, job=job, dangers=dangers
    )


def _fate(pattern: StoredPattern | None, *, with_failed: bool) -> Fate:
    if pattern is None:
        return Fate.MISSING
    if may_be_offered(pattern, with_failed=with_failed):
        return Fate.DANGEROUS if dangers_against(workflow_of(pattern)) else Fate.NOT_FIRST
    if pattern.workflow and pattern.workflow.is_hidden:
        return Fate.HIDDEN
    is_distrusted = pattern.workflow and pattern.workflow.worked and pattern.confidence < MIN_CONFIDENCE
    return Fate.DISTRUSTED if is_distrusted else Fate.NEVER_WORKED


def _with_fate(considered: Considered, fate: Fate) -> Considered:
    """The same with this fate, if the pattern could have been offered."""
    return considered.model_copy(update={"fate": fate}) if considered.fate is Fate.NOT_FIRST else considered
