"""Compare texts by their words, with BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).

A score is a share of the score of the question itself, so that scores of different questions can be
compared. Texts without spaces between words, as in Chinese, are compared by pairs of characters.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import numpy
from numpy.typing import NDArray

Scores: TypeAlias = NDArray[numpy.float64]

# The usual constants of BM25: how soon repeating a word stops counting, and how much long texts are marked down.
_SATURATION, _LENGTH = 1.2, 0.75
MAX_TOKENS = 300

_WORD = re.compile(r"[^\W_]+")
# Scripts that put no spaces between words.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def tokens(text: str) -> list[str]:
    """The words of a text in lower case; of a run without spaces each pair of characters."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        found += _pairs(word) if _UNSPACED.search(word) else [word]
        if len(found) >= MAX_TOKENS:
            break
    return found[:MAX_TOKENS]


def trigrams(text: str) -> list[str]:
    """Each three characters of the words of a text, which find a word also in another form of it."""
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

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        places: defaultdict[str, list[int]] = defaultdict(list)
        counts: defaultdict[str, list[int]] = defaultdict(list)
        for place, text in enumerate(texts):
            for word, count in Counter(text).items():
                places[word].append(place)
                counts[word].append(count)
        self._places = {word: numpy.array(each, dtype=numpy.int32) for word, each in places.items()}
        self._counts = {word: numpy.array(each, dtype=numpy.float32) for word, each in counts.items()}
        lengths = numpy.array([max(1, len(text)) for text in texts], dtype=numpy.float64)
        self._mean = float(lengths.mean()) if len(lengths) else 1.0
        self._norm = _SATURATION * (1 - _LENGTH + _LENGTH * lengths / self._mean)

    def scores(self, question: Sequence[str]) -> Scores:
        """How much of the question each text has: 0 to about 1, the score of the question itself."""
        total = numpy.zeros(len(self._norm))
        own_norm = _SATURATION * (1 - _LENGTH + _LENGTH * len(question) / self._mean)
        perfect = 0.0
        for word in dict.fromkeys(question):
            places = self._places.get(word)
            rarity = self._rarity(0 if places is None else len(places))
            perfect += rarity * (_SATURATION + 1) / (1 + own_norm)
            if places is not None:
                counts = self._counts[word]
                total[places] += rarity * counts * (_SATURATION + 1) / (counts + self._norm[places])
        return total / perfect if perfect else total

    def _rarity(self, texts: int) -> float:
        """The weight of a word that so many texts have."""
        return float(numpy.log1p((len(self._norm) - texts + 0.5) / (texts + 0.5)))


def _pairs(word: str) -> list[str]:
    return [word[place : place + 2] for place in range(max(1, len(word) - 1))]
