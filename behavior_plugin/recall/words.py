"""Compare texts by their words, with BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).

A score is a share of the score that the question itself would have, so that scores of different questions can be
compared. Texts without spaces between words, as in Chinese, are compared by pairs of characters.
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[numpy.float64]

# The usual constants of BM25: how soon repeating a word stops counting, and how much long texts are marked down.
_SATURATION, _LENGTH = 1.2, 0.75
# Added to the score that the question itself would have, so that a question of one common word has little in common
# with any text. It is about the weight of a word that half of the texts have.
_DAMPING = 1.0
MAX_TOKENS = 300
# A count has two bytes; long before that, repeating a word counts no more.
MAX_COUNT = 65_535

_WORD = re.compile(r"[^\W_]+")
# Scripts that put no spaces between words.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def tokens(text: str) -> list[str]:
    """The words of a text in lower case; for scripts without spaces, each pair of characters."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        found += _pairs(word) if _UNSPACED.search(word) else [word]
        if len(found) >= MAX_TOKENS:
            break
    return found[:MAX_TOKENS]


def trigrams(text: str) -> list[str]:
    """The groups of three characters in the words of a text, by which other forms of a word are found too."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _UNSPACED.search(word):
            found += _pairs(word)
        else:
            padded = f" {word} "
            found += [padded[place : place + 3] for place in range(len(padded) - 2)]
    return found[: 4 * MAX_TOKENS]


class WordIndex:
    """The words of some texts; `scores` compares them all with a question."""

    def __init__(self, texts: Iterable[Sequence[str]]) -> None:
        # A row for each word of each text: the word's number, the text's place, the count. The rows are then sorted by
        # word, so that the rows of one word are a slice: a list for each word would take ten times the memory.
        numbers, places, counts, lengths = array("i"), array("i"), array("H"), array("i")
        self._numbers: dict[str, int] = {}
        for place, text in enumerate(texts):
            lengths.append(max(1, len(text)))
            for word, count in Counter(text).items():
                numbers.append(self._numbers.setdefault(word, len(self._numbers)))
                places.append(place)
                counts.append(min(count, MAX_COUNT))
        order = numpy.argsort(numbers, kind="stable")
        self._places = numpy.array(places, dtype=numpy.int32)[order]
        self._counts = numpy.array(counts, dtype=numpy.uint16)[order]
        sizes = numpy.bincount(numpy.array(numbers, dtype=numpy.int32), minlength=len(self._numbers))
        self._ends = numpy.cumsum(sizes)
        self._mean = float(numpy.mean(lengths)) if lengths else 1.0
        self._norm = _SATURATION * (1 - _LENGTH + _LENGTH * numpy.array(lengths, dtype=numpy.float64) / self._mean)

    def scores(self, question: Sequence[str]) -> Scores:
        """How much of the question each text has, a number for each: 0 to about 1, for a text with the same words."""
        total = numpy.zeros(len(self._norm))
        own_norm = _SATURATION * (1 - _LENGTH + _LENGTH * len(question) / self._mean)
        perfect = _DAMPING
        for word, times in Counter(question).items():
            rows = self._rows(word)
            places, counts = self._places[rows], self._counts[rows]
            rarity = self._rarity(len(places))
            perfect += rarity * times * (_SATURATION + 1) / (times + own_norm)
            total[places] += rarity * counts * (_SATURATION + 1) / (counts + self._norm[places])
        return total / perfect

    def _rows(self, word: str) -> slice:
        number = self._numbers.get(word)
        if number is None:
            return slice(0)
        return slice(int(self._ends[number - 1]) if number else 0, int(self._ends[number]))

    def _rarity(self, texts: int) -> float:
        """The weight of a word that so many texts have."""
        return float(numpy.log1p((len(self._norm) - texts + 0.5) / (texts + 0.5)))


def _pairs(word: str) -> list[str]:
    return [word[place : place + 2] for place in range(max(1, len(word) - 1))]
