"""Decide which prompts get an answer, and which of the suggestions found for them is shown.

A wrong suggestion costs more than a missing one, and one that is repeated is noise: a prompt gets at most one, and a
session gets none twice, nor one that it made itself.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from behavior_plugin.model import TASKS, PromptKind
from behavior_plugin.recall.render import render
from behavior_plugin.workflow import Lesson, Suggestion

# The number of suggestions for a prompt among which the first new one is shown.
MAX_CHOICES = 5
# The number of past workflows that `/behavior:recall` brings back.
MAX_COMMAND_ANSWERS = 3
# A hook passes on 8,000 bytes, with quotes and line ends escaped.
MAX_ANSWER_BYTES = 7000
# A prompt that comes again sooner was not typed again: its hook is registered twice, and one note is enough.
AGAIN_AFTER = timedelta(seconds=2)
# The number of sessions whose suggestions are remembered.
MAX_SESSIONS = 1000
NOTHING_KNOWN = "The behavior plugin knows of no earlier work like this."

# The least odds at which a prompt gets a suggestion, by the setting `suggestions`. Of recorded prompts that nothing
# fits, "normal" answers 1 in 20 (docs/evaluation.md).
MIN_ODDS = {"quiet": 0.5, "normal": 1 / 3, "eager": 0.15}
# A person who asks wants to see what is near, not only what is sure.
MANUAL_MIN_ODDS = 0.03
# A key of its own makes the choice of withheld suggestions independent of all other hashes.
_HOLDOUT_KEY = b"holdout"


@dataclass(frozen=True)
class Policy:
    """The user's settings for recall."""

    suggestions: str = "normal"
    everywhere: bool = False
    holdout: float = 0.0


@dataclass(frozen=True)
class Question:
    """A text to look for, and how. `is_manual`: a person asked for it, so there is always an answer."""

    text: str
    limit: int
    min_odds: float
    everywhere: bool
    is_manual: bool = False


def prompt_question(prompt: str, kind: PromptKind | None, policy: Policy) -> Question | None:
    """The question that a prompt puts; None if it is to be left alone."""
    if kind is PromptKind.OWN_COMMAND:
        _, _, text = prompt.partition(" ")
        return manual_question(text, policy, limit=MAX_COMMAND_ANSWERS)
    if kind in TASKS:
        return Question(prompt, MAX_CHOICES, MIN_ODDS[policy.suggestions], policy.everywhere)
    return None


def manual_question(
    text: str, policy: Policy, *, limit: int, min_odds: float | None = None, everywhere: bool = False
) -> Question:
    """The question of a person, who wants to see near matches too, not only sure ones."""
    odds = MANUAL_MIN_ODDS if min_odds is None else min_odds
    return Question(text, limit, odds, everywhere or policy.everywhere, is_manual=True)


def manual_answer(suggestions: Iterable[Suggestion]) -> str:
    """The answer to our own command: as many suggestions as a hook passes on."""
    answer = ""
    for text in map(render, suggestions):
        if len((answer + text).encode("utf-8", "replace")) > MAX_ANSWER_BYTES:
            break
        answer += text + "\n"
    return answer or NOTHING_KNOWN


def is_withheld(session_id: str, pattern_key: str, share: float) -> bool:
    """Whether a pattern is withheld from a session: by chance, in this share of all pairs, always the same for one."""
    pair = f"{session_id}\0{pattern_key}".encode("utf-8", "replace")
    drawn = int.from_bytes(hashlib.blake2b(pair, digest_size=8, key=_HOLDOUT_KEY).digest())
    return drawn < share * 2**64


def is_worth_a_line(lesson: Lesson, policy: Policy) -> bool:
    """Whether a failed call gets this lesson. Lessons have no odds: "quiet" asks for two sessions instead."""
    return policy.suggestions != "quiet" or lesson.sessions > 1


class ShownPatterns:
    """The patterns and lessons that each session has been shown, and when. Safe to use from several threads."""

    def __init__(self, max_sessions: int = MAX_SESSIONS) -> None:
        self._max_sessions = max_sessions
        self._shown: dict[str, dict[str, datetime]] = {}
        self._lock = threading.Lock()

    def add(self, session_id: str, pattern_id: str, at: datetime) -> None:
        """Note a pattern that an earlier worker has shown."""
        with self._lock:
            self._of(session_id)[pattern_id] = at

    def of_session(self, session_id: str) -> frozenset[str]:
        """The ids of the patterns that a session has been shown."""
        with self._lock:
            return frozenset(self._shown.get(session_id, ()))

    def take_new(self, session_id: str, suggestions: Iterable[Suggestion], *, now: datetime) -> Suggestion | None:
        """The first suggestion that this session has not been shown; it counts as shown from now on."""
        return next((each for each in suggestions if self.take(session_id, str(each.pattern.id), now=now)), None)

    def take(self, session_id: str, key: str, *, now: datetime, again_after: timedelta | None = None) -> bool:
        """Whether this session has not been shown something yet, or not lately; it counts as shown from now on."""
        with self._lock:
            shown = self._of(session_id)
            is_new = key not in shown or (again_after is not None and now - shown[key] >= again_after)
            if is_new:
                shown[key] = now
            return is_new

    def rearm(self, session_id: str, before: datetime) -> None:
        """Forget the patterns that a session was shown before a moment: its conversation was compacted then."""
        with self._lock:
            shown = self._shown.get(session_id, {})
            for pattern_id in [each for each, at in shown.items() if at < before]:
                del shown[pattern_id]

    def forget(self, session_id: str) -> None:
        with self._lock:
            self._shown.pop(session_id, None)

    def _of(self, session_id: str) -> dict[str, datetime]:
        while len(self._shown) >= self._max_sessions and session_id not in self._shown:
            del self._shown[next(iter(self._shown))]
        return self._shown.setdefault(session_id, {})
