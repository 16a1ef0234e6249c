"""How much a workflow says about work that was done: the bits it tells, and the kinds of steps it names.

Both need no labels, so they can be computed on any history. A *kind* is the name by which steps are compared: the
program and its sub-command, or `edit` (`alignment.identities`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import log2

# The share of the prediction that is left to the project alone, so that a wrong workflow costs at most a bit a step.
PROJECT_SHARE = 0.5
# A kind is rare if at most this share of the earlier pieces of work had it.
MAX_RARE = 0.1
# Before the first step.
_START = ""


class Bigrams:
    """The bigrams of the steps of a project so far: how likely each kind is to follow another."""

    def __init__(self) -> None:
        self.pieces = 0
        # The number of pieces of work that each kind is in.
        self.having: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._after: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._totals: Counter[str] = Counter()
        self._all = 0

    def add(self, names: Sequence[str]) -> None:
        self.pieces += 1
        # In their order, which decides between equals; that of a set differs from one process to the next.
        self.having.update(dict.fromkeys(names).keys())
        self._counts.update(names)
        self._all += len(names)
        for before, name in pairwise([_START, *names]):
            self._after[before][name] += 1
            self._totals[before] += 1

    def likelihood(self, name: str, before: str) -> float:
        """How likely a kind is after another: a bigram, smoothed by the unigram, smoothed by one of all kinds.

        Each level weighs as one observation (Dirichlet smoothing: MacKay and Peto, 1995). A kind that never occurred
        counts as one more kind.
        """
        single = (self._counts[name] + 1 / (len(self._counts) + 1)) / (self._all + 1)
        after = self._after.get(before)
        return ((after[name] if after else 0) + single) / (self._totals[before] + 1)


def bits_of(done: Sequence[str], hint: Sequence[str], project: Bigrams) -> float:
    """The logarithm to base 2 of the likelihood of the steps that were done, given a workflow as a hint.

    Half of the prediction is the project's. The other half is the hint's own bigram, smoothed by its unigram, smoothed
    by the project, each as in `Bigrams.likelihood`.
    """
    counts, bigrams = Counter(hint), Counter(pairwise([_START, *hint]))
    befores = Counter([_START, *hint[:-1]]) if hint else Counter()
    total = 0.0
    for before, name in pairwise([_START, *done]):
        usual = project.likelihood(name, before)
        single = (counts[name] + usual) / (len(hint) + 1)
        hinted = (bigrams[before, name] + single) / (befores[before] + 1)
        total += log2(PROJECT_SHARE * usual + (1 - PROJECT_SHARE) * hinted)
    return total


def named_share(done: Iterable[str], named: Iterable[str]) -> float | None:
    """The share of some kinds that a workflow names; None of no kinds."""
    kinds, known = set(done), set(named)
    return len(kinds & known) / len(kinds) if kinds else None


def usual_kinds(project: Bigrams, count: int) -> list[str]:
    """So many kinds that most pieces of work of the project have had so far."""
    return [name for name, _ in project.having.most_common(count)]


def rare_kinds(done: Iterable[str], project: Bigrams) -> set[str]:
    """The kinds among these that few earlier pieces of work had, but at least one, so that they could be known."""
    return {name for name in done if 0 < project.having[name] <= MAX_RARE * project.pieces}
