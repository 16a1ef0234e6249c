"""Hold one user's triggers in memory, so that the candidates for a prompt are found without the database.

An index never changes. When the database does, by this worker or another, a new index is made.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy
from numpy.typing import NDArray

from behavior_plugin.agents.core import core_of
from behavior_plugin.model import Outcome
from behavior_plugin.patterns.alignment import command_words
from behavior_plugin.recall.intent import intent_of, is_other
from behavior_plugin.recall.vector_index import MAX_COMPARED, Numbers, VectorIndex
from behavior_plugin.recall.words import Scores, WordIndex, tokens, trigrams
from behavior_plugin.workflow import Trigger

# The number of candidates by vector, and as many by words.
MAX_NEAR = 20
# The number of candidates by the same slash command, the newest.
MAX_SAME_COMMAND = 10
# The likeness of two pieces of work of one pattern, however different their files and steps.
SAME_PATTERN = 0.35

# A path is none.
_COMMAND = re.compile(r"/[\w:.-]+(?=\s|$)")

Matrix = NDArray[numpy.float64]


@dataclass(frozen=True)
class Vector:
    """The vector of a text by a model; `unrelated` is the cosine that this model gives texts with nothing in common."""

    model: str
    numbers: Numbers
    unrelated: float = 0.0


@dataclass(frozen=True)
class Question:
    """A prompt to find triggers by: its core, and a vector of each model that made vectors here and can read it."""

    text: str
    vectors: Sequence[Vector] = ()


@dataclass(frozen=True)
class Candidates:
    """Triggers that may fit a question, the oldest first. The arrays have a row for each.

    `cosines` compare the vectors. Zero means nothing in common, by whichever model, or that a trigger has no vector.
    `words` is the share of the question's words that a trigger and its work have. `newer` counts the newer triggers.
    `is_same_command` and `is_other_intent` are 0 or 1: both are the same slash command; the work had another intent
    (`intent.is_other`). `likeness` compares the work of each with that of each other, 0 to 1. `known` counts all
    triggers that were searched. `is_by_letters`: there were no vectors to compare, and `words` is the share of the
    question's groups of letters.
    """

    triggers: tuple[Trigger, ...]
    cosines: Scores
    words: Scores
    newer: Scores
    is_same_command: Scores
    is_other_intent: Scores
    likeness: Matrix
    known: int
    is_by_letters: bool


@dataclass(frozen=True)
class _Vectors:
    """The vectors of one model, and the places of their triggers."""

    places: NDArray[numpy.intp]
    vectors: VectorIndex


class Index:
    """The triggers of a project, or of all projects, the oldest first."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        # Without their vectors, which are in one array.
        self.triggers = tuple(replace(trigger, embedding=None) for trigger in triggers)
        self._places_of_command = _places(command_name(trigger.text) for trigger in triggers)
        self._places_of_session = _places(trigger.session_id for trigger in triggers)
        self._failed = [place for place, trigger in enumerate(triggers) if trigger.outcome is Outcome.FAILED]
        self._vectors = _vectors_by_model(triggers)

    @cached_property
    def _words(self) -> WordIndex:
        return WordIndex(tokens(core_of(each.text)) + _work_tokens(each) for each in self.triggers)

    @cached_property
    def _trigrams(self) -> WordIndex:
        return WordIndex(trigrams(core_of(each.text)) for each in self.triggers)

    @cached_property
    def _rarities(self) -> tuple[dict[str, float], ...]:
        """The weights of all values in each of `_BAGS`: rare ones count more."""
        total = len(self.triggers)
        counts = [Counter(value for each in self.triggers for value in set(bag(each))) for bag in _BAGS]
        return tuple({value: math.log1p(total / number) for value, number in count.items()} for count in counts)

    @property
    def models(self) -> tuple[str, ...]:
        """The models that have made vectors of these triggers, the one with most of them first."""
        return tuple(sorted(self._vectors, key=lambda model: (-len(self._vectors[model].places), model)))

    def prepare(self) -> None:
        """Compute ahead of the first question. Without vectors all prompts are compared by their letters."""
        self._words if self._vectors else self._trigrams, self._rarities  # noqa: B018 - computed when first read

    def places_to_leave_out(self, session_id: str, *, with_failed: bool) -> list[int]:
        """The places of a session's own work, if it has an id, and of failed work."""
        own = self._places_of_session.get(session_id, []) if session_id else []
        return [*own, *([] if with_failed else self._failed)]

    def candidates(self, question: Question, *, leave_out: Sequence[int] = ()) -> Candidates:
        """The triggers that may fit, without those at the places `leave_out`."""
        asked = [vector for vector in question.vectors if vector.model in self._vectors]
        is_by_letters = not asked
        words = self._shared_letters(question) if is_by_letters else self._words.scores(tokens(question.text))
        command = command_name(question.text)
        same = self._places_of_command.get(command, []) if command else []
        kept = numpy.ones(len(self.triggers), dtype=bool)
        kept[list(leave_out)] = False
        words = numpy.where(kept, words, 0)
        is_same = {place for place in same if kept[place]}
        # What is left out must not take the places of the nearest, of which only so many are compared.
        wanted = kept & (kept.sum() <= MAX_COMPARED)
        wanted[[*_best(words), *is_same]] = True
        cosines = numpy.where(kept, self._cosines(asked, wanted), 0)
        near = {*_best(cosines), *_best(words), *sorted(is_same)[-MAX_SAME_COMMAND:]}
        places = sorted(place for place in near if cosines[place] > 0 or words[place] > 0 or place in is_same)
        chosen = [self.triggers[place] for place in places]
        newer = kept.sum() - numpy.cumsum(kept)
        return Candidates(
            triggers=tuple(chosen),
            cosines=cosines[places],
            words=words[places],
            newer=newer[places].astype(numpy.float64),
            is_same_command=numpy.array([place in is_same for place in places], dtype=float),
            is_other_intent=_other_intents(question, chosen),
            likeness=self._likeness(chosen),
            known=int(kept.sum()),
            is_by_letters=is_by_letters,
        )

    def _shared_letters(self, question: Question) -> Scores:
        """The share of the question's groups of letters that each trigger has."""
        return self._trigrams.scores(trigrams(question.text))

    def _cosines(self, asked: Sequence[Vector], wanted: NDArray[numpy.bool_]) -> Scores:
        """The cosine of each trigger that is near, or `wanted`; zero or less for all others."""
        cosines = numpy.zeros(len(self.triggers))
        for vector in asked:
            stored = self._vectors[vector.model]
            found = stored.vectors.cosines(vector.numbers, wanted[stored.places])
            cosines[stored.places] = (found - vector.unrelated) / (1 - vector.unrelated)
        return cosines

    def _likeness(self, triggers: Sequence[Trigger]) -> Matrix:
        """The mean cosine of the files, the steps and the words of commands, of which rare ones count more.

        Work of the same pattern is alike to begin with: it is the same job.
        """
        total = numpy.zeros((len(triggers), len(triggers)))
        for bag, rarities in zip(_BAGS, self._rarities, strict=True):
            total += _cosines_of_bags([Counter(bag(trigger)) for trigger in triggers], rarities)
        keys = numpy.array([trigger.pattern_key for trigger in triggers])
        likeness: Matrix = (1 - SAME_PATTERN) * total / len(_BAGS) + SAME_PATTERN * (keys[:, None] == keys[None, :])
        return likeness


def _vectors_by_model(triggers: Sequence[Trigger]) -> dict[str, _Vectors]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for place, trigger in enumerate(triggers):
        if trigger.embedding is not None:
            found[trigger.model].append(place)
    return {
        model: _Vectors(
            numpy.array(places, dtype=numpy.intp),
            VectorIndex([embedding for place in places if (embedding := triggers[place].embedding) is not None]),
        )
        for model, places in found.items()
    }


def command_name(prompt: str) -> str:
    """The slash command that a prompt is, without its arguments; empty for another prompt."""
    found = _COMMAND.match(prompt)
    return found[0] if found else ""


def _places(names: Iterable[str]) -> dict[str, list[int]]:
    """The places of each name."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        places[name].append(place)
    return dict(places)


def _files(trigger: Trigger) -> tuple[str, ...]:
    return trigger.files


def _names(trigger: Trigger) -> tuple[str, ...]:
    return trigger.names


def _command_words(trigger: Trigger) -> tuple[str, ...]:
    return command_words(trigger.commands)


_BAGS = (_files, _names, _command_words)


def _work_tokens(trigger: Trigger) -> list[str]:
    return [word for bag in _BAGS for text in dict.fromkeys(bag(trigger)) for word in tokens(text)]


def _best(scores: Scores) -> list[int]:
    """The places of the highest scores; of equals the newest."""
    if len(scores) <= MAX_NEAR:
        return list(range(len(scores)))
    # Equal vectors need not have quite equal cosines.
    rounded = scores.round(4)
    least = numpy.partition(rounded, -MAX_NEAR)[-MAX_NEAR]
    above, equal = numpy.flatnonzero(rounded > least), numpy.flatnonzero(rounded == least)
    return [*above.tolist(), *equal[len(above) - MAX_NEAR :].tolist()]


def _other_intents(question: Question, triggers: Sequence[Trigger]) -> Scores:
    asked = intent_of(question.text)
    found = [is_other(asked, intent_of(core_of(each.text)), has_changed=bool(each.files)) for each in triggers]
    return numpy.array(found, dtype=float)


def _cosines_of_bags(bags: Sequence[Counter[str]], rarities: dict[str, float]) -> Matrix:
    """The cosine of each bag with each other, by the logarithm of each value's count times its rarity."""
    columns: dict[str, int] = {}
    for bag in bags:
        for value in bag:
            columns.setdefault(value, len(columns))
    rows = numpy.zeros((len(bags), max(1, len(columns))))
    for place, bag in enumerate(bags):
        for value, count in bag.items():
            rows[place, columns[value]] = (1 + math.log(count)) * rarities[value]
    lengths = numpy.linalg.norm(rows, axis=1, keepdims=True)
    rows /= numpy.where(lengths > 0, lengths, 1)
    likeness: Matrix = rows @ rows.T
    return likeness
