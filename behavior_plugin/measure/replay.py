"""Replay a history: each past prompt is answered from the work known then, and compared with the work that followed.

Work is known once its session is over, so a session's own work is never known to it. The words' weights alone see a
little of the future: the index of triggers is made anew when a twentieth more is known, and until then has the triggers
of that twentieth too, which are left out as candidates.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import numpy

from behavior_plugin.agents.core import core_of
from behavior_plugin.embed.language import MAX_SAMPLE, is_project_readable
from behavior_plugin.measure.lift import Bigrams, bits_of, named_share, rare_kinds, usual_kinds
from behavior_plugin.measure.past import PastWork
from behavior_plugin.model import Outcome
from behavior_plugin.patterns.confidence import confidence
from behavior_plugin.recall import MAX_PROMPT_CHARS, MIN_CONFIDENCE
from behavior_plugin.recall.gate import MAX_CHOICES
from behavior_plugin.recall.index import Index, Question, Vector
from behavior_plugin.recall.rank import rank
from behavior_plugin.recall.vector_index import Numbers
from behavior_plugin.workflow import Trigger

# Random workflows that each suggestion is compared with, and the seed that they are drawn by.
DRAWS, SEED = 20, 20_260
# One index serves until this share of its triggers has been added.
_GROWTH = 20


@dataclass(frozen=True)
class Lift:
    """How well a workflow predicts the work: bits for all of it, and the shares of kinds and rare kinds that it names.

    `rare` is None where no kind was rare.
    """

    bits: float
    named: float
    rare: float | None


@dataclass(frozen=True)
class Replayed:
    """A past prompt, and the work that followed it.

    `sessions` counts those of the project that were over. `suggested` is None if nothing would have been said, or no
    step was done; `chance` is the mean over random workflows of the project, and `usual` names its most frequent kinds.
    """

    started_at: datetime
    sessions: int
    is_answered: bool
    steps: int
    suggested: Lift | None = None
    chance: Lift | None = None
    usual: Lift | None = None


class _Known:
    """The work of one project that is known so far."""

    def __init__(self) -> None:
        self.bigrams = Bigrams()
        self.sessions: set[str] = set()
        # Work that could be suggested.
        self.choices: list[PastWork] = []

    def add(self, work: PastWork) -> None:
        self.sessions.add(work.session_id)
        if work.names:
            self.bigrams.add(work.names)
        if work.names and work.pattern_key and work.outcome is not Outcome.FAILED:
            self.choices.append(work)


def replay(
    history: Sequence[PastWork],
    *,
    min_odds: float,
    everywhere: bool = False,
    since: datetime | None = None,
    on_progress: Callable[[int], object] = lambda _: None,
) -> list[Replayed]:
    """Each prompt that is a task, since a day, as it would have been answered; in the order of time within a project.

    `everywhere`: work of other projects may be suggested too. `on_progress` is called with the number of prompts done.
    """
    known_at = known_times(history)
    groups: defaultdict[str, list[PastWork]] = defaultdict(list)
    for work in sorted(history, key=lambda work: (work.started_at, work.source_key)):
        groups["" if everywhere else work.project].append(work)
    replayed: list[Replayed] = []
    for group in groups.values():
        asked = [each for each in group if each.is_task and (since is None or each.started_at >= since)]
        for each in _Group(group, known_at).answers(asked, min_odds):
            replayed.append(each)
            on_progress(len(replayed))
    return replayed


class _Group:
    """The work that suggestions are chosen from, the oldest first: that of a project, or of all."""

    def __init__(self, works: Sequence[PastWork], known_at: Mapping[str, datetime]) -> None:
        self.works, self.known_at = works, known_at
        # In the order in which it became known.
        self.order = sorted(works, key=lambda work: (known_at[work.source_key], work.source_key))
        self.times = [known_at[work.source_key] for work in self.order]

    def answers(self, asked: Sequence[PastWork], min_odds: float) -> Iterator[Replayed]:
        """The answers to these prompts, which come in the order of time."""
        known: defaultdict[str, _Known] = defaultdict(_Known)
        shown: defaultdict[str, set[str]] = defaultdict(set)
        members: defaultdict[str, list[PastWork]] = defaultdict(list)
        done, index = 0, _TimedIndex([], self.known_at)
        last = -1
        for prompt in asked:
            count = bisect_left(self.times, prompt.started_at)
            for work in self.order[done:count]:
                known[work.project].add(work)
                members[work.pattern_key].append(work)
            done = count
            if count > last:
                last = count + count // _GROWTH
                until = {work.source_key for work in self.order[:last]}
                index = _TimedIndex([work for work in self.works if work.source_key in until], self.known_at)
            newest = [work.is_readable for work in self.order[max(0, count - MAX_SAMPLE) : count]]
            likely = index.likely(prompt, newest, min_odds)
            suggested = _choose(likely, members, shown[prompt.session_id])
            yield _compare(prompt, suggested, known[prompt.project])


class _TimedIndex:
    """An index that answers from the work that was known at some time."""

    def __init__(self, works: Iterable[PastWork], known_at: Mapping[str, datetime]) -> None:
        self._works = [work for work in works if work.pattern_key]
        self._by_key = {work.source_key: work for work in self._works}
        self._index = Index([trigger_of(work) for work in self._works])
        self._times = numpy.array([known_at[work.source_key].timestamp() for work in self._works])

    def likely(self, prompt: PastWork, newest: Sequence[bool], min_odds: float) -> list[PastWork]:
        """Known work for a prompt, the best first, as `Recaller` finds it. `newest`: which prompts can be read."""
        core = core_of(prompt.prompt[:MAX_PROMPT_CHARS])
        if not core.strip() or not self._works:
            return []
        unknown = numpy.flatnonzero(self._times >= prompt.started_at.timestamp())
        left_out = [*self._index.places_to_leave_out(prompt.session_id, with_failed=False), *unknown.tolist()]
        is_readable = is_project_readable(newest)
        if is_readable is None or not core.isascii():
            is_readable = prompt.is_readable
        numbers = _numbers(prompt) if is_readable else None
        vectors = () if numbers is None else (Vector(prompt.model, numbers, prompt.unrelated),)
        question = Question(core, vectors)
        ranked = rank(self._index.candidates(question, leave_out=left_out))
        return [self._by_key[each.trigger.source_key] for each in ranked if each.odds >= min_odds]


def known_times(works: Iterable[PastWork]) -> dict[str, datetime]:
    """When each piece of work became known: at the end of its session, as far as that is recorded."""
    listed = list(works)
    ends: dict[str, datetime] = {}
    for work in listed:
        ends[work.session_id] = max(ends.get(work.session_id, work.ended_at), work.ended_at)
    return {work.source_key: ends[work.session_id] for work in listed}


def trigger_of(work: PastWork) -> Trigger:
    return Trigger(
        source_key=work.source_key,
        pattern_key=work.pattern_key,
        session_id=work.session_id,
        project=work.project,
        text=work.prompt,
        outcome=work.outcome,
        started_at=work.started_at,
        embedding=_numbers(work),
        model=work.model,
        names=work.names,
        files=work.files,
        commands=work.commands,
    )


def _numbers(work: PastWork) -> Numbers | None:
    return None if work.vector is None else numpy.frombuffer(work.vector, dtype=numpy.float32)


def _choose(likely: Sequence[PastWork], members: Mapping[str, Sequence[PastWork]], shown: set[str]) -> PastWork | None:
    """The best work with a pattern that may be offered and is new to the session; it counts as shown from now on."""
    best: dict[str, PastWork] = {}
    for work in likely:
        best.setdefault(work.pattern_key, work)
    offered = (work for key, work in best.items() if _may_be_offered(members[key]))
    for work in islice(offered, MAX_CHOICES):
        if work.pattern_key not in shown:
            shown.add(work.pattern_key)
            return work
    return None


def _may_be_offered(members: Sequence[PastWork]) -> bool:
    """As `recall.may_be_offered`, by the work that was known then; remarks of users are left out."""
    outcomes = [work.outcome for work in members]
    times = [work.started_at for work in members]
    return Outcome.SUCCESS in outcomes and confidence(outcomes, times) >= MIN_CONFIDENCE


def _compare(prompt: PastWork, suggested: PastWork | None, known: _Known) -> Replayed:
    is_answered, sessions, done = suggested is not None, len(known.sessions), prompt.names
    if suggested is None or not done or not known.choices:
        return Replayed(prompt.started_at, sessions, is_answered, len(done))
    bigrams = known.bigrams
    random = numpy.random.default_rng([SEED, zlib.crc32(prompt.source_key.encode("utf-8", "replace"))])
    drawn = [known.choices[place].names for place in random.integers(0, len(known.choices), DRAWS)]
    usual = usual_kinds(bigrams, len(set(suggested.names)))
    return Replayed(
        prompt.started_at,
        sessions,
        is_answered,
        len(done),
        suggested=_lift(done, suggested.names, bigrams),
        chance=_mean([_lift(done, names, bigrams) for names in drawn]),
        usual=_lift(done, usual, bigrams),
    )


def _lift(done: Sequence[str], names: Sequence[str], bigrams: Bigrams) -> Lift:
    rare = rare_kinds(done, bigrams)
    return Lift(bits_of(done, names, bigrams), named_share(done, names) or 0.0, named_share(rare, names))


def _mean(lifts: Sequence[Lift]) -> Lift:
    rare = [each.rare for each in lifts if each.rare is not None]
    return Lift(
        sum(each.bits for each in lifts) / len(lifts),
        sum(each.named for each in lifts) / len(lifts),
        sum(rare) / len(rare) if rare else None,
    )
